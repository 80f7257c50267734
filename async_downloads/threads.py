"""Work that must not run on the event loop: one way into a thread, and what happens to it on cancellation."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import Final, TypeVar

import aiofiles.os

__all__ = ["await_shielded", "in_thread", "raise_mmap_threshold"]


T = TypeVar("T")
_FREED: Final = (
    4 * 1024 * 1024
)  # bytes, never touched: more than the largest chunk; a thread keeps twice as much at most


async def await_shielded(work: Awaitable[T]) -> T:
    """Await `work` to its end even when cancelled, and be cancelled then: a thread may have a descriptor in use."""
    pending = asyncio.ensure_future(work)
    cancelled = False
    while not pending.done():
        try:
            await asyncio.wait([pending])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        if not pending.cancelled():
            pending.exception()  # nobody else is there to take it
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
    """Have the C library keep what is freed for the next chunk, where it would give it back to the system.

    To glibc a large block that is freed is a sign of more to come (mallopt(3), `M_MMAP_THRESHOLD`). Memory that is new
    again each time costs page faults: 175,000 for a gigabyte.
    """
    bytearray(_FREED)
