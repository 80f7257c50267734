"""One open file, read without blocking the event loop.

The loop itself reads pages that the kernel has cached; a thread reads the others. A small chunk is read with
`RWF_NOWAIT`, which never waits for the disk. Of a large chunk, only the last byte of each 256 KiB is read in this way:
if the kernel has these bytes, it almost always has those in between. Then a plain `pread` makes the `bytes` that are
sent, without copying them through a buffer. On kernels and file systems without `RWF_NOWAIT`, a thread reads all bytes.

If a file is not on a local file system, only threads of its device touch it: reading it, asking for its status and even
closing it may wait for a network or for another process.

If a read is cancelled, its thread continues. If the descriptor were closed meanwhile, the system could give its number
to another file, and the thread would read this other file. So `close` waits for the last thread.
"""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import cache, partial
from itertools import count as counter
from typing import Any, Final, NamedTuple, Self
from weakref import WeakValueDictionary

from .errors import SourceBusy
from .file_systems import file_version, has_fixed_times, place_of, threads_of_file
from .threads import T, retrieve_exception
from .timeouts import READ_TIMEOUT

__all__ = ["NOT_BY_SENDFILE", "OPEN_SAFELY", "Descriptor", "FileRegion", "OpenFile"]


NOT_BY_SENDFILE: Final = {errno.EINVAL, errno.ESPIPE, errno.ENOSYS, errno.EOPNOTSUPP}  # of a file that must be read
# Opening a FIFO must not block, a terminal must not become the controlling one, a child process must not inherit it.
OPEN_SAFELY: Final = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_Version = tuple[int, ...]


class Descriptor:
    """An open file descriptor and the number of its users; the last user to release it closes it."""

    __slots__ = ("__weakref__", "_users", "executor", "fd", "place", "status", "version")

    def __init__(self, fd: int) -> None:
        self.fd: int = fd
        self.place: str | None = place_of(fd)
        status = os.fstat(fd)
        self.status: os.stat_result = status
        self.executor: Executor | None = threads_of_file(fd, status.st_dev)
        self.version: _Version = file_version(status)
        if has_fixed_times(status):  # another file may have the same numbers
            self.version = (*self.version, next(_unique))
        self._users = 1

    def shared(self) -> "Descriptor":
        """Return the descriptor that is already open for the same version of the file, or else this one.

        Two descriptors have the same version if device, inode, size and times are equal. All users read from explicit
        offsets, so it does not matter that they share one file position.
        """
        with _lock:
            found = _open.setdefault(self.version, self)
            if found is self:
                return self
            if not found._users:  # another thread is about to close it
                _open[self.version] = self
                return self
            # Nothing was allocated since the test, so the garbage collector cannot have released `found` in between.
            found._users += 1
        self.release()
        return found

    def release(self) -> None:
        """Remove one user; close the descriptor if it was the last."""
        with _lock:
            self._users -= 1
            last = not self._users
        if last and self.executor:
            self.executor.submit(os.close, self.fd)
        elif last:
            os.close(self.fd)


_unique: Final = counter()
# A lock, because threads open files, too; reentrant, because the garbage collector may run while it is held and
# release a file that was never closed.
_lock: Final = threading.RLock()
_open: "Final[WeakValueDictionary[_Version, Descriptor]]" = WeakValueDictionary()
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", None)  # on Linux only
_PROBED_BYTES: Final = 256 * 1024  # the last byte of each block of this size stands for all of it
_COPIED_BYTES: Final = 64 * 1024  # up to this size, a second copy costs less than a second system call
_PROBE: Final = bytearray(1)  # no caller looks at its content, so all files may share it


@cache
def _nowhere() -> int:
    """Return a descriptor of /dev/null, which discards all bytes."""
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _load(fd: int, offset: int, count: int) -> None:
    """Wait until the bytes are in the page cache: request them all, then let the kernel copy them to /dev/null."""
    stop = offset + count
    os.posix_fadvise(fd, offset, 2 * count, os.POSIX_FADV_WILLNEED)  # the disk reads on while a server sends these
    try:
        while offset < stop and (passed := os.sendfile(_nowhere(), fd, offset, stop - offset)):
            offset += passed
    except OSError as error:
        if error.errno not in NOT_BY_SENDFILE:
            raise


