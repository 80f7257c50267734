"""The sending side of one connection: the queue of its streams, and limits for the bytes that wait for a window."""

import asyncio
from typing import TYPE_CHECKING, Final

from ..http1.flow_control import FlowControl
from .engine import Engine
from .frames import FRAME_BYTES, FrameBudget

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["SLICE_BYTES", "SendQueue"]


SLICE_BYTES: Final = 64 * 1024  # that a stream sends in its turn
_EARNING_BYTES: Final = 1024  # a client that opens its windows by fewer bytes gets no credit
_HELD_BYTES: Final = 4 * 1024 * 1024  # body bytes of all streams of a connection that wait for a window


class SendQueue:
    """The windows of a connection and of its streams, and the queue of waiting streams.

    A stream waits in `room` until the transport has room, both windows are open, and it is its turn. The stream that
    has waited longest is the next. Before an app makes more of a body, its stream also waits until the waiting bytes
    of all streams are few enough. The connection owns this object.
    """

    def __init__(self, flow: FlowControl, engine: Engine, budget: FrameBudget) -> None:
        self._flow = flow
        self._engine = engine
        self._budget = budget
        self._held: dict[Stream, int] = {}
        self._waiting: dict[Stream, tuple[asyncio.Future[None], int]] = {}

    def is_open(self, stream: "Stream") -> bool:
        """Whether the window of a stream is open. A closed window of the connection does not matter here."""
        engine = self._engine
        return bool(engine.outbound_flow_control_window <= 0 or engine.local_flow_control_window(stream.id) > 0)

    def hold(self, stream: "Stream", count: int) -> None:
        """Set the number of body bytes that a stream holds or is about to hold."""
        self._held.pop(stream, None)
        if count:
            self._held[stream] = count

    async def room(self, stream: "Stream", *, for_more: int = 0) -> int:
        """Wait for the turn of a stream; return how many bytes it may send, at least 1.

        `for_more` bytes are counted as held from then on. Raises ClientDisconnected.
        """
        while True:
            stream.check()
            count = 0 if self._waiting else self._room_now(stream, for_more)
            if count > 0 or (count := await self._turn(stream, for_more)) > 0:
                stream.waits_for_window(waits=False)
                self.hold(stream, for_more)
                if for_more:
                    self.wake_next()
                return count

    async def _turn(self, stream: "Stream", for_more: int) -> int:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[stream] = waiter, for_more
        self.wake_next()
        if not waiter.done():
            stream.waits_for_window(waits=True)
        try:
            await waiter
        except asyncio.CancelledError:
            self._waiting.pop(stream, None)
            self.wake_next()
            raise
        stream.check()
        return self._room_now(stream, for_more)

    def wake_next(self) -> None:
        """Wake the next stream that can send, if there is one."""
        if self._flow.paused:
            return
        for stream, (waiter, for_more) in self._waiting.items():
            if not waiter.done() and self._room_now(stream, for_more) > 0:
                del self._waiting[stream]
                waiter.set_result(None)
                return

    def drop(self, stream: "Stream") -> None:
        """Remove a stream that is over."""
        self._held.pop(stream, None)
        waiter, _ = self._waiting.pop(stream, (None, 0))
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        self.wake_next()

    def _room_now(self, stream: "Stream", for_more: int) -> int:
        if self._flow.paused or (for_more and self._held and sum(self._held.values()) + for_more > _HELD_BYTES):
            return 0
        return min(self._engine.local_flow_control_window(stream.id), SLICE_BYTES)

    def write(self, stream: "Stream", data: memoryview, *, ends: bool) -> None:
        """Send bytes for which there is room. With `ends`, they are the last bytes of the body."""
        self._engine.send_body(stream.id, data, ends=ends)
        for _ in range(_EARNING_BYTES, len(data) + 1, FRAME_BYTES):
            self._budget.earn()
        self.wake_next()
