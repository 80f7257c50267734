"""`DownloadResponse`: a download as the response of a route of Starlette or FastAPI.

    from async_downloads.starlette import DownloadResponse

    @api.get("/report")
    async def report() -> DownloadResponse:
        return DownloadResponse("report.pdf", filename="Report 2026.pdf")

It works with every ASGI server. With `async-downloads run`, the kernel sends the bytes of files.
"""

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec, Self, TypedDict, Unpack

from .asgi import log_failure, request_head, request_line
from .content import Content, Moment, OpenedContent, described, etag_of, open_content, opened_now, policy_of
from .errors import DownloadError, SourceBusy
from .extras import how_to_install
from .request_target import normalized
from .responder import Response as PlannedResponse
from .responder import respond
from .semantics.dates import parse_date
from .semantics.etags import ETag
from .semantics.representation import Representation
from .sending import Message, Receive, Scope, Send, send_response
from .sources.base import Source, Store, refuse_path
from .sources.media_types import media_type as media_type_of
from .sources.streams import StreamSource
from .wanted_digests import with_digest

try:
    from starlette.background import BackgroundTask
    from starlette.exceptions import HTTPException
    from starlette.responses import Response
except ModuleNotFoundError as _error:
    if _error.name not in {"starlette", "starlette.background"}:
        raise
    raise ModuleNotFoundError(
        f"async_downloads.starlette needs Starlette: {how_to_install('starlette')}", name="starlette"
    ) from _error

__all__ = ["DownloadResponse", "ResponseOptions"]


P = ParamSpec("P")
_NO_CONTENT: Final = frozenset({204, 205, 304})
# The plan sets these fields. It uses Content-Type, ETag and Last-Modified of the route.
_PLANNED: Final = frozenset(
    {"accept-ranges", "content-length", "content-range", "content-type", "etag", "last-modified", "transfer-encoding"}
)
# Fields of the route that describe the file, and those that a 304 has as well (RFC 9110 §15.4.5).
_OF_THE_FILE: Final = frozenset({"content-disposition", "content-encoding", "content-language"})
_OF_CACHES: Final = frozenset({"cache-control", "expires"})


class ResponseOptions(TypedDict, total=False):
    """The options of `DownloadResponse`, which `from_store` passes on."""

    status_code: int
    headers: Mapping[str, str] | None
    media_type: str | None
    background: BackgroundTask | None
    filename: str | None
    attachment: bool | None
    cache_control: str | None
    etag: bool | str
    last_modified: Moment | None


def _accepting_names_of_starlette(init: Callable[P, None]) -> Callable[P, None]:
    """Let a constructor also accept the parameters of Starlette's FileResponse that have another name here."""

    @functools.wraps(init)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        options: dict[str, Any] = kwargs
        if "path" in options and "content" not in options:
            options["content"] = options.pop("path")
        if "content_disposition_type" in options:
            options["attachment"] = options.pop("content_disposition_type") != "inline"
        options.pop("stat_result", None)  # the file is described when it is opened
        init(*args, **kwargs)

    return wrapper


