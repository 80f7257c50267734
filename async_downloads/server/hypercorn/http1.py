"""What Hypercorn's HTTP/1.1 needs to send files fast.

- A head that was sent lately, as that of a file many ask for, is not validated again.
- The head of an answer goes out together with the first bytes of its body: one system call and one packet less.
- Between two requests of a busy connection no task is made to end it, only a timer that seldom fires.
- A part of a file (`sending.ZERO_COPY_SEND`) goes from the page cache to the socket.
- When a client has left, nobody waits for ever to read its next request.

There are no settings for these, so the classes that do it take the place of Hypercorn's own.
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


_JOINED: Final = 64 * 1024  # bytes of a body that cost less to copy than to send by themselves


@dataclass(frozen=True, slots=True)
class FilePart(Event):
    """A part of a file; as long as that, for h11's bookkeeping."""

    region: FileRegion

    def __len__(self) -> int:
        return self.region.size


@dataclass(frozen=True, slots=True)
class FileBody(StreamEvent):
    """A part of a file as a part of a body."""

    region: FileRegion


class Connection(TCPServer):
    """A connection that can send parts of files."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.idle_task: DeferredTask = DeferredTask()
        self.lane: ZeroCopyWriter | None = (
            ZeroCopyWriter(self.writer) if AVAILABLE and not self.writer.get_extra_info("ssl_object") else None
        )

    async def protocol_send(self, event: Event) -> None:
        """Send what the protocol has for the client."""
        if isinstance(event, FilePart) and self.lane:
            await self._send_part(event.region, self.lane)
        else:
            await super().protocol_send(event)

    async def _send_part(self, region: FileRegion, lane: ZeroCopyWriter) -> None:
        async with self.send_lock:
            try:
                await lane.send(region)
            except ConnectionError:
                self.writer.transport.abort()  # the lane took the socket's error, so the transport has not seen it
                await self.protocol.handle(Closed())
                raise

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()  # the client has gone: nobody need wait for it to become idle

    async def _close(self) -> None:
        try:
            await self.idle_task.stop()  # while its group may still take it
        finally:
            await super()._close()


class Stream(HTTPStream):
    """A request and its answer, of which parts may be parts of files."""

    async def handle(self, event: StreamEvent) -> None:
        """Take what comes from the client; the app runs later, as a task."""
        await super().handle(event)
        lane: ZeroCopyWriter | None = _owner(self.send).lane
        if isinstance(event, Request) and lane:
            self.scope["extensions"][ZERO_COPY_SEND] = {"acknowledged": lane.acknowledged, "taken": lane.taken}

    async def app_send(self, message: Any) -> None:
        """Take what comes from the app."""
        if message is not None and message["type"] == ZERO_COPY_SEND and self.state == ASGIHTTPState.RESPONSE:
            if not suppress_body(self.scope["method"], int(self.response["status"])):
                region = FileRegion(message["file"], message["offset"], message["count"])
                await self.send(FileBody(self.stream_id, region))
        elif message is not None and message["type"] == "http.response.start" and self.state == ASGIHTTPState.REQUEST:
            await self._start(message)
        else:
            await super().app_send(message)

    async def _start(self, message: Any) -> None:
        """Pass a head on as it is: h11 validates its fields, so Hypercorn need not."""
        self.response = message
        status = int(message["status"])
        await self.send(
            Response(stream_id=self.stream_id, headers=list(message.get("headers", ())), status_code=status)
        )
        self.state = ASGIHTTPState.RESPONSE


class ClosedConnection:
    """In the place of h11's connection when the client has left: whoever reads from it sees that nothing comes.

    Hypercorn waits for the end of the answer before it reads the next request, and would wait for ever.
    """

    our_state: Any = h11.ERROR
    their_state: Any = h11.ERROR
    they_are_waiting_for_100_continue: bool = False
    trailing_data: tuple[bytes, bool] = (b"", True)

    def receive_data(self, data: bytes) -> None:
        """Take what came too late."""

    def next_event(self) -> Any:
        """Say that there is nothing."""
        return h11.NEED_DATA

    def send(self, _: Any) -> bytes:
        """Refuse to send."""
        raise h11.LocalProtocolError("the client has left")


class ReadGate(EventWrapper):
    """What the reading waits at while an answer is being sent."""

    waiting: bool = False

    async def wait(self) -> None:
        """Wait until it is set."""
        self.waiting = True
        await super().wait()
        self.waiting = False


class Protocol(H11Protocol):
    """HTTP/1.1 with heads that wait for their bodies, and with parts of files in these."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.can_read: ReadGate = ReadGate()
        self.lane: ZeroCopyWriter | None = _owner(self.send).lane
        self._held = b""

    async def handle(self, event: Event) -> None:
        """Take what comes from the client."""
        await super().handle(event)
        if isinstance(event, Closed) and self.can_read.waiting:
            setattr(self, "connection", ClosedConnection())  # noqa: B010 - it is of no kind that Hypercorn knows
            await self.can_read.set()

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.method == b"PRI" or any(name == b"upgrade" for name, _ in event.headers):
            await super()._check_protocol(event)

    async def stream_send(self, event: StreamEvent) -> None:
        """Send a part of an answer."""
        if isinstance(event, Response) and event.status_code >= 200:
            await self._send_h11_event(self._head(event))
            return
        if isinstance(event, FileBody):
            await self._send_h11_event(h11.Data(data=cast("bytes", FilePart(event.region))))
            return
        if isinstance(event, StreamClosed):
            await self._pass_on([])  # an app that failed before the body has still answered
        await super().stream_send(event)

    def _head(self, event: Response) -> h11.Response:
        fields = [*event.headers, *self.config.response_headers("h11")]
        if self.keep_alive_requests >= self.config.keep_alive_max_requests:
            fields.append((b"connection", b"close"))
        try:
            return _response(event.status_code, tuple(fields))
        except TypeError:  # a field may be a list (ASGI): that is no key of a cache
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
            self._held = b"".join(parts)
        else:
            await self._pass_on(parts)

    async def _pass_on(self, parts: Sequence[bytes | FilePart]) -> None:
        ready, self._held = self._held, b""
        for part in parts:
            if isinstance(part, bytes) and len(part) <= _JOINED:
                ready += part
                continue
            if ready:
                await self.send(RawData(ready))
                ready = b""
            await self.send(part if isinstance(part, FilePart) else RawData(part))
        if ready:
            await self.send(RawData(ready))


@lru_cache(maxsize=256)
def _response(status: int, fields: tuple[tuple[bytes, bytes], ...]) -> h11.Response:
    """Return a head that h11 has validated: nobody changes such an event."""
    return h11.Response(status_code=status, headers=list(fields))


def _owner(method: Any) -> Any:
    """Return the object that a bound method belongs to: a stream knows no more of its protocol than how to send."""
    return method.__self__


def install() -> None:
    """Have Hypercorn use these, in this process and its children."""
    run: Any = hypercorn.asyncio.run
    protocol: Any = hypercorn.protocol
    run.TCPServer, protocol.H11Protocol, protocol.h11.HTTPStream = Connection, Protocol, Stream
