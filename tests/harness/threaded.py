"""A server in a thread of its own, for a test whose own thread is blocked."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from harness.waiting import HANGING

__all__ = ["threaded"]

T = TypeVar("T")


@contextmanager
def threaded(server: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Hold an asynchronous context open in another thread's event loop until the end of the block."""
    entered: Future[T] = Future()
    left = asyncio.Event()

    async def live() -> None:
        try:
            async with server as value:
                entered.set_result(value)
                await left.wait()
        except BaseException as error:
            if entered.done():
                raise
            entered.set_exception(error)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    try:
        yield entered.result(timeout=HANGING)
    finally:
        loop.call_soon_threadsafe(left.set)
        thread.join(timeout=HANGING)
        loop.close()
