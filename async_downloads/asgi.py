"""Downloads over ASGI: `Downloads` serves a store as an app."""

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Final, cast

from .access.private_responses import PrivateResponse, runs_scripts
from .access.signature_parameter import without_signature
from .access.signer import Signer
from .body import Body
from .errors import DownloadError, LinkExpired, NotFound, SourceBusy
from .negotiation import open_negotiated
from .offload import Offload
from .request_target import in_normal_form, in_origin_form, key_of, wants_attachment, with_whole_path
from .responder import Response, boundary_secret, respond
from .semantics.plan import Policy
from .semantics.preconditions import SAFE_METHODS
from .semantics.representation import Field, Representation, RequestHead
from .sending import Receive, Scope, Send, closing_if_ambiguous, send_response
from .source_events import note_failure
from .sources.base import Source, Store, SupportsRequests, refuse_path
from .sources.memory import MemorySource
from .timeouts import STALL_TIMEOUT
from .wanted_digests import with_digest

__all__ = [
    "NO_STORE", "Downloads", "error_response", "log_cut_response", "log_failure", "plain_response", "refusal",
    "request_head", "request_line", "respond_and_send", "response_to_error", "text_response", "uncached_response",
]  # fmt: skip


NO_STORE: Final = ("Cache-Control", "no-store")
_log = logging.getLogger("async_downloads")
_TEXT_TYPE: Final = "text/plain; charset=utf-8"
_METHODS: Final = "GET, HEAD, OPTIONS"
_NO_WEBSOCKET: Final = 1003  # "unsupported data" (RFC 6455 §7.4.1); before the handshake a server makes a 403 of it
# A recipient takes a higher minor version for its own (RFC 9110 §2.5).
_VERSIONS: Final = frozenset((*(f"1.{minor}" for minor in range(10)), "2", "3"))
_WANTED: Final = {name.encode(): name for name in (
    "accept-encoding", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range",
    "want-repr-digest",
)}  # fmt: skip


def request_head(scope: Scope) -> RequestHead:
    """Read the parts of an HTTP scope that a download needs. The lines of a field become one value (RFC 9110 §5.3)."""
    lines: dict[str, list[bytes]] = {}
    for name, value in scope["headers"]:
        if wanted := _WANTED.get(name):
            lines.setdefault(wanted, []).append(value)
    fields = {name: b", ".join(values).decode("latin-1") for name, values in lines.items()}
    return RequestHead(scope["method"], int(time.time()), fields)


def error_response(status: int, *fields: Field) -> Response:
    """Return a response whose body is only the status, so that clients do not learn the cause."""
    return text_response(status, HTTPStatus(status).phrase, *fields)


def text_response(status: int, explanation: str, *fields: Field) -> Response:
    """Return a response whose body is the status and an explanation, in one line."""
    text = f"{status} {explanation}\n".encode()
    return plain_response(status, text, (("Content-Type", _TEXT_TYPE), ("Content-Length", str(len(text))), *fields))


def uncached_response(text: bytes, media_type: str = _TEXT_TYPE) -> Response:
    """Return a 200 with a short body that no cache may store."""
    return plain_response(200, text, (("Content-Type", media_type), ("Content-Length", str(len(text))), NO_STORE))


def plain_response(status: int, text: bytes, fields: tuple[Field, ...]) -> Response:
    """Return a response with a short body and these fields, whatever the request's conditions and ranges."""
    source = MemorySource(text, Representation(len(text)))
    return Response(status, fields, Body((text,), source, stall_timeout=STALL_TIMEOUT))


