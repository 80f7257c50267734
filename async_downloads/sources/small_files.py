"""A cache of small files, each valid while the file on the disk is still the same version."""

import threading
import time
from collections import OrderedDict
from os import stat, stat_result
from typing import Final, NamedTuple

from .memory import MemorySource

__all__ = ["SmallFileCache"]


_MTIME_INDEX: Final = 3  # where a version holds the modification time
_Key = tuple[str, str | None]  # a path, and the content coding that its bytes are described with


class _CachedFile(NamedTuple):
    source: MemorySource
    version: tuple[int, ...]
    cached_at: float


class SmallFileCache:
    """Sources by path and content coding, 16 MiB in all; the least recently used leave first.

    Owner: one DirectoryStore, which describes a file by its path, its coding and its version only. The coding is part
    of the key because `x.gz` is both a file of its own and the gzip coding of `x`.

    States of an entry: fresh for `_FRESH_SECONDS` after `put`, and valid as long as `stat` reports the same version.
    `get` removes an entry that is neither. The age is limited because a directory on the way to the file may be
    replaced by a link that leads out of the store.

    One `stat` replaces the six system calls that open, check, read and close a file. The version holds everything that
    the strong ETag is made of, so cached bytes always match their ETag.

    Several threads use the cache. The lock protects the entries and the count of free bytes; no thread waits for the
    disk while it holds the lock.
    """

    __slots__ = ("_entries", "_free_bytes", "_lock")

    _CAPACITY_BYTES: Final = 16 * 1024 * 1024
    _FRESH_SECONDS: Final = 1.0
    _CLOCK_TICK_NS: Final = 50_000_000

    def __init__(self) -> None:
        self._entries: OrderedDict[_Key, _CachedFile] = OrderedDict()
        self._free_bytes = self._CAPACITY_BYTES
        self._lock = threading.Lock()

    def get(self, path: str, coding: str | None) -> tuple[MemorySource, int] | None:
        """Return the cached source and its modification time in nanoseconds, or None if it is not cached or stale."""
        key = path, coding
        with self._lock:
            entry = self._entries.get(key)
        if entry is None:
            return None
        is_valid = time.monotonic() - entry.cached_at < self._FRESH_SECONDS and _version_at(path) == entry.version
        with self._lock:
            if not is_valid:
                self._remove(key)
            elif key in self._entries:  # another thread may have removed it during the `stat`
                self._entries.move_to_end(key)
        return (entry.source, entry.version[_MTIME_INDEX]) if is_valid else None

    def put(self, path: str, status: stat_result, source: MemorySource) -> MemorySource:
        """Cache a source that was read from a file with that status, and return the source.

        A file that changed within the last `_CLOCK_TICK_NS` is not cached: it could change again without a new
        modification time, because file systems count time in ticks.
        """
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < self._CLOCK_TICK_NS:
            return source
        key = path, source.representation.coding
        with self._lock:
            self._remove(key)
            self._entries[key] = _CachedFile(source, _version(status), time.monotonic())
            self._free_bytes -= len(source.data)
            while self._free_bytes < 0:
                self._remove(next(iter(self._entries)))
        return source

    def _remove(self, key: _Key) -> None:
        if entry := self._entries.pop(key, None):
            self._free_bytes += len(entry.source.data)


def _version(status: stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _version_at(path: str) -> tuple[int, ...] | None:
    try:
        return _version(stat(path))
    except OSError:
        return None
