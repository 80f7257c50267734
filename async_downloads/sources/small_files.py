"""A cache of small files. An entry is valid while the file on the disk has the same version."""

import asyncio
import threading
import time
from collections import OrderedDict
from itertools import count
from os import stat_result
from typing import Final, NamedTuple

from ..file_systems import file_version, version_at
from .memory import MemorySource

__all__ = ["SmallFileCache"]


_MTIME_INDEX: Final = 3  # the position of the modification time in a version
_Key = tuple[int, str, str | None]  # a store, a path, and the content coding in the description


class _CachedFile(NamedTuple):
    source: MemorySource
    version: tuple[int, ...]
    cached_at: float


class _Memory:
    """The cached files of all stores, the oldest first. The lock protects everything in it."""

    def __init__(self) -> None:
        self.files: OrderedDict[_Key, _CachedFile] = OrderedDict()
        self.bytes = 0
        self.lock = threading.Lock()
        self.next_sweep = 0.0


_memory: Final = _Memory()
_numbers: Final = count()


class SmallFileCache:
    """Sources by path and content coding. All caches of a process share 16 MiB; the oldest files are removed first.

    Owner: one DirectoryStore, which describes a file only by its path, its coding and its version. The coding is part
    of the key because `x.gz` is both a file and the gzip coding of `x`.

    States of a file: fresh for `_FRESH_SECONDS` after `put`, and valid as long as `stat` reports the same version.
    `get` removes a file that is neither, and `sweep_later` removes all stale files soon. The age is limited because
    a directory in the path may be replaced by a link that leads out of the store.

    One `stat` replaces the six system calls that open, check, read and close a file. The strong ETag is made only from
    the version, so cached bytes always match their ETag.

    Several threads use the cache. None of them waits for the disk while it holds the lock.
    """

    __slots__ = ("_number",)

    _CAPACITY_BYTES: Final = 16 * 1024 * 1024
    _ENTRY_BYTES: Final = 1536  # memory of one entry besides its content: names, description and times
    _FRESH_SECONDS: Final = 1.0
    _CLOCK_TICK_NS: Final = 50_000_000

    def __init__(self) -> None:
        self._number = next(_numbers)

    def get(self, path: str, coding: str | None) -> tuple[MemorySource, int] | None:
        """Return the cached source and its modification time in nanoseconds; None if it is not cached or is stale."""
        key = self._number, path, coding
        found = _memory.files.get(key)
        if found is None:
            return None
        if time.monotonic() - found.cached_at < self._FRESH_SECONDS and version_at(path) == found.version:
            return found.source, found.version[_MTIME_INDEX]
        with _memory.lock:
            self._remove(key)
        return None

    def put(self, path: str, status: stat_result, source: MemorySource) -> MemorySource:
        """Cache a source that was read from a file with that status, and return the source.

        A file that changed within the last `_CLOCK_TICK_NS` is not cached: it could change again without a new
        modification time, because file systems count time in ticks.
        """
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < self._CLOCK_TICK_NS:
            return source
        key = self._number, path, source.representation.coding
        with _memory.lock:
            self._remove(key)
            _memory.files[key] = _CachedFile(source, file_version(status), time.monotonic())
            _memory.bytes += self._cost(source)
            self._remove_stale()
            while _memory.bytes > self._CAPACITY_BYTES:
                self._remove(next(iter(_memory.files)))
        return source

    def sweep_later(self) -> None:
        """Remove stale files soon, on the running event loop, even if no other request comes."""
        now = time.monotonic()
        if _memory.files and now >= _memory.next_sweep:
            _memory.next_sweep = now + 2 * self._FRESH_SECONDS
            asyncio.get_running_loop().call_later(2 * self._FRESH_SECONDS, self._sweep)

    def _sweep(self) -> None:
        with _memory.lock:
            self._remove_stale()
        self.sweep_later()

    def _remove_stale(self) -> None:
        oldest = time.monotonic() - self._FRESH_SECONDS
        while (key := next(iter(_memory.files), None)) and _memory.files[key].cached_at <= oldest:
            self._remove(key)

    def _remove(self, key: _Key) -> None:
        if found := _memory.files.pop(key, None):
            _memory.bytes -= self._cost(found.source)

    def _cost(self, source: MemorySource) -> int:
        return self._ENTRY_BYTES + len(source.data)
