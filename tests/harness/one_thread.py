"""The event loop's executor with one thread, which works only when the test lets it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

__all__ = ["OneThread", "executor"]


class OneThread(ThreadPoolExecutor):
    """The loop's executor: its one thread is busy until `release`. `asked` holds the calls that the loop made."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked: list[Future[Any]] = []
        self._gate = threading.Event()

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Note the call, which runs when the thread is free."""
        future = super().submit(function, *args, **named)
        self.asked.append(future)
        return future

    def occupy(self) -> None:
        """Keep the thread busy."""
        super().submit(self._gate.wait)

    def release(self) -> None:
        """Let the thread run the calls."""
        self._gate.set()


@pytest.fixture
async def executor() -> AsyncIterator[OneThread]:
    """Give the running loop an executor whose thread is busy."""
    executor = OneThread()
    asyncio.get_running_loop().set_default_executor(executor)
    executor.occupy()
    yield executor
    executor.release()
