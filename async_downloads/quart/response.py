"""A download as a response of Quart, which a view or an `after_request` function may still change."""

import functools
import inspect
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, cast

from quart import Quart, Request, Response, current_app
from quart.wrappers.response import DataBody, ResponseBody
from werkzeug.datastructures import Headers

from ..body import Body
from ..responder import Response as PlannedResponse
from ..semantics.dates import parse_date
from ..semantics.etags import ETag
from ..semantics.plan import Plan, Policy, plan
from ..semantics.preconditions import SAFE_METHODS
from ..semantics.representation import Representation, RequestHead, Validators

__all__ = ["DownloadResponse", "response_of", "settle"]


F = TypeVar("F", bound=Callable[[], Any])
_NO_CONTENT = frozenset({204, 304})
_FRAMING = frozenset({"Content-Length", "Content-Range"})
_MULTIPART = "multipart/byteranges"
_PUBLIC = "public, max-age="  # how `max_age` is written


ResponseBody.register(Body)


class _Download(NamedTuple):
    """The response as planned, and what it was planned from. `policy` is None if a server in front sends the file."""

    planned: PlannedResponse
    request: RequestHead
    policy: Policy | None

    def whole(self) -> Plan:
        """Plan the response without the conditions and ranges of the request."""
        if self.policy is None:
            return Plan(self.planned.status, self.planned.fields)
        return plan(self.request._replace(fields={}), self.planned.body.selected, self.policy)


class _Replacement(DataBody):
    """Content that a view or a hook has set instead of a download. After it is read, the download is closed."""

    def __init__(self, replaced: Body, data: bytes) -> None:
        super().__init__(data)
        self._replaced = replaced

    async def __aexit__(self, *_: object) -> None:
        await self._replaced.aclose()


class DownloadResponse(Response):
    """A response whose body is a download. The app's own response class is mixed in::

        as planned: 200, 206, 304, 412, 416 ── another status is set ──> whole, whatever the request's conditions
            └── make_conditional ──> as planned, with the validators that the response has by then

    `return await send_file(...), 200` therefore sends the whole file, also to a client that has it already.
    """

    _download: _Download | None = None
    _body: Body
    _planned_control: str | None = None
    """The Cache-Control that `max_age` made. The view may have set another one since."""

    @property
    def status(self) -> str:
        """The status with its phrase."""
        return self._status

    @status.setter
    def status(self, value: Any) -> None:
        self._status, self._status_code = self._clean_status(value)
        if (download := self._planned()) and self.status_code != download.planned.status:
            self._send_whole(download)

    def _planned(self) -> _Download | None:
        """Return the download, unless the body was replaced or its plan is no longer followed."""
        download = self._download
        body: object = self.response if download else None
        return download if download and body is download.planned.body else None

    def _send_whole(self, download: _Download) -> None:
        """Replace body and fields by those of the whole file, except fields that the view has set."""
        self._download = None
        has_content = self.status_code not in _NO_CONTENT
        if download.planned.status == 200 and has_content:
            return
        whole = download.whole()
        fields = tuple([field for field in whole.fields if has_content or not field[0].startswith("Content-")])
        self._replace_plan(download, Plan(self.status_code, fields, whole.pieces if has_content else ()))

    def _replace_plan(self, download: _Download, new: Plan) -> None:
        """Replace the body and the fields of a plan; what the view has set or deleted stays so."""
        download.planned.body.replan(new.pieces)
        self._planned_control = dict(new.fields).get("Cache-Control")
        deleted = {name for name, _ in download.planned.fields if name not in self.headers} - _FRAMING
        for name, value in download.planned.fields:
            if self.headers.get(name) == value:
                del self.headers[name]
        for name, value in new.fields:
            if name not in deleted:
                self.headers.setdefault(name, value)

    async def make_conditional(
        self, request: Request, accept_ranges: bool | str = False, complete_length: int | None = None
    ) -> Response:
        """Follow the conditions of the request again, with the ETag and the date that the response has now.

        Ranges are followed as well if `accept_ranges` is set, or if `send_file` has followed them.
        """
        download = self._planned()
        if download is None or download.policy is None or request.method not in SAFE_METHODS:
            return await super().make_conditional(request, accept_ranges, complete_length)
        follows_ranges = download.policy.conditional or accept_ranges not in {False, "none"}
        policy = replace(download.policy, conditional=True)
        download = self._follow(download, download.whole())._replace(policy=policy)
        body = download.planned.body
        body.selected = _described(body.selected, self.headers, ranges=follows_ranges)
        self._follow(download, plan(download.request, body.selected, policy))
        return self

    def _follow(self, download: _Download, new: Plan) -> _Download:
        """Make this the response of another plan, and return the download with that plan."""
        self._replace_plan(download, new)
        self._status, self._status_code = self._clean_status(new.status)
        followed = download._replace(planned=download.planned._replace(status=new.status, fields=new.fields))
        self._download = followed
        return followed

    def keep_multipart(self) -> None:
        """Give each part of a multipart response the media type that the view has set for the response."""
        media_type, download = self.headers.get("Content-Type", ""), self._planned()
        planned = dict(download.planned.fields).get("Content-Type", "") if download else ""
        if not download or not download.policy or not planned.startswith(_MULTIPART) or media_type == planned:
            return
        body = download.planned.body
        body.selected = replace(body.selected, media_type=media_type or body.selected.media_type)
        self.headers["Content-Type"] = planned
        self._follow(download, plan(download.request, body.selected, download.policy))

    async def add_etag(self, overwrite: bool = False, weak: bool = False) -> None:
        """Make an ETag from the content. A part, or a response without the content, gets none."""
        if self._planned() is None or self.status_code == 200:
            await super().add_etag(overwrite, weak)

    def call_on_close(self, function: F) -> F:
        """Call a function, or a coroutine function, when the body has been sent or given up: Flask's method.

        An error of the function is logged, because the response is complete by then.
        """
        app = cast("Any", current_app)._get_current_object()
        self._body.call_on_close(functools.partial(_call, app, function))
        return function


