"""Downloads over ASGI: `Downloads` serves a store as an app."""

import logging
import os
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

from .errors import DownloadError, NotFound, SourceBusy
from .responder import BOUNDARY_SECRET, Body, Response, respond
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
    "in_origin_form",
    "key_of",
    "plain_response",
    "refusal",
    "request_head",
    "request_line",
    "respond_and_send",
    "response_to_error",
    "send_and_log",
    "wants_attachment",
]


_log = logging.getLogger("async_downloads")
_METHODS: Final = "GET, HEAD, OPTIONS"
_CODINGS: Final = ("br", "zstd", "gzip")
_VERSIONS: Final = {"1.0", "1.1", "2", "3"}
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
    """Read what matters for a download from an HTTP scope; a field's lines become one value (RFC 9110 §5.3)."""
    fields: dict[str, str] = {}
    for name, value in scope["headers"]:
        if wanted := _WANTED.get(name):
            text = value.decode("latin-1")
            fields[wanted] = f"{fields[wanted]}, {text}" if wanted in fields else text
    return RequestHead(scope["method"], int(time.time()), fields)


def error_response(status: int, *fields: Field) -> Response:
    """Tell a stranger the status and nothing else."""
    text = f"{status} {HTTPStatus(status).phrase}\n".encode()
    framing = (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text))))
    return plain_response(status, text, (*framing, *fields))


def plain_response(status: int, text: bytes, fields: tuple[Field, ...]) -> Response:
    """Answer with a few bytes that need no plan."""
    source = MemorySource(text, Representation(len(text)))
    return Response(status, fields, Body((text,), source, stall_timeout=STALL_TIMEOUT))


class Downloads:
    """An ASGI app that serves a store, by itself or mounted in another app.

    `GET` and `HEAD` of `/<key>`, with all that RFC 9110 says about conditional and range requests. `attachment`
    offers every file to be saved; `?download` does so for one request, and `?inline` undoes it. `cache_control` goes
    with every answer that has a representation. A client that takes nothing for `stall_timeout` seconds is dropped.
    """

    def __init__(
        self,
        store: Store,
        *,
        attachment: bool = False,
        cache_control: str | None = "no-cache",
        stall_timeout: float = STALL_TIMEOUT,
    ) -> None:
        self.store = store
        self._attachment = attachment
        self._stall_timeout = stall_timeout
        fields = (("Cache-Control", cache_control),) if cache_control else ()
        self._policies = {
            True: Policy(disposition="attachment", fields=fields, secret=BOUNDARY_SECRET),
            False: Policy(disposition="inline" if attachment else None, fields=fields, secret=BOUNDARY_SECRET),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Lifespan is passed through, other scopes are not for us."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            scope = in_origin_form(scope)
            await respond_and_send(self.reply, scope, receive, closing_if_ambiguous(scope, send))

    async def reply(self, scope: Scope) -> Response:
        """Answer one request with a reply that is still to be sent. `DownloadError` when the store has no source."""
        if refused := refusal(scope):
            return refused
        request = request_head(scope)
        accepted = request.fields.get("accept-encoding")
        codings = acceptable(accepted, _CODINGS) if accepted else ()
        source = await self.store.open(key_of(scope), codings=codings)
        policy = self._policies[wants_attachment(scope["query_string"], default=self._attachment)]
        return await respond(request, source, policy, stall_timeout=self._stall_timeout)


def refusal(scope: Scope) -> Response | None:
    """Answer what is not a GET or HEAD, in a version of HTTP that we know; None for all that is."""
    if scope["http_version"] not in _VERSIONS:
        return error_response(505)
    if scope["method"] == "OPTIONS":
        return plain_response(204, b"", (("Allow", _METHODS),))
    if scope["method"] not in {"GET", "HEAD"}:
        return error_response(405, ("Allow", _METHODS))
    return None


async def respond_and_send(
    make: Callable[[Scope], Awaitable[Response]], scope: Scope, receive: Receive, send: Send
) -> None:
    """Send the reply that is made for a request, or the one that tells why there is none."""
    try:
        reply = await make(scope)
    except DownloadError as error:
        reply = response_to_error(error, scope)
    await send_and_log(reply, scope, receive, send)


async def send_and_log(reply: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a reply as the last thing an app does: a failure is logged, and the server closes the connection."""
    try:
        await send_response(reply, scope, receive, send)
    except DownloadError as error:
        _log.warning("%s: closed short: %s", request_line(scope), error)


def response_to_error(error: DownloadError, scope: Scope) -> Response:
    """Answer a request whose source could not be had."""
    if not isinstance(error, NotFound):
        _log.warning("%s: %d: %s", request_line(scope), error.status, error)
    if isinstance(error, SourceBusy):
        return error_response(error.status, ("Retry-After", str(error.retry_after)))
    return error_response(error.status)


def request_line(scope: Scope) -> str:
    """Say in a log what was asked for, so that no client can forge a line of it."""
    return f"{scope['method']} {scope['path']!r}"


def wants_attachment(query: bytes, *, default: bool) -> bool:
    """Whether a query asks for the file to be offered (`?download`, `?attachment`) or shown (`?inline`)."""
    if not query:
        return default
    names = {part.partition(b"=")[0] for part in query.split(b"&")}
    return bool(names & {b"download", b"attachment"}) or (default and b"inline" not in names)


def in_origin_form(scope: Scope) -> Scope:
    """Return the scope of a request for `http://host/path` as that of one for `/path`: RFC 9112 §3.2.2 asks for it."""
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
    """Return the key a path names below `root_path`; bytes that are no UTF-8 stand for themselves."""
    path: str = scope["path"]
    if "\ufffd" in path and scope.get("raw_path"):
        path = os.fsdecode(unquote_to_bytes(scope["raw_path"].partition(b"?")[0]))
    root: str = scope.get("root_path", "")
    if root and f"{path}/".startswith(f"{root}/"):
        path = path[len(root) :]
    return path[1:]


async def _live(receive: Receive, send: Send) -> None:
    """Agree to start and to stop."""
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
