"""Send one response over ASGI, whatever the server and the client do meanwhile.

`send` does not report that the client has left. So the app must also wait for `http.disconnect` from `receive`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final, Self

from .body import Body
from .errors import SendStalled
from .middlewares import stop_middlewares
from .open_file import FileRegion
from .region_messages import PATH_SEND, ZERO_COPY_SEND, Message, RegionOffer, Send, body_message, send_region
from .responder import Response
from .semantics.representation import Field
from .semantics.shared_fields import FIELDS, HEADS, SharedCache, is_shared
from .timeouts import CancelScope

__all__ = [
    "PACED_SEND", "ZERO_COPY_SEND", "DisconnectWatcher", "Message", "Receive", "Scope", "Send",
    "closing_if_ambiguous", "encode_field", "send_response", "until_disconnect",
]  # fmt: skip

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Extensions = Mapping[str, Any]  # what a server offers besides ASGI, by name
# A private extension of ASGI: `send` may wait because of a limit of the server. The function `pauses` gets the
# StallTimer of the response, and the server pauses the timer during these waits.
PACED_SEND: Final = "async_downloads.paced_send"
_RECURRING_STATUSES: Final = {200, 304}  # their fields are those of files and settings: no client can make them long
_FRAMINGS: Final = {b"content-length", b"transfer-encoding"}


async def send_response(response: Response, scope: Scope, receive: Receive | None, send: Send) -> None:
    """Send a response and close its body, whatever happens.

    The function returns early if the client leaves; if `receive` is None, the caller must notice this itself. Raises
    SendStalled or SourceError if the body raises it. Then the caller must close the connection, because the client
    expects more bytes.
    """
    extensions = scope.get("extensions") or {}
    fields = [*_encoded_heads[response.fields], *response.own_fields]  # `own_fields` must not be in a cache
    start = {"type": "http.response.start", "status": response.status, "headers": fields}
    body = response.body
    if body.whole is not None:
        end = {"type": "http.response.body", "body": body.whole, "more_body": False}
        try:
            if response.status in _RECURRING_STATUSES and len(body.whole) <= _room(extensions):
                await send(start)
                await send(end)
            else:
                _let_limits_pause(body, extensions)
                with body.stall_timer:  # a client that sends requests and never reads can block even two messages
                    await send(start)
                    await send(end)
        finally:
            if body.is_open:
                await body.aclose()
    elif PATH_SEND in extensions and _path_leases.can_lease(body):
        await _path_leases.lease(start, body, send)
    else:
        await _send_in_chunks(start, body, extensions, receive, send)


def _room(extensions: Extensions) -> int:
    """Return the length of the longest body that the server takes without waiting (no timer needed); -1 if unknown."""
    zero_copy = extensions.get(ZERO_COPY_SEND)
    return zero_copy["room"]() if zero_copy else -1


def _let_limits_pause(body: Body, extensions: Extensions) -> None:
    if paced := extensions.get(PACED_SEND):
        paced["pauses"](body.stall_timer)


async def _send_in_chunks(
    start: Message, body: Body, extensions: Extensions, receive: Receive | None, send: Send
) -> None:
    """Send a body as it is read, until the client leaves. If the body fails, no middleware may end the response."""
    _let_limits_pause(body, extensions)
    with DisconnectWatcher(receive) as watcher, suppress(_ClientLeft):
        try:
            await _send_chunks(start, body, watcher, _raising_client_left(send), extensions.get(ZERO_COPY_SEND))
        except (_ClientLeft, SendStalled):
            raise
        except Exception as error:
            await stop_middlewares(error, send, knows_paths=PATH_SEND in extensions)
            raise


class _ClientLeft(Exception):
    """`send` raised ConnectionError. If a source raises ConnectionError instead, the body is incomplete."""


def _raising_client_left(send: Send) -> Send:
    async def send_to_client(message: Message) -> None:
        try:
            await send(message)
        except ConnectionError as error:
            raise _ClientLeft from error

    return send_to_client


async def _send_chunks(
    start: Message, body: Body, watcher: "DisconnectWatcher", send: Send, zero_copy: Mapping[str, Any] | None
) -> None:
    offer = RegionOffer(start["headers"])
    if zero_copy:
        start[ZERO_COPY_SEND] = offer
    async with body.as_regions(zero_copy["acknowledged"]) if zero_copy else body as chunks:
        await send(start)
        async for chunk in chunks:
            if isinstance(chunk, FileRegion):
                await send_region(chunk, offer, body.stall_timer, send)
            else:
                await send(body_message(chunk))
            watcher.sent()
        body.stall_timer.renew()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def until_disconnect(receive: Receive) -> None:
    """Wait until the client has left, or until the response is complete."""
    while (await receive())["type"] != "http.disconnect":
        pass


class DisconnectWatcher(CancelScope):
    """End the block early and without an error if the client leaves.

    idle ── second chunk sent, or 0.1 s ──> watching: a task waits for `http.disconnect` ──> block cancelled

    `send_response` owns it for one response. Most responses are complete before a task would be useful, so the task
    starts late.
    """

    __slots__ = ("_chunks", "_receive", "_timer", "_watching")

    _DELAY_SECONDS: Final = 0.1

    def __init__(self, receive: Receive | None) -> None:
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None
        self._chunks = 0

    def __enter__(self) -> Self:
        super().__enter__()
        self._timer = self._loop.call_later(self._DELAY_SECONDS, self._begin)
        return self

    def sent(self) -> None:
        """Count a chunk that was sent."""
        self._chunks += 1
        if self._chunks == 2:
            self._begin()

    def _begin(self) -> None:
        if self._receive and not self._watching:
            self._watching = self._loop.create_task(self._watch(self._receive))

    async def _watch(self, receive: Receive) -> None:
        await until_disconnect(receive)
        self.cancel()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        return super().__exit__(kind, error, trace)


def encode_field(field: Field) -> tuple[bytes, bytes]:
    """Return a field in the form that ASGI requires."""
    name, value = field
    return name.lower().encode("latin-1"), value.encode("latin-1")


_encoded: Final = SharedCache(encode_field, lambda field: is_shared(encode_field(field)), FIELDS)
_encoded_heads: Final[SharedCache[tuple[Field, ...], tuple[tuple[bytes, bytes], ...]]] = SharedCache(
    lambda fields: tuple([_encoded[field] for field in fields]),
    lambda fields: all(map(_encoded.__contains__, fields)),
    HEADS,
)


class _PathLeases:
    """Files that the server opens and sends itself, because a message contains their paths (`http.response.pathsend`).

    Granian opens the path later, in a thread, and does not report when. If our file were closed by then, the path might
    be missing or name another file. So the file stays open for `_SECONDS` after the message. To limit the descriptors
    in use, at most `_MOST` files stay open in this way; further responses are sent in chunks.
    """

    _MOST: Final = 256
    _SECONDS: Final = 5.0

    def __init__(self) -> None:
        self._leased = 0
        self._returning: set[asyncio.Task[None] | None] = set()  # a loop holds its tasks by weak references

    def can_lease(self, body: Body) -> bool:
        return self._leased < self._MOST and body.path is not None

    async def lease(self, start: Message, body: Body, send: Send) -> None:
        self._leased += 1
        try:
            await send(start)
            await send({"type": PATH_SEND, "path": body.path})
        finally:
            asyncio.get_running_loop().call_later(self._SECONDS, self._start_return, body)

    def _start_return(self, body: Body) -> None:
        self._returning.add(asyncio.get_running_loop().create_task(self._return(body)))

    async def _return(self, body: Body) -> None:
        self._leased -= 1
        try:
            await body.aclose()
        finally:
            self._returning.discard(asyncio.current_task())


_path_leases: Final = _PathLeases()


def closing_if_ambiguous(scope: Scope, send: Send) -> Send:
    """Return a `send` that closes the connection after a request with both Content-Length and Transfer-Encoding.

    The bytes after such a request may be a smuggled request. RFC 9112 §6.1 requires the close, but Hypercorn does not
    close.
    """
    if not {name for name, _ in scope["headers"]} >= _FRAMINGS:
        return send

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return closing
