"""Downloads over ASGI: `Downloads` serves a store as an app."""

import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

from .errors import DownloadError, NotFound, SourceBusy
from .responder import Body, Response, boundary_secret, respond
from .semantics.codings import acceptable
from .semantics.plan import Policy
from .semantics.representation import Field, Representation, RequestHead
from .sending import Receive, Scope, Send, closing_if_ambiguous, send_response
from .sources.base import Store
from .sources.memory import MemorySource
from .timeouts import STALL_TIMEOUT

__all__ = [
    "Downloads",
    "error_response",
    "has_parameter",
    "in_normal_form",
    "in_origin_form",
    "key_of",
    "log_cut_response",
    "normalized",
    "plain_response",
    "refusal",
    "request_head",
    "request_line",
    "respond_and_send",
    "response_to_error",
    "wants_attachment",
]


_log = logging.getLogger("async_downloads")
_METHODS: Final = "GET, HEAD, OPTIONS"
_CODINGS: Final = ("br", "zstd", "gzip")
_NO_WEBSOCKET: Final = 1003  # "unsupported data" (RFC 6455 §7.4.1); before the handshake a server makes a 403 of it
_VERSION: Final = re.compile(r"1\.[0-9]|[23]")  # a recipient takes a higher minor version for its own (RFC 9110 §2.5)
_ODD_SEGMENT: Final = re.compile(r"/\.{0,2}/|/\.{1,2}\Z")  # empty, "." or ".."
_WANTED: Final = {
    name.encode(): name
    for name in (
        "accept-encoding",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
    )
}


def request_head(scope: Scope) -> RequestHead:
    """Read what a download needs from an HTTP scope; the lines of a field become one value (RFC 9110 §5.3)."""
    lines: dict[str, list[bytes]] = {}
    for name, value in scope["headers"]:
        if wanted := _WANTED.get(name):
            lines.setdefault(wanted, []).append(value)
    fields = {name: b", ".join(values).decode("latin-1") for name, values in lines.items()}
    return RequestHead(scope["method"], int(time.time()), fields)


def error_response(status: int, *fields: Field) -> Response:
    """Return a response whose body is the status and nothing else, so that no client learns the cause."""
    text = f"{status} {HTTPStatus(status).phrase}\n".encode()
    framing = (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text))))
    return plain_response(status, text, (*framing, *fields))


def plain_response(status: int, text: bytes, fields: tuple[Field, ...]) -> Response:
    """Return a response with a short body and these fields, whatever the request's conditions and ranges."""
    source = MemorySource(text, Representation(len(text)))
    return Response(status, fields, Body((text,), source, stall_timeout=STALL_TIMEOUT))


