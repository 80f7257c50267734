"""The connections that fetch one version: as many as allowed, and fewer if the server refuses some of them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

__all__ = ["WorkerPool"]


_SCALE_UP_SECONDS: Final = 10.0  # without a refusal, after which one more worker is tried


class WorkerPool:
    """Runs `work` in up to `limit` tasks at the same time. `Fetch` owns one pool for each version that it fetches.

    Its states:

        one        `run` starts with one worker, which finds out whether the server supports ranges.
        full       `fill` starts workers up to the allowed number, at first `limit`. `work` gets True as the first
                   worker, because only the first one may use a host without a free slot.
        reduced    `scale_down` allows one worker fewer than are running; the worker that calls it must return.
                   `scale_up` allows one more after some seconds without a refusal.
        stopped    `stop` cancels the other workers: the file is complete.
        ending     A worker raised, and the task group cancels the others. The pool ends when no task is left.

    The number of workers is the number of live tasks, so it is right even if a task is cancelled before its first step.
    """

    def __init__(self, work: Callable[[bool], Coroutine[Any, Any, None]], limit: int) -> None:
        self._work = work
        self._limit = self._allowed = limit
        self._running: set[asyncio.Task[None]] = set()
        self._group = asyncio.TaskGroup()
        self._clock = asyncio.get_running_loop().time
        self._scale_up_at = self._clock()

    async def run(self) -> None:
        """Start one worker, and return when all workers have ended. Raises the group of their errors."""
        async with self._group:
            self._add(self._work(True))

    def fill(self) -> None:
        """Start workers up to the allowed number. Do not call this in a `finally`, because the group may be ending."""
        for _ in range(len(self._running), self._allowed):
            self._add(self._work(False))

    def scale_down(self, seconds: float = 0.0) -> None:
        """Allow one worker fewer than are running, for at least `seconds`. The caller is a worker and must end."""
        self._allowed = max(len(self._running) - 1, 1)
        self._scale_up_at = self._clock() + max(seconds, _SCALE_UP_SECONDS)

    def stop(self) -> None:
        """Cancel all workers except the caller, which is one of them."""
        for worker in self._running - {asyncio.current_task()}:
            worker.cancel()

    def scale_up(self) -> None:
        """Allow and start one more worker if the number has not changed for some seconds."""
        if self._allowed < self._limit and self._clock() >= self._scale_up_at:
            self._allowed, self._scale_up_at = self._allowed + 1, self._clock() + _SCALE_UP_SECONDS
            self.fill()

    def _add(self, work: Coroutine[Any, Any, None]) -> None:
        worker = self._group.create_task(work)
        self._running.add(worker)
        worker.add_done_callback(self._running.discard)