class OpenFile:
    """A descriptor that is open for reading. Raises OSError if the path cannot be opened.

    open ── close() ──> closing: threads still read ── the last of them ends ──> closed: `fd` is -1
      └──── close() while no thread reads ──────────────────────────────────────────┘

    Its owner, a source, closes it; a file whose owner is collected closes itself. All methods run on the event loop.
    """

    __slots__ = ("_closing", "_descriptor", "_probes", "_running", "fd")

    def __init__(self, path: str) -> None:
        self._begin(os.open(path, os.O_RDONLY | OPEN_SAFELY))

    @classmethod
    def duplicate(cls, fd: int) -> Self:
        """Return an open file with a duplicate of `fd`. The caller must still close `fd`."""
        file = cls.__new__(cls)
        file._begin(os.dup(fd))
        return file

    def _begin(self, fd: int) -> None:
        self.fd: int = fd
        self._descriptor = Descriptor(fd)
        self._probes = _NOWAIT is not None and self._descriptor.executor is None
        self._running = 0  # threads that read
        self._closing = False

    @property
    def status(self) -> os.stat_result:
        """The result of `fstat` when the file was opened."""
        return self._descriptor.status

    @property
    def place(self) -> str | None:
        """The path of the file when it was opened; None without /proc."""
        return self._descriptor.place

    @property
    def version(self) -> tuple[int, ...]:
        """Device, inode, size and times: another version of the file differs in one of them."""
        return self._descriptor.version

    def share(self) -> None:
        """Use the same descriptor as all other objects that have this version of the file open."""
        self._descriptor = self._descriptor.shared()
        self.fd = self._descriptor.fd

    def read_ahead(self, *, wanted: bool) -> None:
        """Set whether the kernel reads megabytes more from the disk than the caller asks for.

        The kernel does this also on the event loop, if a probe or a page fault is near the end of the bytes that it has
        read ahead.
        """
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_NORMAL if wanted else os.POSIX_FADV_RANDOM)

    def read_cached(self, offset: int, count: int) -> bytes | None:
        """Return the bytes that `read` returns, if this does not wait for the disk; else None."""
        if count <= _COPIED_BYTES:
            buffer = bytearray(count)
            return bytes(buffer) if self._are_cached(buffer, (offset,)) else None
        return os.pread(self.fd, count, offset) if self.is_cached(offset, count) else None

    def is_cached(self, offset: int, count: int) -> bool:
        """Whether the kernel has the last byte of each 256 KiB, and so most likely all of these bytes."""
        last = offset + count - 1
        return self._are_cached(_PROBE, (*range(offset + _PROBED_BYTES - 1, last, _PROBED_BYTES), last))

    def _are_cached(self, buffer: bytearray, offsets: Iterable[int]) -> bool:
        """Fill the buffer from each of these offsets, and return True, if the kernel has cached all of these bytes."""
        if not self._probes or _NOWAIT is None:
            return False
        fd, buffers, size = self.fd, (buffer,), len(buffer)
        try:
            return all(os.preadv(fd, buffers, offset, _NOWAIT) == size for offset in offsets)
        except BlockingIOError:
            return False
        except OSError:  # the file system does not know RWF_NOWAIT: do not try it on this file again
            self._probes = False
            return False

    async def read(self, offset: int, count: int) -> bytes:
        """Read `count` bytes from `offset`, or fewer if the file ends earlier."""
        cached = self.read_cached(offset, count)
        return await self.read_from_disk(offset, count) if cached is None else cached

    async def read_from_disk(self, offset: int, count: int) -> bytes:
        """Read as `read` does, but always in a thread.

        Use it if a probe has found that the bytes are not cached. A probe brings single pages into the cache. So a
        second probe may succeed although the pages in between are still on the disk.
        """
        return await self.run(partial(os.pread, self.fd, count, offset))

    async def bring_into_cache(self, offset: int, count: int) -> None:
        """Read bytes into the page cache, in a thread and without a copy of them.

        Returns early if the file ends before, or if its file system has no sendfile. Raises OSError if the disk fails.
        """
        await self.run(partial(_load, self.fd, offset, count))

    @property
    def may_hang(self) -> bool:
        """Whether every call that touches the file must use `run`, because the file is not on a local file system."""
        return self._descriptor.executor is not None

    async def run(self, function: Callable[[], T]) -> T:
        """Run `function`, which uses the descriptor, in a thread of the file's device.

        The descriptor stays open until `function` ends, even if the caller is cancelled. Raises SourceBusy if
        `function` has not ended after `READ_TIMEOUT`.
        """
        self._running += 1
        pending = asyncio.get_running_loop().run_in_executor(self._descriptor.executor, function)
        pending.add_done_callback(self._finished)
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                return await asyncio.shield(pending)
        except TimeoutError as error:
            raise SourceBusy(f"the file system did not respond within {READ_TIMEOUT:g} s") from error

    def _finished(self, pending: "asyncio.Future[Any]") -> None:
        self._running -= 1
        if self._closing:
            retrieve_exception(pending)
            self.close()

    def close(self) -> None:
        """Close the file now, or as soon as no thread reads it. Closing it again does nothing."""
        self._closing = True
        if not self._running and self.fd >= 0:
            self._descriptor.release()
            self.fd = -1

    def __del__(self) -> None:
        if getattr(self, "fd", -1) >= 0:  # for example, the file of a body that was never sent
            self.close()


class FileRegion(NamedTuple):
    """The `size` bytes from `offset` of an open file, for a server to send from the file itself."""

    file: OpenFile
    offset: int
    size: int
