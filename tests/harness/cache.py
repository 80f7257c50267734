"""What the kernel has cached of a file, and how to have it forget that."""

import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["evict"]

_libc = ctypes.CDLL(None, use_errno=True)


def evict(path: Path, *, but: Iterable[tuple[int, int]] = ()) -> None:
    """Take a file that nobody has mapped out of the page cache.

    Then read again what is excepted, each told by its offset and length.
    """
    with path.open("rb") as file:
        fd = file.fileno()
        os.fsync(fd)
        while _cached_pages(fd):  # the kernel leaves a page alone while anybody else looks at it
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)  # so that nothing is read ahead
        for offset, count in but:
            os.pread(fd, count, offset)


def _cached_pages(fd: int) -> int:
    """Count the pages of a file that are cached, without touching one."""
    with mmap.mmap(fd, 0, access=mmap.ACCESS_COPY) as mapped:
        pages = (ctypes.c_ubyte * -(-len(mapped) // mmap.PAGESIZE))()
        start = ctypes.c_char.from_buffer(mapped)
        assert not _libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(len(mapped)), pages)
        del start
    return sum(page & 1 for page in pages)
