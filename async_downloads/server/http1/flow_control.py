"""Flow control between a connection and its transport, in both directions."""

import asyncio
from contextlib import suppress
from typing import Any, Final

__all__ = ["ClientDisconnected", "FlowControl", "PausableProtocol"]


_HEAD_BYTES: Final = 4 * 1024  # a head without values from the client is shorter
_HIGH_WATER_BYTES: Final = 16 * 1024  # in the transport of each client; the kernel holds more


class ClientDisconnected(ConnectionResetError):
    """The client has left, or the connection is being closed."""

    def __init__(self) -> None:
        super().__init__("the client has left")


class FlowControl:
    """A transport, whether it is read, and the tasks that wait until it has room.

    The connection owns it, and reports `pause`, `resume` and `lose` as its transport calls them.
    """

    __slots__ = ("_waiters", "lost", "paused", "reads", "transport")

    def __init__(self, transport: Any) -> None:
        self.transport: Any = transport
        self.paused: bool = False  # the buffer of the transport is full
        self.reads: bool = True
        self.lost: bool = False
        self._waiters: list[asyncio.Future[None]] = []
        transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)

    def pause_reading(self) -> None:
        """Stop reading, so that the client has to wait."""
        if self.reads and not self.transport.is_closing():
            self.reads = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if not (self.reads or self.transport.is_closing()):
            self.reads = True
            self.transport.resume_reading()

    def write_eof(self) -> None:
        """Shut the sending side, but still read. If the client has left, the transport notices it when it reads."""
        with suppress(OSError):
            self.transport.write_eof()

    def pause(self) -> None:
        """Make `drained` wait, because the buffer of the transport is full."""
        self.paused = True

    def resume(self) -> None:
        """End the waiting, because the transport has room."""
        self.paused = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def lose(self) -> None:
        """End the waiting, because the connection is lost."""
        self.lost = True
        self.resume()

    def room(self) -> int:
        """Return the longest body that the transport takes with its head without waiting; -1 if it is not empty."""
        return -1 if self.transport.get_write_buffer_size() else _HIGH_WATER_BYTES - _HEAD_BYTES

    def check(self) -> None:
        """Raise ClientDisconnected if the transport takes no more bytes.

        Then the number of its descriptor may already belong to another connection.
        """
        if self.lost or self.transport.is_closing():
            raise ClientDisconnected

    async def drained(self) -> None:
        """Wait until the transport has room. Raises ClientDisconnected."""
        while self.paused and not self.lost:
            self._waiters.append(waiter := asyncio.get_running_loop().create_future())
            await waiter
        if self.lost:
            raise ClientDisconnected

    async def flushed(self) -> None:
        """Wait until the transport is empty, because bytes that are sent without it would arrive first.

        Raises ClientDisconnected.
        """
        self.check()
        if self.transport.get_write_buffer_size():
            self.transport.set_write_buffer_limits(high=0)
            try:
                await self.drained()
            finally:
                if not self.lost:
                    self.transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self.check()


class PausableProtocol(asyncio.Protocol):
    """A protocol whose transport pauses and resumes its flow. The subclass makes the flow in `connection_made`."""

    flow: FlowControl

    def pause_writing(self) -> None:
        """Make senders wait, because the buffer of the transport is full."""
        self.flow.pause()

    def resume_writing(self) -> None:
        """Let senders continue."""
        self.flow.resume()
