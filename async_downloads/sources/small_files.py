"""Small files at hand: what was read lately, for as long as the file on the disk is still that version."""

import os
import time
from collections import OrderedDict
from typing import Final, NamedTuple

from .memory import MemorySource

__all__ = ["SmallFileCache"]


_MTIME: Final = 3  # its place in a version
_Key = tuple[str, str | None]  # a path, and the content coding that its bytes are told to be in


class _Kept(NamedTuple):
    source: MemorySource
    version: tuple[int, ...]
    since: float


class SmallFileCache:
    """Sources by path and content coding, the least recently wanted of them leaving first; 16 MiB in all.

    `x.gz` is described in two ways: as the file of that name, and as `x` in the coding gzip. A shelf is for one store,
    which describes a file by nothing else but these two and its version.

    One call that asks the disk for the version replaces six that open, check, read and close. The version is all
    that a strong entity tag is made of, so the bytes are the ones the tag stands for. Where a path leads is looked up
    anew when the source has been here for `_SECONDS`.
    """

    __slots__ = ("_kept", "_room")

    _ROOM: Final = 16 * 1024 * 1024
    _SECONDS: Final = 1.0
    _TICK_NS: Final = 50_000_000

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._room = self._ROOM

    def get(self, path: str, coding: str | None) -> tuple[MemorySource, int] | None:
        """Return the source at the path and its modification time (ns), if it is here and has not changed."""
        key = path, coding
        kept = self._kept.get(key)
        if kept is None:
            return None
        if time.monotonic() - kept.since < self._SECONDS and _version_at(path) == kept.version:
            self._kept.move_to_end(key)
            return kept.source, kept.version[_MTIME]
        self._remove(key)
        return None

    def put(self, path: str, status: os.stat_result, source: MemorySource) -> MemorySource:
        """Keep a source that was read from a file of that status, and return it.

        A file that was changed just now may change once more within the same tick of its clock: it is not kept.
        """
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < self._TICK_NS:
            return source
        key = path, source.representation.coding
        if key in self._kept:
            self._remove(key)
        self._kept[key] = _Kept(source, _version(status), time.monotonic())
        self._room -= len(source.data)
        while self._room < 0:
            self._remove(next(iter(self._kept)))
        return source

    def _remove(self, key: _Key) -> None:
        self._room += len(self._kept.pop(key).source.data)


def _version(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _version_at(path: str) -> tuple[int, ...] | None:
    try:
        return _version(os.stat(path))
    except OSError:
        return None
