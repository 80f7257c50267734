"""The task that closes an idle connection, created only when the connection has been idle for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hypercorn.asyncio.worker_context import AsyncioSingleTask

__all__ = ["DeferredTask"]


class DeferredTask(AsyncioSingleTask):
    """Takes the place of Hypercorn's `SingleTask`, which creates and cancels a task with every request.

    Each connection owns one. It is stopped, or waits for its timer, or runs its task. On a busy connection the next
    request stops it before the timer fires, so no task is created.
    """

    _DELAY_SECONDS: Final = 0.25

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def restart(self, task_group: Any, action: Callable[[], Awaitable[None]]) -> None:
        """Stop what runs, then run `action` from its start after the delay."""
        stopped = self._forget()
        self._timer = asyncio.get_running_loop().call_later(self._DELAY_SECONDS, self._start, task_group, action)
        await _cancel(stopped)

    async def stop(self) -> None:
        """Stop the timer or the task, and wait until the task has ended."""
        await _cancel(self._forget())

    def _start(self, task_group: Any, action: Callable[[], Awaitable[None]]) -> None:
        self._task = task_group._task_group.create_task(action())  # as `AsyncioSingleTask` does

    def _forget(self) -> asyncio.Task[None] | None:
        """Stop the timer; return the task, if one runs, for the caller to cancel."""
        if self._timer is not None:
            self._timer.cancel()
        task, self._timer, self._task = self._task, None, None
        return task


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
