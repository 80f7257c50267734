"""Run work in threads instead of on the event loop, and handle callers that are cancelled meanwhile."""

import asyncio
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import aiofiles.os

__all__ = [
    "ARCHIVE_THREADS",
    "LISTING_THREADS",
    "PREVIEW_THREADS",
    "STREAM_THREADS",
    "DaemonThreads",
    "MustWait",
    "abandon",
    "await_shielded",
    "in_thread",
    "is_on_loop",
    "lower_priority",
    "raise_mmap_threshold",
    "retrieve_exception",
]


T = TypeVar("T")
_LOW_NICENESS: Final = 10
# More than the largest chunk of a file. A thread then keeps up to twice this size. The block itself is never used.
_FREED_BYTES: Final = 4 * 1024 * 1024


async def await_shielded(work: Awaitable[T]) -> T:
    """Await `work` to its end, even if the caller is cancelled, because a thread may still use a descriptor.

    If the caller was cancelled, CancelledError is raised only after the work has ended.
    """
    pending = asyncio.ensure_future(work)
    cancelled = False
    while not pending.done():
        try:
            await asyncio.wait([pending])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        retrieve_exception(pending)
        raise asyncio.CancelledError
    return pending.result()


def retrieve_exception(work: "asyncio.Future[T]") -> None:
    """Retrieve the exception of ended work that is no longer awaited; otherwise asyncio would log it."""
    if not work.cancelled():
        work.exception()


def abandon(work: "asyncio.Future[T] | None") -> None:
    """Cancel work that is no longer awaited, and retrieve its exception if it has ended."""
    if work and not work.cancel():
        retrieve_exception(work)


async def in_thread(
    function: Callable[[], T], *, discard: Callable[[T], object] = lambda _: None, executor: Executor | None = None
) -> T:
    """Run `function` in a thread of `executor`, by default the event loop's own.

    If the caller is cancelled, the thread does not stop: the result of `function` then goes to `discard`, which closes
    it. If `function` still waits for a thread, it is not called. Raises RuntimeError if `function` calls `sys.exit`.
    """
    abandoned: list[bool] = []

    def unless_abandoned() -> T:
        if abandoned:
            raise _Abandoned
        try:
            return function()
        except (SystemExit, KeyboardInterrupt) as error:  # in a task, it would end the event loop
            raise RuntimeError(f"{error!r} was raised in a thread") from error

    pending = asyncio.ensure_future(aiofiles.os.wrap(unless_abandoned)(executor=executor))
    try:
        return await asyncio.shield(pending)
    except asyncio.CancelledError:
        abandoned.append(True)
        pending.add_done_callback(partial(_discard, discard))
        raise


class _Abandoned(Exception):
    """The caller of the work was cancelled before a thread began the work."""


def _discard(discard: Callable[[T], object], pending: "asyncio.Future[T]") -> None:
    if not pending.cancelled() and pending.exception() is None:
        discard(pending.result())


class MustWait(Exception):
    """The work would have to wait. The caller must repeat all of it, in a thread or later."""


def is_on_loop() -> bool:
    """Whether the caller runs on an event loop, where it must not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def lower_priority() -> None:
    """Give this thread a lower priority than the event loop, because work for a disk can wait."""
    if sys.platform == "linux":  # only on Linux each thread has its own priority
        thread = threading.get_native_id()
        with suppress(OSError):  # a filter of system calls may forbid it
            niceness = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, max(niceness, _LOW_NICENESS))


class _Work(NamedTuple):
    future: "Future[Any]"
    function: Callable[[], Any]
    since: float


class DaemonThreads(Executor):
    """Up to `most` threads for work that may never end. They do not keep the process from ending.

    A thread is started when work comes and no thread is idle. It ends when it has had no work for `_IDLE_SECONDS`.
    """

    _IDLE_SECONDS: Final = 10.0

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._waiting = 0
        self._work: deque[_Work] = deque()
        self._changed = threading.Condition()

    def submit(self, function: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        """Run the function in one of the threads."""
        future: Future[T] = Future()
        with self._changed:
            self._work.append(_Work(future, partial(function, *args, **named), time.monotonic()))
            if self._waiting < len(self._work) and self._count < self._most:
                self._count += 1
                threading.Thread(target=self._run, name="file system", daemon=True).start()
            else:
                self._changed.notify()
        return future

    def is_stuck(self, seconds: float) -> bool:
        """Whether work has waited for a thread for more than `seconds`. New work would have to wait even longer."""
        with self._changed:
            return bool(self._work) and time.monotonic() - self._work[0].since > seconds

    def _run(self) -> None:
        while work := self._next():
            _complete(work.future, work.function)
            del work  # else the thread would keep it until the next one

    def _next(self) -> _Work | None:
        """Wait for work. Return None if there was no work for `_IDLE_SECONDS`, so that the thread ends."""
        with self._changed:
            self._waiting += 1
            found = self._changed.wait_for(lambda: self._work, self._IDLE_SECONDS)
            self._waiting -= 1
            if found:
                return self._work.popleft()
            self._count -= 1
            return None


def _complete(future: "Future[T]", function: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 - the caller raises it
        future.set_exception(error)


# Reading and drawing the list of a large directory takes seconds. In these threads it does not delay the opening of
# files.
LISTING_THREADS: Final = ThreadPoolExecutor(2, thread_name_prefix="listing")
# Many clients may request pages of files, or archives, at the same time. They must not delay the lists of directories.
PREVIEW_THREADS: Final = ThreadPoolExecutor(1, thread_name_prefix="preview")
ARCHIVE_THREADS: Final = ThreadPoolExecutor(1, thread_name_prefix="archive")
# Reading the next piece of a pipe or of a generator may take for ever. In these threads it delays no file.
STREAM_THREADS: Final = DaemonThreads(64)


def raise_mmap_threshold() -> None:
    """Make the C library keep freed memory for the next chunk instead of returning it to the system.

    glibc takes each block above a threshold directly from the system (mallopt(3), `M_MMAP_THRESHOLD`), and such new
    memory causes page faults: 175,000 for a gigabyte. When a larger block is freed, glibc raises the threshold.
    """
    bytes(_FREED_BYTES)  # unlike a bytearray, this does not touch its pages, which would take milliseconds
