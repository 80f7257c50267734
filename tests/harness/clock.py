"""Clocks of an event loop that do not depend on how long the machine takes.

What is told to wait for 50 ms and then runs after 80 cannot know whether a client was slow or this process did not run.
With `Clock` it can: of each wait of the loop, and of all that it does between two, a few milliseconds count at most.
"""

import asyncio
import time
from typing import Any, Final

import pytest

__all__ = ["Clock", "SkippingClock", "StillClock"]

_COUNTS: Final = 0.002  # seconds of a wait, and of what is done until the next


class Clock:
    """The time of the running loop, until the test ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop: Any = asyncio.get_running_loop()
        self._now: float = loop.time()
        self._seen = time.monotonic()
        self._select = loop._selector.select
        monkeypatch.setattr(loop, "time", self.time)
        monkeypatch.setattr(loop._selector, "select", self._wait)

    def time(self) -> float:
        """Return what takes the place of the loop's own time."""
        return self._now

    def forward(self, seconds: float) -> None:
        """Have so much time passed at once."""
        self._now += seconds

    def _wait(self, timeout: float | None) -> Any:
        self._count()
        found = self._select(_COUNTS if timeout is None else min(timeout, _COUNTS))
        self._count()
        return found

    def _count(self) -> None:
        now = time.monotonic()
        self._now += min(now - self._seen, _COUNTS)
        self._seen = now


class StillClock:
    """The time of the running loop, until the test ends: `now`, in seconds, which goes on when it is put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


class SkippingClock(StillClock):
    """One that somebody who sleeps puts forward, and that takes no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self._sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", self._skip)

    async def _skip(self, seconds: float) -> None:
        self.now += seconds
        await self._sleep(0)