class Downloads:
    """An ASGI app that serves a store, alone or mounted in another app.

    It answers GET and HEAD for `/<key>`, with conditional and range requests by RFC 9110. With `attachment` browsers
    save files instead of showing them; `?download` does the same for one request, `?inline` the opposite.
    `cache_control` is the Cache-Control field of every 200, 206 and 304. The connection of a client that takes no
    bytes for `stall_timeout` seconds is closed.

    `secret` makes the boundaries of multipart bodies. Servers that stand in for each other need the same one, because
    a client may ask one of them for the head and another one for the body. Without it each process has its own, or
    that of the variable `ASYNC_DOWNLOADS_SECRET`.

    If a body cannot be sent whole, the call raises DownloadError, so that no server and no middleware takes what was
    sent for all of it.
    """

    def __init__(
        self,
        store: Store,
        *,
        attachment: bool = False,
        cache_control: str | None = "no-cache",
        stall_timeout: float = STALL_TIMEOUT,
        secret: str | None = None,
    ) -> None:
        self.store = store
        self._attachment = attachment
        self._stall_timeout = stall_timeout
        fields = (("Cache-Control", cache_control),) if cache_control else ()
        key = boundary_secret(secret)
        self._policies = {
            True: Policy(disposition="attachment", fields=fields, secret=key),
            False: Policy(disposition="inline" if attachment else None, fields=fields, secret=key),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request, or the lifespan; refuse a WebSocket; ignore other scopes."""
        if scope["type"] == "lifespan":
            await _complete_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _NO_WEBSOCKET})
        elif scope["type"] == "http":
            scope = in_origin_form(scope)
            await respond_and_send(self.respond, scope, receive, closing_if_ambiguous(scope, send))

    async def respond(self, scope: Scope) -> Response:
        """Return the response to one request, ready to be sent. Raises DownloadError if the store has no source."""
        if refused := refusal(scope):
            return refused
        request = request_head(scope)
        accepted = request.fields.get("accept-encoding")
        codings = acceptable(accepted, _CODINGS) if accepted else ()
        source = await self.store.open(key_of(scope), codings=codings)
        policy = self._policies[wants_attachment(scope["query_string"], default=self._attachment)]
        return await respond(request, source, policy, stall_timeout=self._stall_timeout)


def refusal(scope: Scope) -> Response | None:
    """Return the response to a request that is no GET or HEAD of a known HTTP version; None for any other request."""
    if not _VERSION.fullmatch(scope["http_version"]):
        return error_response(505)
    if scope["method"] == "OPTIONS":
        return plain_response(204, b"", (("Allow", _METHODS),))
    if scope["method"] not in {"GET", "HEAD"}:
        return error_response(405, ("Allow", _METHODS))
    return None


async def respond_and_send(
    make_response: Callable[[Scope], Awaitable[Response]], scope: Scope, receive: Receive, send: Send
) -> None:
    """Send the response to a request, or an error response if `make_response` raises DownloadError.

    Raises DownloadError if the body cannot be sent whole: the server must then close the connection.
    """
    try:
        response = await make_response(scope)
    except DownloadError as error:
        response = response_to_error(error, scope)
    await send_response(response, scope, receive, send)


def log_cut_response(error: DownloadError, scope: Scope) -> None:
    """Log one line for a response that ended before its body was sent whole."""
    _log.warning("%s: closed short: %s", request_line(scope), error)


def response_to_error(error: DownloadError, scope: Scope) -> Response:
    """Return the response for an error; log the error unless it is NotFound."""
    if not isinstance(error, NotFound):
        _log.warning("%s: %d: %s", request_line(scope), error.status, error)
    if isinstance(error, SourceBusy):
        return error_response(error.status, ("Retry-After", str(error.retry_after)))
    return error_response(error.status)


def request_line(scope: Scope) -> str:
    """Describe a request for the log, escaped so that no client can forge a log line."""
    return f"{scope['method']} {scope['path']!r}"


def wants_attachment(query: bytes, *, default: bool) -> bool:
    """Whether a query asks to save the file (`?download`, `?attachment`) or to show it (`?inline`)."""
    if not query:
        return default
    return has_parameter(query, b"download", b"attachment") or (default and not has_parameter(query, b"inline"))


def has_parameter(query: bytes, *names: bytes) -> bool:
    """Whether a query has one of these parameters, with or without a value.

    >>> has_parameter(b"a=1&json", b"json"), has_parameter(b"a=json", b"json")
    (True, False)
    """
    return any(_parameter(name).search(query) is not None for name in names)


@lru_cache(maxsize=16)
def _parameter(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:\A|&)" + re.escape(name) + rb"(?:[=&]|\Z)")


def in_origin_form(scope: Scope) -> Scope:
    """Return the scope with `/path` in place of `http://host/path`, which servers must accept (RFC 9112 §3.2.2)."""
    scheme, found, rest = scope["path"].partition("://")
    if not found or "/" in scheme:
        return scope
    raw = scope.get("raw_path") or b""
    return {
        **scope,
        "path": "/" + rest.partition("/")[2],
        "raw_path": b"/" + raw.partition(b"://")[2].partition(b"/")[2],
    }


def key_of(scope: Scope) -> str:
    """Return the path below `root_path`, which is the key; bytes that are not UTF-8 become surrogates.

    The key has no segment that is empty, "." or "..", except ".." at its start if the path leads above the top: no
    store has such a key.
    """
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    if "\ufffd" in path and raw:
        path = os.fsdecode(unquote_to_bytes(raw.partition(b"?")[0]))
    path = path[_mount_length(path, scope) :]
    if path.endswith("/") and raw and not unquote_to_bytes(raw.partition(b"?")[0][-3:]).endswith(b"/"):
        path = path[:-1]  # Litestar passes "/name/" to a mounted app, whatever the client sent
    return normalized(path)[1:]


def in_normal_form(scope: Scope) -> Scope:
    """Return the scope with a normalized path, for an app that does not use `key_of`."""
    path: str = scope["path"]
    mount = _mount_length(path, scope)
    normal = path[:mount] + normalized(path[mount:])
    return scope if normal == path else {**scope, "path": normal}


def _mount_length(path: str, scope: Scope) -> int:
    """Return the length of `root_path` if the path is below it; some servers leave it out of the path."""
    root: str = scope.get("root_path", "")
    return len(root) if f"{path}/".startswith(f"{root}/") else 0


def normalized(path: str) -> str:
    """Remove the segments "", "." and ".." as RFC 3986 §5.2.4 does, but keep ".." where it leads above the top.

    >>> normalized("/a//b/./c/../d/"), normalized("/a/../../b"), normalized("/a/..")
    ('/a/b/d/', '/../b', '/')
    """
    if not _ODD_SEGMENT.search(path):
        return path
    first, *segments = path.split("/")
    kept: list[str] = []
    for segment in segments:
        if segment == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    is_directory = kept and segments[-1] in {"", ".", ".."} and kept[-1] != ".."
    return "/".join([first, *kept, ""] if is_directory or not kept else [first, *kept])


async def _complete_lifespan(receive: Receive, send: Send) -> None:
    """Confirm that the app has started, later that it has stopped."""
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
