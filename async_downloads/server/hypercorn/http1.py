"""HTTP/1.1: Hypercorn's classes, changed so that files are sent fast.

- h11 validates a response head once; the same head sent again (a popular file) comes from a cache.
- The head of a response is sent together with the first bytes of its body: one system call and one packet less.
- Between two requests of a busy connection no task is created to close it, only a timer that seldom fires.
- A region of a file (`sending.ZERO_COPY_SEND`) goes from the page cache to the socket.
- When a client has left, the connection's task ends instead of waiting for the next request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import h11
import hypercorn.asyncio.run
import hypercorn.protocol
import hypercorn.protocol.h11
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request, Response, StreamClosed
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.utils import suppress_body

from ...open_file import FileRegion
from ...sending import ZERO_COPY_SEND
from ..zero_copy.writer import AVAILABLE, ZeroCopyWriter
from .idle import DeferredTask

__all__ = ["install"]


_JOINED_BYTES: Final = 64 * 1024  # the part of a body that costs less to copy than to send with its own system call


@dataclass(frozen=True)
class RegionEvent(StreamEvent, Event):
    """A region of a file as a part of a body, from the stream to the connection. h11 needs its length in bytes."""

    region: FileRegion

    def __len__(self) -> int:
        return self.region.size


class Connection(TCPServer):
    """A connection that can send regions of files, except with TLS: then the kernel cannot encrypt what it copies."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.idle_task: DeferredTask = DeferredTask()
        self.zero_copy: ZeroCopyWriter | None = (
            ZeroCopyWriter(self.writer) if AVAILABLE and not self.writer.get_extra_info("ssl_object") else None
        )

    async def protocol_send(self, event: Event) -> None:
        """Send an event of the protocol to the client."""
        if isinstance(event, RegionEvent) and self.zero_copy:
            await self._send_region(event.region, self.zero_copy)
        else:
            await super().protocol_send(event)

    async def _send_region(self, region: FileRegion, writer: ZeroCopyWriter) -> None:
        async with self.send_lock:
            try:
                await writer.send(region)
            except ConnectionError:
                self.writer.transport.abort()  # the transport has not seen the error: the zero-copy writer got it
                await self.protocol.handle(Closed())
                raise

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()  # the client has left: its connection cannot become idle

    async def _close(self) -> None:
        try:
            await self.idle_task.stop()  # before its task group ends
        finally:
            await super()._close()


class Stream(HTTPStream):
    """A request and its response, whose body may contain regions of files."""

    async def handle(self, event: StreamEvent) -> None:
        """Handle an event from the client; offer the extension before the app runs, which is later, in a task."""
        await super().handle(event)
        writer: ZeroCopyWriter | None = _owner(self.send).zero_copy
        if isinstance(event, Request) and writer:
            self.scope["extensions"][ZERO_COPY_SEND] = {"acknowledged": writer.acknowledged, "taken": writer.taken}

    async def app_send(self, message: Any) -> None:
        """Handle a message from the app."""
        if message is not None and message["type"] == ZERO_COPY_SEND and self.state == ASGIHTTPState.RESPONSE:
            if not suppress_body(self.scope["method"], int(self.response["status"])):
                region = FileRegion(message["file"], message["offset"], message["count"])
                await self.send(RegionEvent(self.stream_id, region))
        elif message is not None and message["type"] == "http.response.start" and self.state == ASGIHTTPState.REQUEST:
            await self._start(message)
        else:
            await super().app_send(message)

    async def _start(self, message: Any) -> None:
        """Pass the head of a response on unchecked: h11 validates its fields later, so Hypercorn need not."""
        self.response = message
        status = int(message["status"])
        await self.send(
            Response(stream_id=self.stream_id, headers=list(message.get("headers", ())), status_code=status)
        )
        self.state = ASGIHTTPState.RESPONSE


