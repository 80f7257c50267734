"""One open file, read without blocking the event loop.

Pages that the kernel has cached are read on the loop, the others in a thread. A small chunk is read in a way that may
not wait (`RWF_NOWAIT`). Of a large one single bytes are, the last of each stretch: if those pages are there, so are
almost always the ones between, and a plain `pread` then makes the `bytes` that are sent, without a buffer in between.
Kernels and file systems that cannot read in this way get the thread.

Cancelling a read leaves its thread running. Were the descriptor closed meanwhile, its number would be given to
another file and the thread would read that one: so a close waits for the last thread.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, Self, TypeVar

import aiofiles.os

from .descriptors import Descriptor

__all__ = ["Familiar", "OpenFile", "Pace", "Stretch", "in_thread", "keep_memory", "to_the_end", "write_all"]

T = TypeVar("T")

# A FIFO must not block the open, a terminal must not become ours, a child process must not inherit.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", None)  # Linux alone has it
_STRIDE: Final = 256 * 1024  # bytes that one page, the last of them, stands for
_COPIED: Final = 64 * 1024  # up to here a second copy costs less than a second call
_FREED: Final = (
    4 * 1024 * 1024
)  # bytes, never touched: more than the largest chunk; a thread keeps twice as much at most
_PROBE: Final = bytearray(1)  # its content is of no interest, so all files may share it

_VECTOR: Final = 1024  # buffers that POSIX lets one call write, at the least that systems have

_pread = aiofiles.os.wrap(os.pread)


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
        self._running += 1
        pending = asyncio.ensure_future(_pread(self.fd, count, offset))
        pending.add_done_callback(self._finished)
        return await asyncio.shield(pending)

    def _finished(self, pending: "asyncio.Future[bytes]") -> None:
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


class Stretch(NamedTuple):
    """Bytes `offset` to `offset + size` of an open file, for somebody else to send."""

    file: OpenFile
    offset: int
    size: int


class Pace:
    """How many bytes to read at once, from how long the client took over the last ones.

    The kernel swallows the first few MiB whatever the client does, and a chunk that got stuck stays in memory.
    So chunks are modest until that much went without a wait, then double, and are small after a wait.
    """

    __slots__ = ("_calm", "_large", "_small", "chunk")

    WHOLE: Final = 128 * 1024  # up to here in one piece: the socket's buffer takes it
    _CALM: Final = 4 * 1024 * 1024
    _WAIT: Final = 0.1  # seconds; the loop's other work passes for no wait

    def __init__(self, *, small: int = 16 * 1024, modest: int = 64 * 1024, large: int = 512 * 1024) -> None:
        self.chunk: int = modest
        self._small = small
        self._large = large
        self._calm = 0

    def took(self, seconds: float) -> None:
        """Note that the client took that long over the last chunk."""
        if seconds > self._WAIT:
            self.chunk, self._calm = self._small, 0
            return
        self._calm += self.chunk
        if self._calm >= self._CALM:
            self.chunk = min(2 * self.chunk, self._large)


class Familiar:
    """Paths that were opened lately, so that the way to them is in the kernel's cache.

    Opening one of those takes no waiting for the disk and is done on the loop; any other goes to a thread.
    """

    __slots__ = ("_paths",)

    _MOST: Final = 4096

    def __init__(self) -> None:
        self._paths: set[str] = set()

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    async def open(self, path: str, function: Callable[[], T], *, discard: Callable[[T], object]) -> T:
        """Run `function`, which opens the path; what it opened is discarded when nobody waits for it any more."""
        if path in self._paths:
            return function()
        opened = await in_thread(function, discard=discard)
        if len(self._paths) >= self._MOST:
            self._paths.clear()
        self._paths.add(path)
        return opened


def write_all(fd: int, buffers: Sequence[bytes], offset: int) -> None:
    """Write the buffers one after the other, from `offset` on; a call may write less than it is given."""
    for first in range(0, len(buffers), _VECTOR):
        group = buffers[first : first + _VECTOR]
        size, written = sum(map(len, group)), os.pwritev(fd, group, offset)
        while written < size:
            written += os.pwrite(fd, b"".join(group)[written:], offset + written)
        offset += size


async def to_the_end(work: Awaitable[T]) -> T:
    """Await `work` to its end even when cancelled, and be cancelled then: a thread may have a descriptor in use."""
    pending = asyncio.ensure_future(work)
    cancelled = False
    while not pending.done():
        try:
            await asyncio.wait([pending])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        if not pending.cancelled():
            pending.exception()  # nobody else is there to take it
        raise asyncio.CancelledError
    return pending.result()


async def in_thread(function: Callable[[], T], *, discard: Callable[[T], object] = lambda _: None) -> T:
    """Run `function` in a thread; hand its result to `discard` when nobody waits for it any more."""
    pending = asyncio.ensure_future(aiofiles.os.wrap(function)())
    try:
        return await asyncio.shield(pending)
    except asyncio.CancelledError:
        pending.add_done_callback(partial(_discard, discard))
        raise


def _discard(discard: Callable[[T], object], pending: "asyncio.Future[T]") -> None:
    if not pending.cancelled() and pending.exception() is None:
        discard(pending.result())


def keep_memory() -> None:
    """Have the C library keep what is freed for the next chunk, where it would give it back to the system.

    To glibc a large block that is freed is a sign of more to come (mallopt(3), `M_MMAP_THRESHOLD`). Memory that is new
    again each time costs page faults: 175,000 for a gigabyte.
    """
    bytearray(_FREED)
