"""Parts of files that are mapped into memory, for system calls to read.

If a file shrinks, a system call that reads its missing pages returns an error. Python code that reads them gets a
SIGBUS, so no code of ours looks into a mapping.
"""

import asyncio
import mmap
import os
import sys
from collections import OrderedDict
from typing import Any, Final

from ...open_file import OpenFile

__all__ = ["MappedFiles"]


_WITHOUT_DESCRIPTOR: Final[dict[str, Any]] = {"trackfd": False} if sys.version_info >= (3, 13) else {}


class _Mapping:
    """A mapped part of a file. It stays mapped as long as its view is referenced."""

    __slots__ = ("used", "view")

    SIZE_BYTES: Final = 64 * 1024 * 1024  # unmapping one blocks the event loop for a millisecond

    def __init__(self, fd: int, number: int) -> None:
        start = number * self.SIZE_BYTES
        size = min(self.SIZE_BYTES, os.fstat(fd).st_size - start)
        mapped = mmap.mmap(fd, size, prot=mmap.PROT_READ, offset=start, **_WITHOUT_DESCRIPTOR)
        mapped.madvise(mmap.MADV_RANDOM)  # the event loop reads cached pages only: read-ahead would block it
        self.view = memoryview(mapped)
        self.used = 0.0  # the loop's time of the last use


class MappedFiles:
    """A cache of mappings, keyed by file version and number; least recently used first.

    Mapping costs as much as reading, so mappings are reused. At most 256 are kept. An idle one is dropped after 0.4
    seconds: until then a deleted file occupies its disk space, and before Python 3.13 each mapping holds a descriptor.
    The connections of one event loop share a cache and use it on that loop only.
    """

    _MAX_MAPPINGS: Final = 256
    _IDLE_SECONDS: Final = 0.4
    _MAX_DROPS: Final = 8  # in one turn of the event loop
    _NEXT_DROPS_SECONDS: Final = 0.01

    def __init__(self) -> None:
        self._mappings: OrderedDict[tuple[int, ...], _Mapping] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def find(self, file: OpenFile, offset: int) -> memoryview | None:
        """Return the file's bytes from `offset` to the end of their mapping; None if they cannot be mapped."""
        number, begin = divmod(offset, _Mapping.SIZE_BYTES)
        key = (*file.version, number)
        mapping = self._mappings.pop(key, None)
        if mapping is not None and begin >= len(mapping.view):  # the file has grown since it was mapped
            mapping = None
        try:
            mapping = mapping or _Mapping(file.fd, number)
        except (OSError, ValueError, OverflowError):
            return None
        self._keep(key, mapping)
        return mapping.view[begin:]

    def _keep(self, key: tuple[int, ...], mapping: _Mapping) -> None:
        loop = asyncio.get_running_loop()
        mapping.used = loop.time()
        self._mappings[key] = mapping  # at the end of the order
        if len(self._mappings) > self._MAX_MAPPINGS:
            self._mappings.popitem(last=False)
        self._timer = self._timer or loop.call_later(self._IDLE_SECONDS, self._drop_idle, loop)

    def _drop_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop a few idle mappings; run again while any mapping is left, soon if more may be idle."""
        deadline, delay = loop.time() - self._IDLE_SECONDS, self._IDLE_SECONDS
        idle = [key for key, mapping in self._mappings.items() if mapping.used <= deadline]
        for key in idle[: self._MAX_DROPS]:
            del self._mappings[key]
            delay = self._NEXT_DROPS_SECONDS
        self._timer = loop.call_later(delay, self._drop_idle, loop) if self._mappings else None
