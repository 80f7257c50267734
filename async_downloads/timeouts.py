"""Blocks that end early: when they are cancelled, or when a client takes no bytes for too long."""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Literal, Self, cast

from .errors import SendStalled

__all__ = ["OPEN_TIMEOUT", "READ_TIMEOUT", "STALL_TIMEOUT", "CancelScope", "StallTimer"]


STALL_TIMEOUT: Final = 60.0  # seconds
OPEN_TIMEOUT: Final = 10.0  # seconds to open a file, and to read its first bytes
READ_TIMEOUT: Final = 60.0  # seconds to read any later bytes


class CancelScope:
    """A block that other code can end. `cancel` cancels the block's task, and the end of the block catches the
    CancelledError.

    If other code also cancels the task, the block still raises CancelledError, as `asyncio.timeout` does.
    """

    __slots__ = ("_cancelled", "_cancelling", "_loop", "_task")

    def __enter__(self) -> Self:
        self._loop, self._task = asyncio.get_running_loop(), cast("asyncio.Task[object]", asyncio.current_task())
        self._cancelling, self._cancelled = self._task.cancelling(), False
        return self

    def cancel(self) -> None:
        """End the block. Call it at most once."""
        self._cancelled = self._task.cancel()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Return whether `cancel`, and nothing else, ended the block."""
        if not self._cancelled:
            return False
        return self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)


class StallTimer(CancelScope):
    """End the block with `SendStalled` if it is not renewed for `seconds`.

    running ── pause() ──> paused ── renew() ──> running
       └── `seconds` without renew() or progress ──> cancelled

    Its owner is the body that is sent. The body pauses the timer while it waits for its source and not for the client.
    `renew` runs for each chunk, so it only sets a deadline; when the timer fires, it compares the deadline with the
    time. With `watch`, the timer fires four times as often, and bytes that the client has received also renew it.
    """

    __slots__ = ("_deadline", "_interval", "_progress", "_seconds", "_seen", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = self._interval = seconds
        self._progress: Callable[[], int] | None = None
        self._seen = 0

    def watch(self, progress: Callable[[], int]) -> None:
        """Before the block, set `progress`, which returns how many bytes the client has received."""
        self._interval, self._progress = self._seconds / 4, progress

    def renew(self) -> None:
        """Start the time again, also after `pause`."""
        self._deadline = self._loop.time() + self._seconds

    def pause(self) -> None:
        """Stop the time until `renew`."""
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
            raise SendStalled(f"the client read nothing for {self._seconds:g} s") from None
        return False
