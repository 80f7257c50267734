"""One regular file, described by what was opened and read from nothing else."""

import errno
import os
import stat
import time
from collections.abc import AsyncGenerator
from functools import lru_cache
from pathlib import Path
from typing import Final

from ..errors import (
    DownloadError,
    Forbidden,
    IsDirectory,
    NotFound,
    SourceBusy,
    SourceChanged,
    SourceError,
    SourceTruncated,
)
from ..open_file import FileRegion, OpenFile
from ..pacing import ChunkSizer
from ..semantics.etags import ETag
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation, Validators
from .base import OnDisk, Prompt
from .media_types import media_type

__all__ = ["FileSource", "describe", "map_os_errors", "open_regular"]


_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EINVAL}
_CLOSED: Final = {errno.EACCES, errno.EPERM}
_SCARCE: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_TAIL: Final = 4096  # bytes: a page that was read just now, and too much to be the same by chance
_LENT: Final = 8 * 1024 * 1024  # bytes at most that are sent without a look at what the file has become
_COLD: Final = 64 * 1024 * 1024  # bytes to read in threads, without asking, after one that was not cached
_DESCRIPTORS: Final = Path("/proc/self/fd")
_HAS_DESCRIPTORS: Final = _DESCRIPTORS.is_dir()


class FileSource(Prompt, OnDisk):
    """A regular file as it was when it was opened; its representation begins at byte `start` of the file.

    Renamed or deleted, it goes on to its end. A file that is appended to keeps its promised length. One that shrinks,
    or is written to in place, is not what was promised, and `read` raises. A larger file counts as appended to when
    the last bytes read still stand where they stood; before any were, nothing tells an append from other contents.
    """

    __slots__ = ("_file", "_mtime_ns", "_start", "_tail", "_tail_stop", "representation")

    def __init__(self, file: OpenFile, representation: Representation, *, mtime_ns: int, start: int = 0) -> None:
        self._file = file
        self._mtime_ns = mtime_ns
        self._start = start
        self._tail, self._tail_stop = b"", 0
        self.representation: Representation = representation

    @property
    def path(self) -> str | None:
        """The open file under a name that stays right when the file is replaced; only Linux has one."""
        return f"{_DESCRIPTORS}/{self._file.fd}" if _HAS_DESCRIPTORS and not self._start else None

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield chunks that fit the client's pace."""
        pace, offset, stop = ChunkSizer(), self._start + span.start, self._start + span.stop
        if len(span) <= ChunkSizer.WHOLE:
            pace.chunk = len(span)
        with map_os_errors(f"reading from {offset}"):
            if len(span) > ChunkSizer.WHOLE:
                self._file.read_ahead(wanted=True)  # another download of the file may have asked for the opposite
            while offset < stop:
                count = min(pace.chunk, stop - offset)
                chunk = await self._file.read(offset, count)
                self._check(chunk, count, offset)
                offset += len(chunk)
                sent = time.monotonic()
                yield chunk
                pace.took(time.monotonic() - sent)

    async def regions(self, span: ByteRange) -> AsyncGenerator[bytes | FileRegion, None]:
        """Yield regions of the file where the kernel has it cached, and bytes elsewhere and at the end.

        The last bytes are read, and checked, when all regions have been sent.
        """
        cold = offset = self._start + span.start
        last = self._start + span.stop - min(len(span), _TAIL)
        pace = ChunkSizer(small=128 * 1024, modest=256 * 1024)  # a thread for less would cost more than the reading
        with map_os_errors(f"reading from {offset}"):
            self._file.read_ahead(wanted=False)
            while offset < last:
                lent = min(_LENT, last - offset)
                if offset >= cold and not self._is_at_hand(offset, lent):
                    cold = offset + _COLD
                if offset >= cold:
                    yield FileRegion(self._file, offset, lent)
                    offset += lent
                else:
                    chunk = await self._from_disk(offset, min(pace.chunk, last - offset))
                    offset += len(chunk)
                    sent = time.monotonic()
                    yield chunk
                    pace.took(time.monotonic() - sent)
        async for chunk in self.read(ByteRange(last - self._start, span.stop)):
            yield chunk

    def _is_at_hand(self, offset: int, count: int) -> bool:
        """Whether the kernel has the last of the bytes cached; if it has, they are of the right version so far."""
        known = min(count, _TAIL)
        tail = self._file.read_cached(offset + count - known, known)
        if tail is not None:
            self._check(tail, known, offset + count - known)
        return tail is not None

    async def _from_disk(self, offset: int, count: int) -> bytes:
        chunk = await self._file.read_from_disk(offset, count)
        self._check(chunk, count, offset)
        return chunk

    def read_nowait(self, span: ByteRange) -> bytes | None:
        """Return the span when it is small and in the page cache."""
        count, offset = len(span), self._start + span.start
        if count > ChunkSizer.WHOLE:
            return None
        with map_os_errors(f"reading from {offset}"):
            chunk = self._file.read_cached(offset, count)
            if chunk is not None:
                self._check(chunk, count, offset)
        return chunk

    def _check(self, chunk: bytes, count: int, offset: int) -> None:
        """Raise when a chunk is not `count` bytes of the version that was described; else remember how it ends."""
        size, stop = self._start + (self.representation.size or 0), offset + len(chunk)
        if len(chunk) < count:
            raise SourceTruncated(f"the file ended at byte {stop} of {size}")
        status = os.fstat(self._file.fd)
        if status.st_mtime_ns != self._mtime_ns:
            if status.st_size <= size or not self._stands():
                raise SourceChanged(f"the file was written to before byte {stop} was read")
            self._mtime_ns = status.st_mtime_ns
        if chunk:
            self._tail, self._tail_stop = chunk[-_TAIL:], stop

    def _stands(self) -> bool:
        """Whether the last bytes of the chunk before are still where they were read, and there are any."""
        start = self._tail_stop - len(self._tail)
        return self._tail != b"" and os.pread(self._file.fd, len(self._tail), start) == self._tail

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    async def aclose(self) -> None:
        """Close the file."""
        self.close()


