"""Work that must not run on the event loop: one way into a thread, and what happens to the work on cancellation."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import Final, TypeVar

import aiofiles.os

__all__ = ["await_shielded", "in_thread", "raise_mmap_threshold"]


T = TypeVar("T")
# More than the largest chunk. A thread then keeps at most twice as many bytes; these ones are never touched.
_FREED_BYTES: Final = 4 * 1024 * 1024


async def await_shielded(work: Awaitable[T]) -> T:
    """Await `work` to its end, even if the caller is cancelled: a thread may have a descriptor in use.

    Raises CancelledError only after that.
    """
    pending = asyncio.ensure_future(work)
    cancelled = False
    while not pending.done():
        try:
            await asyncio.wait([pending])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        if not pending.cancelled():
            pending.exception()  # else asyncio would log that the error was never retrieved
        raise asyncio.CancelledError
    return pending.result()


async def in_thread(
    function: Callable[[], T], *, discard: Callable[[T], object] = lambda _: None, executor: Executor | None = None
) -> T:
    """Run `function` in a thread of `executor`, by default the event loop's own.

    A cancelled caller does not stop the thread: what `function` then returns goes to `discard`, which closes it.
    """
    pending = asyncio.ensure_future(aiofiles.os.wrap(function)(executor=executor))
    try:
        return await asyncio.shield(pending)
    except asyncio.CancelledError:
        pending.add_done_callback(partial(_discard, discard))
        raise


def _discard(discard: Callable[[T], object], pending: "asyncio.Future[T]") -> None:
    if not pending.cancelled() and pending.exception() is None:
        discard(pending.result())


def raise_mmap_threshold() -> None:
    """Make the C library keep freed memory for the next chunk instead of returning it to the system.

    When a large block is freed, glibc raises the size from which it takes blocks from the system one by one
    (mallopt(3), `M_MMAP_THRESHOLD`). New memory costs page faults: without this, 175,000 of them for a gigabyte.
    """
    bytearray(_FREED_BYTES)