async def _call(app: Quart, function: Callable[[], Any]) -> None:
    try:
        result = await app.ensure_async(function)()
        if inspect.isawaitable(result):
            await result
    except Exception:  # a function of the app may raise any of them
        app.logger.exception("a function of call_on_close failed")


def _described(found: Representation, headers: Headers, *, ranges: bool) -> Representation:
    """Return the description with the validators that the view has set."""
    date = parse_date(headers.get("Last-Modified", ""), now=int(time.time()))
    validators = Validators(ETag.parse(headers.get("ETag", "")), date)
    return replace(found, validators=validators, ranges=found.ranges and ranges)


@functools.lru_cache(maxsize=16)
def _class_for(response_class: type[Response]) -> type[DownloadResponse]:
    if response_class is Response:
        return DownloadResponse
    return type("DownloadResponse", (DownloadResponse, response_class), {})


def response_of(planned: PlannedResponse, request: RequestHead, policy: Policy | None) -> DownloadResponse:
    """Return the response to the current request, which was planned with this policy."""
    headers = Headers(list(planned.fields))
    response = _class_for(current_app.response_class)(cast("ResponseBody", planned.body), planned.status, headers)
    if planned.fields[0][0] != "Content-Type":
        del response.headers["Content-Type"]  # Quart's default: a 304, 412 or 416 has no media type
    response.timeout = None  # Quart's limit is for the whole response; ours is for each chunk
    response._planned_control = response.headers.get("Cache-Control")
    response._body = planned.body
    response.data_body_class = cast("Any", functools.partial(_Replacement, planned.body))
    response._download = _Download(planned, request, policy)
    return response


def settle(response: DownloadResponse) -> None:
    """Adapt the head to what the view and the hooks have set, just before it is sent."""
    response.keep_multipart()
    _make_private(response)


def _make_private(response: DownloadResponse) -> None:
    """Keep shared caches from storing a response that depends on the session or sets a cookie (RFC 9111 §5.2.2.7).

    A Cache-Control that the view or a hook has set itself stays as it is.
    """
    control = response.headers.get("Cache-Control", "")
    is_personal = "cookie" in {name.lower() for name in response.vary} or "Set-Cookie" in response.headers
    if is_personal and control == response._planned_control and control.startswith(_PUBLIC):
        response.headers["Cache-Control"] = "private" + control.removeprefix("public")
