"""Take files out of the kernel's page cache."""

import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["evict"]

_libc = ctypes.CDLL(None, use_errno=True)


def evict(path: Path, *, but: Iterable[tuple[int, int]] = ()) -> None:
    """Take a file out of the page cache. No process may have it mapped.

    Then read the exceptions again; each is an offset and a length in bytes.
    """
    with path.open("rb") as file:
        fd = file.fileno()
        os.fsync(fd)
        while _cached_pages(fd):  # the kernel keeps a page while another process uses it
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)  # so that nothing is read ahead
        for offset, count in but:
            os.pread(fd, count, offset)


def _cached_pages(fd: int) -> int:
    """Count the cached pages of a file without reading any."""
    with mmap.mmap(fd, 0, access=mmap.ACCESS_COPY) as mapped:
        pages = (ctypes.c_ubyte * -(-len(mapped) // mmap.PAGESIZE))()
        start = ctypes.c_char.from_buffer(mapped)
        assert not _libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(len(mapped)), pages)
        del start
    return sum(page & 1 for page in pages)
