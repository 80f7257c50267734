"""The connection of one client: its frames, its streams and its end."""

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from ...sending import Scope
from ..http1.flow_control import FlowControl
from ..http1.scope import base_scope
from ..http1.states import FLUSH_SECONDS
from ..proxies.proxy_protocol import NamedClient
from .engine import Engine
from .frames import GOAWAY, ConnectionFault, Frame, FrameBudget, FrameSplitter, stream_fault
from .send_queue import SendQueue
from .streams import Streams

if TYPE_CHECKING:
    from ..http1.server import Http1Server

__all__ = ["Http2Connection"]


_FRAMES_A_TURN: Final = 16  # each may be a request; after these, other connections get their turn
_UNREAD_BYTES: Final = 64 * 1024  # in the transport; if more wait, the client must read before it may send more


class Http2Connection(asyncio.Protocol):
    """Reads frames, and runs the app for each request.

        IDLE ──request──> BUSY ──last stream is over──> IDLE
          └──> CLOSING <────┘

        state     deadline                                    when it has passed
        IDLE      keep_alive; first: header_timeout           GOAWAY, closed
        BUSY      the earliest one of a stream                that stream is reset
        either    header_timeout for a list of fields         GOAWAY, closed
        CLOSING   60 s for what is written                    aborted

    A fault of a stream resets the stream; a fault of the connection ends it with GOAWAY (RFC 9113 §5.4). Pings and
    other frames without a request do not keep an idle connection open. The server owns this object from
    `connection_made` to `connection_lost`.
    """

    def __init__(self, server: "Http1Server", named: NamedClient | None = None) -> None:
        self.server: Http1Server = server
        self._named = named  # the client that a proxy has named
        self._own_deadline = self._block_deadline = math.inf
        self._splitter = FrameSplitter()
        self._budget = FrameBudget(server.loop.time())
        self._scheduled = False  # received frames wait for the next turn

    # -- called by the transport

    def connection_made(self, transport: Any) -> None:
        """Send our settings, and expect the first request."""
        self.flow: FlowControl = FlowControl(transport)
        self._engine = Engine(transport)
        self._send_queue = SendQueue(self.flow, self._engine, self._budget)
        self.base_scope: Scope = base_scope(transport, None, self._named)
        self._streams = Streams(self, self._engine, self._send_queue, self._budget)
        self._engine.begin()
        self._own_deadline = self.server.now + self.server.limits.header_timeout
        if status := self.server.admit(self):
            self.server.refuse(self.base_scope, b"", status)  # HTTP/2 has no status before the first request
            self._end(ErrorCodes.ENHANCE_YOUR_CALM)

    def pause_writing(self) -> None:
        """Make the streams wait, because the buffer of the transport is full."""
        self.flow.pause()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        if not self.flow.transport.is_closing():
            self._splitter.feed(data)
            if not self._scheduled:
                self._take_frames()

    def resume_writing(self) -> None:
        """Continue with the streams that wait."""
        self.flow.resume()
        self._send_queue.wake_next()
        self._read_or_wait()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - a client may leave in any way
        """End everything that waits for the client."""
        self.flow.lose()
        self.server.forget(self)
        self._streams.leave()

    # -- frames

    def _take_frames(self) -> None:
        self._scheduled = False
        if self.flow.transport.is_closing():
            return
        try:
            for _ in range(_FRAMES_A_TURN):
                frame = self._splitter.take()
                if frame is None:
                    break
                self._take(frame)
            else:
                self._scheduled = True
                self.server.loop.call_soon(self._take_frames)
        except ConnectionFault as fault:
            self._end(fault.code)
            return
        except ProtocolError:  # h2 has written its GOAWAY
            self._end(None)
            return
        self._engine.flush()
        self._read_or_wait()

    def _take(self, frame: Frame) -> None:
        self._budget.count(frame, self.server.loop.time())
        self._expect_block()
        if frame.kind == GOAWAY and not frame.stream_id and frame.size >= 8:  # h2 would send nothing more
            self._leave()
            return
        code = None if self._splitter.in_block else stream_fault(frame)
        if code is not None and self._streams.running(frame.stream_id):
            self._streams.reset(frame.stream_id, code, by_client=True)
            return
        for event in self._engine.receive_data(frame.data):
            self._streams.handle(event)
        if self._streams:
            self.server.mark_busy(self)
            self._own_deadline = math.inf

    def _read_or_wait(self) -> None:
        """Read, unless received frames wait or the client does not take its responses."""
        if self._scheduled or self.flow.transport.get_write_buffer_size() > _UNREAD_BYTES:
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def _expect_block(self) -> None:
        if not self._splitter.in_block:
            self._block_deadline = math.inf
        elif self._block_deadline == math.inf:
            self._block_deadline = self.server.now + self.server.limits.header_timeout

    # -- the end

    @property
    def deadline(self) -> float:
        """The time, by the loop's clock, at which the server calls `time_out`."""
        return min(self._own_deadline, self._block_deadline, self._streams.deadline)

    def time_out(self) -> None:
        """End the stream or the connection whose deadline has passed."""
        if self.flow.transport.is_closing():
            self.flow.transport.abort()
        elif min(self._own_deadline, self._block_deadline) < self.server.now:
            self.close()
        else:
            self._streams.time_out()

    def become_idle(self) -> None:
        """Wait for another request, or close if no further request is accepted."""
        if self._streams.closed:
            self.close()
        elif not self.flow.lost and not self.flow.transport.is_closing():
            self._own_deadline = self.server.now + self.server.limits.keep_alive
            self.server.mark_idle(self)

    def drain(self) -> None:
        """Accept no further requests, and close after the last response (RFC 9113 §6.8)."""
        if not self._streams.closed and not self.flow.transport.is_closing():
            self._engine.send_goaway(ErrorCodes.NO_ERROR, self._streams.last_id)
            self._leave()

    def _leave(self) -> None:
        self._streams.closed = True
        if not self._streams:
            self.close()

    def close_if_unused(self) -> None:
        """Close, if there is no stream."""
        if not self._streams:
            self.close()

    def close(self) -> None:
        """End the running streams, and close when the client has taken everything that was written."""
        if not self.flow.transport.is_closing():
            self._end(None if self._streams.closed else ErrorCodes.NO_ERROR)

    def _end(self, code: ErrorCodes | None) -> None:
        self._engine.flush()
        if code is not None:
            self._engine.send_goaway(code, self._streams.last_id)
        self.flow.resume_reading()  # unread bytes would reset the connection, and GOAWAY would be lost
        self.flow.transport.close()
        self._own_deadline = self.server.now + FLUSH_SECONDS
        self._streams.leave()
