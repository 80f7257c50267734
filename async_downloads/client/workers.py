"""The connections that fetch one version: as many as are allowed, and fewer where the server refuses many."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

__all__ = ["WorkerPool"]


_CALM_SECONDS: Final = 10.0  # seconds without a refusal after which one more connection is tried


class WorkerPool:
    """Does `work` in up to `most` tasks at the same time. How many there are is how many live: nobody keeps count."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], most: int) -> None:
        self._work = work
        self._most = self._allowed = most
        self._living: set[asyncio.Task[None]] = set()
        self._group = asyncio.TaskGroup()
        self._clock = asyncio.get_running_loop().time
        self._refused_at = self._clock()

    async def run(self) -> None:
        """Begin with one, and return when none is left. Raises the group of what they raised."""
        async with self._group:
            self._add()

    def fill(self) -> None:
        """Have as many as are allowed. None can be added in a `finally`, where all may be about to end."""
        for _ in range(len(self._living), self._allowed):
            self._add()

    def scale_down(self) -> None:
        """Allow one fewer than there are: the one that asks goes."""
        self._allowed, self._refused_at = max(len(self._living) - 1, 1), self._clock()

    def scale_up(self) -> None:
        """Allow and add one more, if nothing was refused for a while."""
        if self._allowed < self._most and self._clock() - self._refused_at > _CALM_SECONDS:
            self._allowed, self._refused_at = self._allowed + 1, self._clock()
            self.fill()

    def _add(self) -> None:
        worker = self._group.create_task(self._work())
        self._living.add(worker)
        worker.add_done_callback(self._living.discard)
