"""Clocks of an event loop that do not depend on how long the machine takes.

A timer of 50 ms that fires after 80 cannot tell a slow client from a busy machine. With `Clock` it can: each wait of
the loop, and the work between two waits, count at most two milliseconds.
"""

import asyncio
import time
from typing import Any, Final

import pytest

__all__ = ["Clock", "HastyClock", "SkippingClock", "StillClock"]

_COUNTS: Final = 0.002  # seconds that one wait, or the work between two, counts at most


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
        """Return the time in seconds, as `loop.time` does."""
        return self._now

    def forward(self, seconds: float) -> None:
        """Move the time forward."""
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
    """The time of the running loop, until the test ends: `now`, in seconds. It moves only with the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


class SkippingClock(StillClock):
    """A clock that `asyncio.sleep` moves forward at once, without waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self._sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", self._skip)

    async def _skip(self, seconds: float) -> None:
        self.now += seconds
        await self._sleep(0)


class HastyClock:
    """The time of the running loop, until the test ends: it skips the time in which the loop would only wait.

    So ten seconds of a limited download take as long as its bytes. Sockets and threads have a moment in each wait.
    """

    _MOMENT: Final = 0.0005  # seconds

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop: Any = asyncio.get_running_loop()
        self.now = 100.0
        self._select = loop._selector.select
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(loop._selector, "select", self._skip)

    def _skip(self, timeout: float | None) -> Any:
        found = self._select(self._MOMENT if timeout is None else min(timeout, self._MOMENT))
        if not found and timeout:
            self.now += timeout
        return found
