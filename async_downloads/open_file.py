"""One open file, read without blocking the event loop.

Pages that the kernel has cached are read on the loop, the others in a thread. A small chunk is read in a way that may
not wait (`RWF_NOWAIT`). Of a large one single bytes are, the last of each region: if those pages are there, so are
almost always the ones between, and a plain `pread` then makes the `bytes` that are sent, without a buffer in between.
Kernels and file systems that cannot read in this way get the thread.

Cancelling a read leaves its thread running. Were the descriptor closed meanwhile, its number would be given to
another file and the thread would read that one: so a close waits for the last thread.
"""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final, NamedTuple, Self
from weakref import WeakValueDictionary

from .threads import T

__all__ = ["Descriptor", "FileRegion", "OpenFile"]


_Version = tuple[int, int, int, int, int]


class Descriptor:
    """An open file descriptor, and how many use it; the last one to release it closes it."""

    __slots__ = ("__weakref__", "_users", "fd", "status", "version")

    def __init__(self, fd: int) -> None:
        self.fd: int = fd
        self.status: os.stat_result = os.fstat(fd)
        status = self.status
        self.version: _Version = (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
        self._users = 1

    def shared(self) -> "Descriptor":
        """Return, in the place of this one, what is open of the same version of the same file.

        A version is told by its size and its times. Positions are not shared, since everybody reads from offsets.
        """
        with _lock:
            found = _open.setdefault(self.version, self)
            if found is self:
                return self
            if not found._users:  # it is being closed
                _open[self.version] = self
                return self
            found._users += 1  # right after the test: nothing can be collected in between
        self.release()
        return found

    def release(self) -> None:
        """Close it, unless somebody else uses it."""
        with _lock:
            self._users -= 1
            last = not self._users
        if last:
            os.close(self.fd)


# Files are opened in threads, too; and while it is held, a file that nobody closed may be collected, and released.
_lock: Final = threading.RLock()
_open: "Final[WeakValueDictionary[_Version, Descriptor]]" = WeakValueDictionary()
# A FIFO must not block the open, a terminal must not become ours, a child process must not inherit.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", None)  # Linux alone has it
_STRIDE: Final = 256 * 1024  # bytes that one page, the last of them, stands for
_COPIED: Final = 64 * 1024  # up to here a second copy costs less than a second call
_PROBE: Final = bytearray(1)  # its content is of no interest, so all files may share it


@cache
def _nowhere() -> int:
    """Return a descriptor that takes everything and keeps nothing."""
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _load(fd: int, offset: int, count: int) -> None:
    """Wait until bytes are in the page cache: asked for at once, then passed by the kernel to nowhere."""
    stop = offset + count
    os.posix_fadvise(fd, offset, 2 * count, os.POSIX_FADV_WILLNEED)  # the disk goes on while these are sent
    try:
        while offset < stop and (passed := os.sendfile(_nowhere(), fd, offset, stop - offset)):
            offset += passed
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ESPIPE, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise


class OpenFile:
    """A descriptor open for reading. OSError from `__init__` when it cannot be had."""

    __slots__ = ("_closing", "_descriptor", "_probes", "_running", "fd")

    def __init__(self, path: str) -> None:
        self._begin(os.open(path, _FLAGS))

    @classmethod
    def duplicate(cls, fd: int) -> Self:
        """Return a file of one's own for a descriptor that belongs to somebody else."""
        file = cls.__new__(cls)
        file._begin(os.dup(fd))
        return file

    def _begin(self, fd: int) -> None:
        self.fd: int = fd
        self._descriptor = Descriptor(fd)
        self._probes = _NOWAIT is not None
        self._running = 0
        self._closing = False

    @property
    def status(self) -> os.stat_result:
        """What was known of the file when it was opened."""
        return self._descriptor.status

    @property
    def version(self) -> tuple[int, ...]:
        """What tells this version of the file from others: its place on the disk, size and times."""
        return self._descriptor.version

    def share(self) -> None:
        """Use one descriptor for all who have this version of the file open."""
        self._descriptor = self._descriptor.shared()
        self.fd = self._descriptor.fd

    def read_ahead(self, *, wanted: bool) -> None:
        """Tell the kernel whether to read megabytes more from the disk than is asked for.

        It does that on the event loop, too, when a probe or a page fault comes near what it has read ahead.
        """
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_NORMAL if wanted else os.POSIX_FADV_RANDOM)

    def read_cached(self, offset: int, count: int) -> bytes | None:
        """Read as `read` does, if that takes no waiting for the disk; else return None."""
        if count <= _COPIED:
            buffer = bytearray(count)
            return bytes(buffer) if self._probe(buffer, offset) == count else None
        return os.pread(self.fd, count, offset) if self.is_cached(offset, count) else None

    def is_cached(self, offset: int, count: int) -> bool:
        """Whether reading those bytes would take no waiting for the disk, as far as a few of them tell."""
        last = offset + count - 1
        return all(self._probe(_PROBE, each) for each in (*range(offset + _STRIDE - 1, last, _STRIDE), last))

    def _probe(self, buffer: bytearray, offset: int) -> int:
        """Fill a buffer with what the kernel has at hand; return how much that is."""
        if not self._probes or _NOWAIT is None:
            return 0
        try:
            return os.preadv(self.fd, (buffer,), offset, _NOWAIT)
        except BlockingIOError:
            return 0
        except OSError:  # the file system has no such question: do not ask this file again
            self._probes = False
            return 0

    async def read(self, offset: int, count: int) -> bytes:
        """Read `count` bytes from `offset`, or fewer when the file ends before."""
        cached = self.read_cached(offset, count)
        return await self.read_from_disk(offset, count) if cached is None else cached

    async def read_from_disk(self, offset: int, count: int) -> bytes:
        """Read as `read` does, in a thread.

        For bytes that were asked for in vain: asking brings single pages into the cache, so the next answer may be yes
        while the pages between are still on the disk.
        """
        return await self._in_thread(partial(os.pread, self.fd, count, offset))

    async def bring_into_cache(self, offset: int, count: int) -> None:
        """Read bytes into the page cache, in a thread and without a copy of them.

        Returns early if the file ends before, or if its file system has no sendfile. Raises OSError if the disk fails.
        """
        await self._in_thread(partial(_load, self.fd, offset, count))

    async def _in_thread(self, function: Callable[[], T]) -> T:
        """Run a function that uses the descriptor, which stays open until the thread is done."""
        self._running += 1
        pending = asyncio.get_running_loop().run_in_executor(None, function)
        pending.add_done_callback(self._finished)
        return await asyncio.shield(pending)

    def _finished(self, pending: "asyncio.Future[Any]") -> None:
        self._running -= 1
        if self._closing:
            if not pending.cancelled():
                pending.exception()  # nobody else is there to take it
            self.close()

    def close(self) -> None:
        """Close, now or when the last thread is done with it. Closing again does nothing."""
        self._closing = True
        if not self._running and self.fd >= 0:
            self._descriptor.release()
            self.fd = -1

    def __del__(self) -> None:
        if getattr(self, "fd", -1) >= 0:  # a body that nobody sent
            self.close()


class FileRegion(NamedTuple):
    """The `size` bytes from `offset` of an open file, for a server to send from the file itself."""

    file: OpenFile
    offset: int
    size: int
