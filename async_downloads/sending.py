"""One reply over ASGI, whatever the server and the client do meanwhile.

An app that only sends is never told that the client has left: it has to watch `receive` as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, Self

from .open_file import FileRegion
from .responder import Body, Response
from .semantics.representation import Field
from .timeouts import CancelScope

__all__ = ["ZERO_COPY_SEND", "Message", "Receive", "Scope", "Send", "closing_if_ambiguous", "send_response"]


Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# A private extension of ASGI, made like `http.response.zerocopysend`, and the type of its message: the server sends
# `count` bytes from `offset` of `file`, an OpenFile. `send` returns when the socket has taken them all, and raises
# ConnectionError if the client has left. The extension holds two functions that return numbers of bytes:
# `acknowledged`, what the client has received of the whole response; `taken`, what the socket has taken of files.
ZERO_COPY_SEND: Final = "async_downloads.zerocopysend"
_RECURRING: Final = 200  # characters: what is longer is the client's, and would fill the cache
_FRAMINGS: Final = {b"content-length", b"transfer-encoding"}


async def send_response(reply: Response, scope: Scope, receive: Receive | None, send: Send) -> None:
    """Send a reply and close its body, whatever happens.

    When the client leaves, the sending ends; without `receive` it is for the caller to see that. `SendStalled` and
    `SourceError` come through: the connection must then be closed, since less than was promised has been sent.
    """
    start = {"type": "http.response.start", "status": reply.status, "headers": _encode(reply.fields)}
    body = reply.body
    if body.whole is not None:
        with body.patience:  # a client that asks and asks and never reads stalls this too
            await send(start)
            await send({"type": "http.response.body", "body": body.whole, "more_body": False})
    elif "http.response.pathsend" in (scope.get("extensions") or {}) and _path_leases.can_lease(body):
        await _path_leases.lease(start, body, send)
    else:
        lane = (scope.get("extensions") or {}).get(ZERO_COPY_SEND)
        with _DisconnectWatcher(receive) as presence, suppress(ConnectionError):
            await _send_chunks(start, body, presence, send, lane)


async def _send_chunks(
    start: Message, body: Body, presence: "_DisconnectWatcher", send: Send, lane: Mapping[str, Any] | None
) -> None:
    async with body.as_regions(lane["acknowledged"]) if lane else body as chunks:
        await send(start)
        async for chunk in chunks:
            await send(_message(chunk))
            presence.check()
        body.patience.renew()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _message(chunk: bytes | FileRegion) -> Message:
    if isinstance(chunk, FileRegion):
        return {
            "type": ZERO_COPY_SEND,
            "file": chunk.file,
            "offset": chunk.offset,
            "count": chunk.size,
            "more_body": True,
        }
    return {"type": "http.response.body", "body": chunk, "more_body": True}


class _DisconnectWatcher(CancelScope):
    """End the block early, and quietly, when the client leaves.

    Watching takes a task. Most downloads are over before they are worth one: it begins with the second chunk, or soon.
    """

    __slots__ = ("_receive", "_sent", "_timer", "_watcher")

    _SOON: Final = 0.1  # seconds

    def __init__(self, receive: Receive | None) -> None:
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None
        self._sent = 0

    def __enter__(self) -> Self:
        super().__enter__()
        self._timer = self._loop.call_later(self._SOON, self._begin)
        return self

    def check(self) -> None:
        """Note that a chunk was sent."""
        self._sent += 1
        if self._sent == 2:
            self._begin()

    def _begin(self) -> None:
        if self._receive and not self._watcher:
            self._watcher = self._loop.create_task(self._watch(self._receive))

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.cancel()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        return super().__exit__(kind, error, trace)


def _encode(fields: Iterable[Field]) -> list[tuple[bytes, bytes]]:
    """Write fields as ASGI has them."""
    return [(_recurring if len(value) < _RECURRING else _encoded)(name, value) for name, value in fields]


def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


_recurring: Final = lru_cache(maxsize=4096)(_encoded)


class _PathLeases:
    """Files whose path a server has been told (`http.response.pathsend`), to send by itself.

    Granian takes the message, opens the file in a thread when one is free, and tells nobody when that was. Were ours
    closed by then, the path would name nothing, or another file: so it stays open for a while. Only so many do, that
    downloads cannot use up the descriptors; the others go in chunks.
    """

    _MOST: Final = 256
    _SECONDS: Final = 5.0

    def __init__(self) -> None:
        self._leased = 0

    def can_lease(self, body: Body) -> bool:
        return self._leased < self._MOST and body.path is not None

    async def lease(self, start: Message, body: Body, send: Send) -> None:
        self._leased += 1
        try:
            await send(start)
            await send({"type": "http.response.pathsend", "path": body.path})
        finally:
            asyncio.get_running_loop().call_later(self._SECONDS, self._return, body)

    def _return(self, body: Body) -> None:
        self._leased -= 1
        body.close_file()


_path_leases: Final = _PathLeases()


def closing_if_ambiguous(scope: Scope, send: Send) -> Send:
    """Have the connection closed after a request that is framed in two ways: what follows it may be smuggled.

    RFC 9112 §6.1 asks for that, and the parser of Hypercorn leaves it to the application.
    """
    if not {name for name, _ in scope["headers"]} >= _FRAMINGS:
        return send

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return closing