class map_os_errors:  # noqa: N801 - it reads as a statement
    """Raise, in the block, what the operating system says as an error of ours; the key is for the log."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise _error_for(error)(f"{self._key!r}: {error.strerror}") from error
        if isinstance(error, UnicodeEncodeError):  # a character that no path can have
            raise NotFound(f"{self._key!r}: {error}") from error


def _error_for(error: OSError) -> type[DownloadError]:
    if error.errno in _ABSENT:
        return NotFound
    if error.errno == errno.EISDIR:
        return IsDirectory
    if error.errno in _CLOSED:
        return Forbidden
    return SourceBusy if error.errno in _SCARCE else SourceError


def open_regular(path: str) -> tuple[OpenFile, os.stat_result]:
    """Open a regular file without ever waiting for a FIFO's writer; OSError for anything else."""
    file = OpenFile(path)
    status = file.status
    if stat.S_ISREG(status.st_mode):
        return file, status
    file.close()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.ENXIO, "Not a regular file", path)


def describe(
    status: os.stat_result, name: str, *, coding: str | None = None, negotiated: bool = False
) -> Representation:
    """Describe an open file; `name` is what it is called without its content coding."""
    return _described((status.st_mtime_ns, status.st_ctime_ns, status.st_size), name, coding, negotiated)


@lru_cache(maxsize=1024)
def _described(version: tuple[int, int, int], name: str, coding: str | None, negotiated: bool) -> Representation:
    """Describe a file by what changes with it.

    The tag is strong: whoever sets the modification time back (`cp -p`, `rsync -t`) still moves the change time.
    """
    mtime_ns, _, size = version
    return Representation(
        size=size,
        media_type=media_type(name),
        coding=coding,
        validators=Validators(ETag("-".join(f"{part:x}" for part in version)), max(mtime_ns // 10**9, 0)),
        filename=name,
        negotiated=negotiated,
    )
