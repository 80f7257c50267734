"""A download as a response of Quart, which a view or an `after_request` function may still change."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

from quart import Response, current_app
from quart.wrappers.response import ResponseBody
from werkzeug.datastructures import Headers

from ..body import Body
from ..responder import Response as PlannedResponse
from ..semantics.plan import Plan

__all__ = ["DownloadResponse", "make_private", "response_of"]


F = TypeVar("F", bound=Callable[[], Any])
_NO_CONTENT = frozenset({204, 304})
_PUBLIC = "public, max-age="  # how `max_age` is written


ResponseBody.register(Body)


class _Download(NamedTuple):
    """The response as planned, and the plan without the request's conditions and ranges."""

    planned: PlannedResponse
    whole: Callable[[], Plan]


class DownloadResponse(Response):
    """A response whose body is a download. The app's own response class is mixed in::

        as planned: 200, 206, 304, 412, 416 ── another status is set ──> whole, whatever the request's conditions

    `return await send_file(...), 200` therefore sends the whole file, also to a client that has it already.
    """

    _download: ClassVar[_Download | None] = None
    _planned_control: str | None = None
    """The Cache-Control that `max_age` made. The view may have set another one since."""

    @property
    def status(self) -> str:
        """The status with its phrase."""
        return self._status

    @status.setter
    def status(self, value: Any) -> None:
        self._status, self._status_code = self._clean_status(value)
        download = self._download
        body: object = self.response if download else None
        if download and body is download.planned.body and self.status_code != download.planned.status:
            self._replan(download)

    def _replan(self, download: _Download) -> None:
        """Replace body and fields by those of the whole file, except fields that the view has set."""
        self._download = None  # type: ignore[misc] # shadows the default of the class
        planned, whole = download.planned, download.whole()
        has_content = self.status_code not in _NO_CONTENT
        if planned.status == 200 and has_content:
            return
        planned.body.replan(whole.pieces if has_content else ())
        self._planned_control = dict(whole.fields).get("Cache-Control")
        for name, value in planned.fields:
            if self.headers.get(name) == value:
                del self.headers[name]
        for name, value in whole.fields:
            if has_content or not name.startswith("Content-"):
                self.headers.setdefault(name, value)

    def call_on_close(self, function: F) -> F:
        """Call a function, or a coroutine function, when the body has been sent or given up: Flask's method."""
        cast("Body", self.response).call_on_close(functools.partial(_call, current_app.ensure_async, function))
        return function


async def _call(ensure_async: Callable[..., Callable[[], Awaitable[object]]], function: Callable[[], object]) -> None:
    result = await ensure_async(function)()
    if inspect.isawaitable(result):
        await result


@functools.lru_cache(maxsize=16)
def _class_for(response_class: type[Response]) -> type[DownloadResponse]:
    if response_class is Response:
        return DownloadResponse
    return type("DownloadResponse", (DownloadResponse, response_class), {})


def response_of(planned: PlannedResponse, whole: Callable[[], Plan]) -> DownloadResponse:
    """Return the response to the current request; `whole` plans it without conditions and ranges."""
    headers = Headers(list(planned.fields))
    response = _class_for(current_app.response_class)(cast("ResponseBody", planned.body), planned.status, headers)
    if planned.fields[0][0] != "Content-Type":
        del response.headers["Content-Type"]  # Quart's default: a 304, 412 or 416 has no media type
    response.timeout = None  # Quart's limit is for the whole response; ours is for each chunk
    response._planned_control = response.headers.get("Cache-Control")
    response._download = _Download(planned, whole)  # type: ignore[misc] # shadows the default of the class
    return response


def make_private(response: DownloadResponse) -> None:
    """Keep shared caches from storing a response that depends on the session or sets a cookie (RFC 9111 §5.2.2.7).

    A Cache-Control that the view or a hook has set itself stays as it is.
    """
    control = response.headers.get("Cache-Control", "")
    is_personal = "cookie" in {name.lower() for name in response.vary} or "Set-Cookie" in response.headers
    if is_personal and control == response._planned_control and control.startswith(_PUBLIC):
        response.headers["Cache-Control"] = "private" + control.removeprefix("public")