class Downloads:
    """An ASGI app that serves a store, alone or mounted in another app.

    It responds to GET and HEAD for `/<key>`, with conditional requests and range requests (RFC 9110). With
    `attachment`, browsers save files instead of showing them. `?download` does the same for one request, and `?inline`
    does the opposite. `cache_control` is the Cache-Control field of every 200, 206 and 304. If a client reads nothing
    for `stall_timeout` seconds, its connection is closed.

    The boundaries of multipart bodies are made from `secret`. Servers behind one address need the same secret, because
    a client may get the head from one of them and the body from another one. If `secret` is None, it is the value of
    the variable `ASYNC_DOWNLOADS_SECRET`, or else random in each process.

    With a `signer`, only signed links (`sign_url`) are served; an expired link gets 410, any other request 403. With
    `offload`, a server in front sends the files, and each response only names the file.

    The constructor raises TypeError if the store is a path. If a body cannot be sent whole, the call raises
    DownloadError, so that no server and no middleware treats the part that was sent as the whole body.
    """

    def __init__(
        self,
        store: Store,
        *,
        attachment: bool = False,
        cache_control: str | None = "no-cache",
        stall_timeout: float = STALL_TIMEOUT,
        secret: str | bytes | None = None,
        signer: Signer | None = None,
        offload: Offload | None = None,
    ) -> None:
        refuse_path(store)
        self.store = store
        self._offload = offload
        self._signer = signer
        self._opens_for_requests = isinstance(store, SupportsRequests)
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
            scope = with_whole_path(in_origin_form(scope))
            send = closing_if_ambiguous(scope, send)
            if self._signer is None:
                await respond_and_send(partial(self.respond, receive=receive), scope, receive, send)
            else:
                private = PrivateResponse(send)
                make_response = partial(self._respond_to_link, self._signer, private, receive)
                await respond_and_send(make_response, scope, receive, private.send)

    async def _respond_to_link(
        self, signer: Signer, private: PrivateResponse, receive: Receive, scope: Scope
    ) -> Response:
        private.link, unsigned = signer.open(in_normal_form(scope))
        return await self.respond(unsigned, receive=receive)

    async def respond(self, scope: Scope, key: str | None = None, *, receive: Receive | None = None) -> Response:
        """Return the response to one request, ready to be sent. Raises DownloadError if the store has no source.

        `key` names the source instead of the path. With `receive`, the call notices if the client leaves meanwhile.
        """
        if refused := refusal(scope):
            return refused
        request = request_head(scope)
        key = key_of(scope) if key is None else key
        policy = self._policies[wants_attachment(scope["query_string"], default=self._attachment)]
        if self._offload:
            named = await self.store.open(key)
            if self._offload.keeps_policy or not runs_scripts(named.representation.media_type.encode("latin-1")):
                return await self._offload.respond(request, named, policy, key)
            await named.aclose()
        source, request = await self._open(key, request, receive)
        return await respond(request, source, policy, stall_timeout=self._stall_timeout)

    async def respond_with(self, source: Source, scope: Scope, *, attachment: bool) -> Response:
        """Return the response to a request for a source that is not in the store. The response closes the source."""
        return await respond(request_head(scope), source, self._policies[attachment], stall_timeout=self._stall_timeout)

    async def _open(self, key: str, request: RequestHead, receive: Receive | None) -> tuple[Source, RequestHead]:
        """Open the source for a request. Return it with the request, from which the choice may have removed a range."""
        if self._opens_for_requests:
            source = await cast("SupportsRequests", self.store).open_for(request, key)
            return await with_digest(source, request, receive), request
        return await open_negotiated(self.store, key, request, receive)


def refusal(scope: Scope) -> Response | None:
    """Return the response to a request whose method or HTTP version is not supported; None for GET and HEAD."""
    if scope["http_version"] not in _VERSIONS:
        return error_response(505)
    if scope["method"] == "OPTIONS":
        return plain_response(204, b"", (("Allow", _METHODS),))
    if scope["method"] not in SAFE_METHODS:
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
    """Log one line for a response that ended before its body was complete."""
    _log.warning("%s: the response is incomplete: %s", request_line(scope), error)


def response_to_error(error: DownloadError, scope: Scope) -> Response:
    """Return the response for an error; log the error as `log_failure` does."""
    log_failure(error, request_line(scope))
    if isinstance(error, SourceBusy):
        return error_response(error.status, ("Retry-After", str(error.retry_after)))
    if isinstance(error, LinkExpired):
        return text_response(error.status, "This link has expired. Ask the person who sent it for a new one.")
    return error_response(error.status)


def log_failure(error: DownloadError, subject: str) -> None:
    """Count an error that becomes the response to a request, and log it unless it is NotFound."""
    note_failure(error)
    if not isinstance(error, NotFound):
        _log.warning("%s: %d: %s", subject, error.status, error)


def request_line(scope: Scope) -> str:
    """Describe a request for the log. The text is escaped, so that no client can forge a log line.

    If a program escapes the question mark of a signed link, the signature is in the path.
    """
    path = without_signature(scope["path"].encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    return f"{scope['method']} {path!r}"


async def _complete_lifespan(receive: Receive, send: Send) -> None:
    """Confirm that the app has started, later that it has stopped."""
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