class ClosedConnection:
    """Takes the place of h11's connection when the client has left: no event ever comes from it.

    Hypercorn waits for the end of the response before it reads the next request. Without this it would wait for ever.
    """

    our_state: Any = h11.ERROR
    their_state: Any = h11.ERROR
    they_are_waiting_for_100_continue: bool = False
    trailing_data: tuple[bytes, bool] = (b"", True)

    def receive_data(self, data: bytes) -> None:
        """Ignore data that came too late."""

    def next_event(self) -> Any:
        """Return that there is no event."""
        return h11.NEED_DATA

    def send(self, _: Any) -> bytes:
        """Raise LocalProtocolError."""
        raise h11.LocalProtocolError("the client has left")


class ReadGate(EventWrapper):
    """The event that the reading task waits for while a response is being sent; it knows whether a task waits."""

    waiting: bool = False

    async def wait(self) -> None:
        """Wait until the event is set."""
        self.waiting = True
        await super().wait()
        self.waiting = False


class Protocol(H11Protocol):
    """HTTP/1.1 on one connection. It holds the head of a response back until the first part of its body, or its end."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.can_read: ReadGate = ReadGate()
        self.zero_copy: ZeroCopyWriter | None = _owner(self.send).zero_copy
        self._held_head = b""

    async def handle(self, event: Event) -> None:
        """Handle an event from the connection."""
        await super().handle(event)
        if isinstance(event, Closed) and self.can_read.waiting:
            setattr(self, "connection", ClosedConnection())  # noqa: B010 - Hypercorn does not know its type
            await self.can_read.set()

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.method == b"PRI" or any(name == b"upgrade" for name, _ in event.headers):
            await super()._check_protocol(event)

    async def stream_send(self, event: StreamEvent) -> None:
        """Send a part of a response."""
        if isinstance(event, Response) and event.status_code >= 200:
            await self._send_h11_event(self._head(event))
            return
        if isinstance(event, RegionEvent):
            await self._send_h11_event(h11.Data(data=cast("bytes", event)))
            return
        if isinstance(event, StreamClosed):
            await self._send_parts([])  # the app failed before the body: the client still gets the head
        await super().stream_send(event)

    def _head(self, event: Response) -> h11.Response:
        fields = [*event.headers, *self.config.response_headers("h11")]
        if self.keep_alive_requests >= self.config.keep_alive_max_requests:
            fields.append((b"connection", b"close"))
        try:
            return _validated_head(event.status_code, tuple(fields))
        except TypeError:  # ASGI allows a list as a field; it cannot be hashed for the cache
            return h11.Response(status_code=event.status_code, headers=fields)

    async def _send_h11_event(self, event: Any) -> None:
        if not isinstance(self.connection, h11.Connection):
            await super()._send_h11_event(event)
            return
        try:
            parts = self.connection.send_with_data_passthrough(event) or []
        except h11.LocalProtocolError:
            if self.connection.their_state != h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response):
            self._held_head = b"".join(parts)
        else:
            await self._send_parts(parts)

    async def _send_parts(self, parts: Sequence[bytes | RegionEvent]) -> None:
        ready, self._held_head = self._held_head, b""
        for part in parts:
            if isinstance(part, bytes) and len(part) <= _JOINED_BYTES:
                ready += part
                continue
            if ready:
                await self.send(RawData(ready))
                ready = b""
            await self.send(part if isinstance(part, RegionEvent) else RawData(part))
        if ready:
            await self.send(RawData(ready))


@lru_cache(maxsize=256)
def _validated_head(status: int, fields: tuple[tuple[bytes, bytes], ...]) -> h11.Response:
    """Return a head that h11 has validated. Responses share it, since no code changes such an event."""
    return h11.Response(status_code=status, headers=list(fields))


def _owner(method: Any) -> Any:
    """Return the object that a bound method belongs to: a stream has only the `send` of its protocol."""
    return method.__self__


def install() -> None:
    """Have Hypercorn use these classes, in this process and its children."""
    run: Any = hypercorn.asyncio.run
    protocol: Any = hypercorn.protocol
    run.TCPServer, protocol.H11Protocol, protocol.h11.HTTPStream = Connection, Protocol, Stream
