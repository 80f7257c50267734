"""What Hypercorn's HTTP/1.1 needs to send files fast.

- The head of an answer goes out together with the first bytes of its body: one system call and one packet less.
- Between two requests of a busy connection no task is made to end it, only a timer that seldom fires.
- `http.response.zerocopysend`, an extension of ASGI: a part of a file goes from the page cache to the socket.

There are no settings for these, so the classes that do it take the place of Hypercorn's own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import h11
import hypercorn.asyncio.run
import hypercorn.protocol
import hypercorn.protocol.h11
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import AsyncioSingleTask
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request, StreamClosed
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.utils import suppress_body

from ..fileio import OpenFile
from .zero_copy import Lane

__all__ = ["install"]

_ZERO_COPY: Final = "http.response.zerocopysend"
_JOINED: Final = 64 * 1024  # bytes of a body that cost less to copy than to send by themselves


@dataclass(frozen=True, slots=True)
class FilePart(Event):
    """Bytes `offset` to `offset + count` of a file; as long as those, for h11's bookkeeping."""

    file: OpenFile
    offset: int
    count: int

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True)
class FileBody(StreamEvent):
    """A part of a file as a part of a body."""

    part: FilePart


class LateTask(AsyncioSingleTask):
    """A task that is made only when nobody has stopped it for a while: in the place of Hypercorn's `SingleTask`."""

    _LATE: Final = 0.25  # seconds

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def restart(self, task_group: Any, action: Callable[[], Awaitable[None]]) -> None:
        """Have `action` run, after a while and from its start."""
        await self.stop()
        self._timer = asyncio.get_running_loop().call_later(self._LATE, self._begin, task_group, action)

    def _begin(self, task_group: Any, action: Callable[[], Awaitable[None]]) -> None:
        self._task = task_group._task_group.create_task(action())

    async def stop(self) -> None:
        """Have nothing run."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])


class Connection(TCPServer):
    """A connection that can send parts of files."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.idle_task = LateTask()
        self._lane = Lane(self.writer)

    async def protocol_send(self, event: Event) -> None:
        """Send what the protocol has for the client."""
        if not isinstance(event, FilePart):
            await super().protocol_send(event)
            return
        async with self.send_lock:
            try:
                await self._lane.send(event.file, event.offset, event.count)
            except (ConnectionError, RuntimeError):
                await self.protocol.handle(Closed())

    async def _close(self) -> None:
        await self.idle_task.stop()
        await super()._close()


class Stream(HTTPStream):
    """A request and its answer, of which parts may be parts of files."""

    async def handle(self, event: StreamEvent) -> None:
        """Take what comes from the client."""
        await super().handle(event)
        if isinstance(event, Request) and self.scheme == "http":
            self.scope["extensions"][_ZERO_COPY] = {}  # the app runs later, as a task

    async def app_send(self, message: Any) -> None:
        """Take what comes from the app."""
        if message is not None and message["type"] == _ZERO_COPY and self.state == ASGIHTTPState.RESPONSE:
            await self._send_part(message)
        else:
            await super().app_send(message)

    async def _send_part(self, message: Any) -> None:
        if not suppress_body(self.scope["method"], int(self.response["status"])):
            part = FilePart(message["file"], message["offset"], message["count"])
            await self.send(FileBody(self.stream_id, part))
        if not message.get("more_body", False):
            await self._send_closed()


class Protocol(H11Protocol):
    """HTTP/1.1 with heads that wait for their bodies, and with parts of files in these."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._held = b""

    async def stream_send(self, event: StreamEvent) -> None:
        """Send a part of an answer."""
        if isinstance(event, FileBody):
            await self._send_h11_event(h11.Data(data=cast("bytes", event.part)))
            return
        if isinstance(event, StreamClosed):
            await self._pass_on([])  # an app that failed before the body has still answered
        await super().stream_send(event)

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


def install() -> None:
    """Have Hypercorn use these, in this process and its children."""
    run: Any = hypercorn.asyncio.run
    protocol: Any = hypercorn.protocol
    run.TCPServer, protocol.H11Protocol, protocol.h11.HTTPStream = Connection, Protocol, Stream
