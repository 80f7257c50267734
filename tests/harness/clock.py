"""A clock of an event loop that stands still while the machine does, and that can be put forward.

What is told to wait for 50 ms and then runs after 80 cannot know whether a client was slow or this process did not run.
With this clock it can: of each wait of the loop, and of all that it does between two, a few milliseconds count at most.
"""

import asyncio
import time
from typing import Any, Final

import pytest

__all__ = ["Clock"]

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
