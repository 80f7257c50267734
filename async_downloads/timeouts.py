"""Blocks that end: when told to, or when a client takes nothing for too long."""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Literal, Self, cast

from .errors import SendStalled

__all__ = ["STALL_TIMEOUT", "CancelScope", "StallTimer"]


STALL_TIMEOUT: Final = 60.0


class CancelScope:
    """A block that can be ended from outside: `cancel` cancels its task, and says at the end that it was this.

    As in `asyncio.timeout`, whoever else cancels the task meanwhile is not forgotten.
    """

    __slots__ = ("_cancelled", "_cancelling", "_loop", "_task")

    def __enter__(self) -> Self:
        self._loop, self._task = asyncio.get_running_loop(), cast("asyncio.Task[object]", asyncio.current_task())
        self._cancelling, self._cancelled = self._task.cancelling(), False
        return self

    def cancel(self) -> None:
        """End the block; to be called once."""
        self._cancelled = self._task.cancel()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Whether it was `cancel`, and nothing else, that ended the block."""
        if not self._cancelled:
            return False
        return self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)


class StallTimer(CancelScope):
    """End the block with `SendStalled` when nobody renews it for that many seconds.

    Renewing is an assignment: the timer looks only when it fires whether it is time. With `watch` it looks four times
    as often, and bytes that the client took are as good as a renewal.
    """

    __slots__ = ("_deadline", "_interval", "_progress", "_seconds", "_seen", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = self._interval = seconds
        self._progress: Callable[[], int] | None = None
        self._seen = 0

    def watch(self, progress: Callable[[], int]) -> None:
        """Have a function tell how much the client has taken, before the block is entered."""
        self._interval, self._progress = self._seconds / 4, progress

    def renew(self) -> None:
        """Begin the seconds anew."""
        self._deadline = self._loop.time() + self._seconds

    def rest(self) -> None:
        """Count no seconds until `renew`: it is not the client who is waited for."""
        self._deadline = math.inf

    def __enter__(self) -> Self:
        super().__enter__()
        self.renew()
        self._timer = self._loop.call_later(self._interval, self._look)
        return self

    def _look(self) -> None:
        if self._progress and self._seen != (seen := self._progress()):
            self._seen, self._deadline = seen, max(self._deadline, self._loop.time() + self._seconds)
        now = self._loop.time()
        if now < self._deadline:
            self._timer = self._loop.call_at(min(self._deadline, now + self._interval), self._look)
        else:
            self.cancel()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> Literal[False]:
        self._timer.cancel()
        if super().__exit__(kind, error, trace):
            raise SendStalled(f"the client took nothing for {self._seconds:g} s") from None
        return False
