"""A task that is seldom needed, for what Hypercorn begins and ends with every request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hypercorn.asyncio.worker_context import AsyncioSingleTask

__all__ = ["DeferredTask"]


class DeferredTask(AsyncioSingleTask):
    """A task that is made only when nobody has stopped it for a while: in the place of Hypercorn's `SingleTask`."""

    _LATE: Final = 0.25  # seconds

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def restart(self, task_group: Any, action: Callable[[], Awaitable[None]]) -> None:
        """Have `action` run, after a while and from its start."""
        ending = self._drop()
        self._timer = asyncio.get_running_loop().call_later(self._LATE, self._begin, task_group, action)
        await _ended(ending)

    async def stop(self) -> None:
        """Have nothing run."""
        await _ended(self._drop())

    def _begin(self, task_group: Any, action: Callable[[], Awaitable[None]]) -> None:
        self._task = task_group._task_group.create_task(action())  # as Hypercorn's own does it

    def _drop(self) -> asyncio.Task[None] | None:
        if self._timer is not None:
            self._timer.cancel()
        task, self._timer, self._task = self._task, None, None
        return task


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