class DownloadResponse(Response):
    """A response with a file. It supports ranges and conditions (RFC 9110): 200, 206, 304, 412 and 416.

    `content` is a path, bytes, a binary file object, a plain or asynchronous iterator of bytes or text, or a `Source`.
    A path must not come from a client: use `from_store` for such a path. A file object is read from its current
    position, then closed. Ranges need a path, bytes, a regular file, or a source with ranges.

    `filename` is the name under which a browser saves the file; the default is the name of the path. With `attachment`,
    a browser saves the file instead of showing it. The default is True if `filename` is given, as in Starlette. The
    default of `media_type` is the media type of the name. `cache_control` is the Cache-Control field of a 200, 206 and
    304. A text in `etag` replaces the ETag that is made from the file; with False there is no ETag. Bytes have an ETag
    only if you give one. `last_modified` is a date, or seconds since 1970. `headers`, and fields that you set later,
    replace the fields of this class. If you know the size of an iterator, give it as the field Content-Length: a
    response that then has another size ends as an error. With a `status_code` other than 200, the whole file is sent.

    Make a new response for each request, because sending uses up file objects, iterators and sources. The file is
    opened when the response is sent. Sending raises FileNotFoundError or another OSError if the path cannot be opened,
    HTTPException with 502 or 503 if a source of known size cannot give its first bytes, and DownloadError if the body
    cannot be sent whole. An error of an iterator, or of a file object that is not a regular file, is raised unchanged.
    After each of the last two the server must close the connection. The constructor raises TypeError or ValueError for
    content of another type, files in text mode, an `etag` with quotes, and statuses without content.
    """

    @_accepting_names_of_starlette
    def __init__(  # noqa: PLR0913 - the parameters of Starlette's FileResponse, and our own
        self,
        content: Content,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
        *,
        filename: str | None = None,
        attachment: bool | None = None,
        cache_control: str | None = "no-cache",
        etag: bool | str = True,
        last_modified: Moment | None = None,
    ) -> None:
        if status_code in _NO_CONTENT:
            raise ValueError(f"a response with status {status_code} has no content")
        self.status_code = status_code
        self.media_type: str | None = self.media_type if media_type is None else media_type
        self.background = background
        self.init_headers(headers)
        self._filename = filename
        self._is_attachment = filename is not None if attachment is None else attachment
        self._caching = (("Cache-Control", cache_control),) if cache_control else ()
        self._etag = etag_of(etag)
        self._last_modified = last_modified
        self._content: object = content if isinstance(content, (str, os.PathLike, bytes)) else opened_now(content)

    @classmethod
    async def from_store(cls, store: Store, key: str, **options: Unpack[ResponseOptions]) -> Self:
        """Return a response with a file of a store: a folder, a bucket, a database.

        The key may come from a client: no store has a key that leads out of it. Raises HTTPException with 404 if the
        store has no such file, and with another status if the file cannot be opened. Return the response from the
        route: after it is sent, it closes the file.
        """
        refuse_path(store)
        try:
            source = await store.open(normalized(f"/{key}").removeprefix("/"))
        except DownloadError as error:
            log_failure(error, repr(key))
            raise _http_exception(error) from error
        try:
            return cls(source, **options)
        except BaseException:
            await source.aclose()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response to the request of this scope, then run the background task.

        The request may be one for a WebSocket that the app denies (the extension "websocket.http.response" of ASGI).
        """
        watched: Receive | None = receive
        if scope["type"] == "websocket":
            scope = {**scope, "type": "http", "method": "GET", "headers": [], "extensions": {}}
            watched, send = None, _denying(send)
        elif _is_recorded(scope):
            scope = {**scope, "headers": [], "extensions": {}}
        try:
            planned = await self._respond(scope, watched)
        except DownloadError as error:
            log_failure(error, request_line(scope))
            raise _http_exception(error) from error
        await send_response(planned, scope, watched, send)
        if self.background is not None:
            await self.background()

    async def _respond(self, scope: Scope, receive: Receive | None) -> PlannedResponse:
        head = request_head(scope)
        opened = await open_content(self._content)
        opened = opened._replace(source=await with_digest(opened.source, head, receive))
        try:
            self._promise_size(opened.source)
            selected = self._described(opened)
            policy = policy_of(
                attachment=self._is_attachment,
                has_name=bool(selected.filename),
                conditional=self.status_code == 200,
                fields=self._caching,
            )
        except BaseException:
            await opened.source.aclose()
            raise
        has_content = self.status_code not in _NO_CONTENT  # the route may have set it later
        head = head if has_content else head._replace(method="HEAD")
        planned = await respond(head, opened.source, policy, selected=selected)
        status = planned.status if policy.conditional else self.status_code
        return self._with_own_fields(planned, status, has_content=has_content)

    def _with_own_fields(self, planned: PlannedResponse, status: int, *, has_content: bool) -> PlannedResponse:
        """Replace planned fields by those that the route has set. Without content, drop the fields about it."""
        own = self._own_fields(planned.status if has_content else status)
        names = {name.decode("latin-1") for name, _ in own}
        fields = [field for field in planned.fields if field[0].lower() not in names]
        kept = tuple([field for field in fields if has_content or not field[0].startswith("Content-")])
        return planned._replace(status=status, fields=kept, own_fields=own)

    def _promise_size(self, source: Source) -> None:
        """Give a stream the size that the route has set. Raises ValueError if it is not a number of bytes."""
        length = self.headers.get("content-length")
        if length is None or not isinstance(source, StreamSource):
            return
        if not length.isdecimal():
            raise ValueError(f"not a Content-Length: {length!r}")
        source.promise_size(int(length))

    def _described(self, opened: OpenedContent) -> Representation:
        found = opened.source.representation
        name = self._filename or found.filename
        date = parse_date(self.headers.get("last-modified", ""), now=int(time.time()))
        by_source = found.media_type if opened.typed else media_type_of(name or "")
        return described(
            found,
            filename=name,
            media_type=self.headers.get("content-type", by_source),
            etag=ETag.parse(self.headers.get("etag", "")) or self._etag,
            last_modified=date if self._last_modified is None else self._last_modified,
        )

    def _own_fields(self, status: int) -> tuple[tuple[bytes, bytes], ...]:
        """Return the fields that the route has set, without those that the plan with this status decides about."""
        left_out = _PLANNED
        if status not in {200, 206}:
            left_out |= _OF_THE_FILE if status == 304 else _OF_THE_FILE | _OF_CACHES
        return tuple(field for field in self.raw_headers if field[0].decode("latin-1") not in left_out)


def _is_recorded(scope: Scope) -> bool:
    """Return whether Litestar records the response and sends it to other clients, too (`@get(cache=60)`).

    It must then be a whole file in plain messages, not a part or a 304, and not a path or a region for the server.
    """
    return bool(getattr(scope.get("route_handler"), "cache", False))


def _denying(send: Send) -> Send:
    """Return a `send` for the response that denies a WebSocket."""

    async def send_denial(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return send_denial


def _http_exception(error: DownloadError) -> HTTPException:
    """Return the exception for an error of a source. It has only the status, so that clients do not learn the cause."""
    fields = {"Retry-After": str(error.retry_after)} if isinstance(error, SourceBusy) else None
    return HTTPException(error.status, headers=fields)
