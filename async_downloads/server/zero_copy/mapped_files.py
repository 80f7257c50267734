"""Parts of files that are mapped into memory, for the kernel's eyes only.

Pages of a file that has shrunk are an error code for a system call; were Python to look at them, they would be a
SIGBUS.
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


class _Segment:
    """A mapped part of a file; it stays mapped as long as somebody has the view."""

    __slots__ = ("used", "view")

    SIZE: Final = 64 * 1024 * 1024  # taking one away keeps the loop waiting for a millisecond

    def __init__(self, fd: int, number: int) -> None:
        start = number * self.SIZE
        size = min(self.SIZE, os.fstat(fd).st_size - start)
        mapped = mmap.mmap(fd, size, prot=mmap.PROT_READ, offset=start, **_WITHOUT_DESCRIPTOR)
        mapped.madvise(mmap.MADV_RANDOM)  # reading ahead is for those who wait for the disk, not for the event loop
        self.view = memoryview(mapped)
        self.used = 0.0  # when that was, in the loop's time


class MappedFiles:
    """The parts of files that are mapped: those used lately, since mapping is as dear as reading, and only so many.

    An idle one is taken away soon: until then a deleted file keeps its place on the disk, and before Python 3.13 each
    has a descriptor.
    """

    _MOST: Final = 256
    _IDLE: Final = 0.4  # seconds
    _AT_ONCE: Final = 8

    def __init__(self) -> None:
        self._segments: OrderedDict[tuple[int, ...], _Segment] = OrderedDict()
        self._sweeping: asyncio.TimerHandle | None = None

    def find(self, file: OpenFile, offset: int) -> memoryview | None:
        """Return the file from there to the end of the segment; None where there is nothing to map."""
        number, begin = divmod(offset, _Segment.SIZE)
        key = (*file.version, number)
        segment = self._segments.pop(key, None)
        if segment is not None and begin >= len(segment.view):  # the file has grown since
            segment = None
        try:
            segment = segment or _Segment(file.fd, number)
        except (OSError, ValueError, OverflowError):
            return None
        self._keep(key, segment)
        return segment.view[begin:]

    def _keep(self, key: tuple[int, ...], segment: _Segment) -> None:
        loop = asyncio.get_running_loop()
        segment.used = loop.time()
        self._segments[key] = segment  # the last one
        if len(self._segments) > self._MOST:
            self._segments.popitem(last=False)
        self._sweeping = self._sweeping or loop.call_later(self._IDLE, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take away a few idle ones, and look again while there are others."""
        oldest, soon = loop.time() - self._IDLE, self._IDLE
        for key in [key for key, segment in self._segments.items() if segment.used <= oldest][: self._AT_ONCE]:
            del self._segments[key]
            soon = 0.01
        self._sweeping = loop.call_later(soon, self._sweep, loop) if self._segments else None
