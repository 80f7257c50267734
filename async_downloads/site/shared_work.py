"""Work that is done once for all requests that need the same result, such as reading the entries of a folder.

    absent ── first request ──> working ── done ──> kept ── the version changed, or too old ──> absent
                                   └── every client that waits has left: the work stops ──────────┘

A result is kept for ten times as long as the work took, so repeated work takes at most a tenth of the time.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from ..threads import retrieve_exception

__all__ = ["SharedWork", "Version"]


T = TypeVar("T")
_KEPT_BYTES: Final = 32 * 1024 * 1024
_ENTRY_BYTES: Final = 1_000  # of memory that a result takes besides its data and its key
_MIN_KEPT_SECONDS: Final = 1.0
_MAX_KEPT_SECONDS: Final = 60.0
_KEPT_PER_WORK: Final = 10.0
Version = Callable[[], Awaitable[Hashable]]


@dataclass(slots=True)
class _Working(Generic[T]):
    """Work that is running, and the number of requests that wait for it."""

    task: "asyncio.Task[T]"
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    result: T
    version: Hashable
    began: float  # in seconds since 1970, as the dates of files
    until: float
    size: int


class SharedWork(Generic[T]):
    """The results of one kind of work, by key. It belongs to one event loop.

    All kept results and their keys have at most 32 MiB together, as `size_of` counts. If there are more, the result
    that was used longest ago is removed first.
    """

    def __init__(self, size_of: Callable[[T], int]) -> None:
        self._size_of = size_of
        self._working: dict[Hashable, _Working[T]] = {}
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()
        self._bytes = 0

    async def get(self, key: Hashable, work: Callable[[], Awaitable[T]], version: Version | None = None) -> T:
        """Return the result with that key: the kept one, the one being worked on, or a new one.

        `version` returns a value that differs if the data have changed, or None if that is not known. Without
        `version` no result is kept.
        """
        if kept := self._kept.get(key):
            if version and _now() < kept.until and kept.version == await version():
                if key in self._kept:
                    self._kept.move_to_end(key)
                return kept.result
            self._forget(key, kept)
        if not (working := self._working.get(key)):
            working = self._working[key] = _Working(asyncio.create_task(self._run(key, work, version)))
            working.task.add_done_callback(partial(self._finish, key, working))
        return await _join(working)

    def peek(self, key: Hashable, *, changed: int) -> T | None:
        """Return the kept result with that key if its work began after the second `changed` (since 1970); else None."""
        kept = self._kept.get(key)
        return kept.result if kept and kept.began >= changed + 1 else None

    async def _run(self, key: Hashable, work: Callable[[], Awaitable[T]], version: Version | None) -> T:
        began, started = time.time(), _now()
        found = await version() if version else None
        result = await work()
        if found is not None:
            self._keep(key, result, found, began=began, seconds=_now() - started)
        return result

    def _finish(self, key: Hashable, working: _Working[T], task: "asyncio.Task[T]") -> None:
        if self._working.get(key) is working:
            del self._working[key]
        retrieve_exception(task)  # all requests that waited may have left

    def _keep(self, key: Hashable, result: T, version: Hashable, *, began: float, seconds: float) -> None:
        size = self._size_of(result) + _ENTRY_BYTES + len(repr(key))  # clients choose long queries
        if size > _KEPT_BYTES:
            return
        while self._bytes + size > _KEPT_BYTES:
            self._forget(*next(iter(self._kept.items())))
        kept_seconds = min(max(_KEPT_PER_WORK * seconds, _MIN_KEPT_SECONDS), _MAX_KEPT_SECONDS)
        self._kept[key] = _Kept(result, version, began, _now() + kept_seconds, size)
        self._bytes += size

    def _forget(self, key: Hashable, kept: _Kept[T]) -> None:
        if self._kept.get(key) is kept:
            del self._kept[key]
            self._bytes -= kept.size


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _join(working: _Working[T]) -> T:
    """Wait for the result; if the last request that waits is cancelled, cancel the work."""
    working.waiting += 1
    try:
        return await asyncio.shield(working.task)
    finally:
        working.waiting -= 1
        if not working.waiting:
            working.task.cancel()
