"""One regular file as a source: it is described by its open descriptor, and only that descriptor is read."""

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
from .base import OnDisk, SupportsReadNowait
from .media_types import media_type

__all__ = ["FileSource", "describe", "map_os_errors", "open_regular"]


_NOT_FOUND: Final = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENXIO,
    errno.ENODEV,
    errno.EINVAL,
}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM}
_BUSY: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_TAIL_BYTES: Final = 4096  # one page, which the kernel has cached; long enough not to be equal by chance
_MAX_REGION_BYTES: Final = 32 * 1024 * 1024  # how much is sent before the file is checked again
_FD_DIRECTORY: Final = Path("/proc/self/fd")
_HAS_FD_DIRECTORY: Final = _FD_DIRECTORY.is_dir()


class FileSource(SupportsReadNowait, OnDisk):
    """A regular file as it was when it was opened; its representation begins at byte `start` of the file.

    Owner: the caller that opened the source. It closes the source, which closes the file.

    States of the file, checked after each read:
    - unchanged, also if it was renamed or deleted: it is read to its end;
    - appended to: it is read up to the size that was promised;
    - shorter, or written to in place: `read` and `regions` raise.

    A file that grew counts as appended to only if the last bytes read are still in their place. Before the first read
    there are no such bytes, so any change then counts as written to in place.
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
        """A path of the open descriptor, which stays valid when the file is replaced; None except on Linux."""
        return f"{_FD_DIRECTORY}/{self._file.fd}" if _HAS_FD_DIRECTORY and not self._start else None

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield the span in chunks whose size follows the speed of the client."""
        sizer, offset, stop = ChunkSizer(), self._start + span.start, self._start + span.stop
        if len(span) <= ChunkSizer.WHOLE_BYTES:
            sizer.chunk = len(span)
        with map_os_errors(f"reading from {offset}"):
            if len(span) > ChunkSizer.WHOLE_BYTES:
                self._file.read_ahead(wanted=True)  # another download of this file may have switched it off
            while offset < stop:
                count = min(sizer.chunk, stop - offset)
                chunk = await self._file.read(offset, count)
                self._check(chunk, count, offset)
                offset += len(chunk)
                sent = time.monotonic()
                yield chunk
                sizer.took(time.monotonic() - sent)

    async def regions(self, span: ByteRange) -> AsyncGenerator[bytes | FileRegion, None]:
        """Yield regions of the file, and the last bytes as bytes: they are read when the caller has sent all regions.

        The end of each region is read before it is yielded, in order to check the version of the file.
        """
        offset = self._start + span.start
        last = self._start + span.stop - min(len(span), _TAIL_BYTES)
        with map_os_errors(f"reading from {offset}"):
            self._file.read_ahead(wanted=False)
            while offset < last:
                stop = min(offset + _MAX_REGION_BYTES, last)
                await self._check_end(offset, stop)
                yield FileRegion(self._file, offset, stop - offset)
                offset = stop
        async for chunk in self.read(ByteRange(last - self._start, span.stop)):
            yield chunk

    async def _check_end(self, offset: int, stop: int) -> None:
        start = max(offset, stop - _TAIL_BYTES)
        self._check(await self._file.read(start, stop - start), stop - start, start)

    def read_nowait(self, span: ByteRange) -> bytes | None:
        """Return the span if it is small and in the page cache, else None."""
        count, offset = len(span), self._start + span.start
        if count > ChunkSizer.WHOLE_BYTES:
            return None
        with map_os_errors(f"reading from {offset}"):
            chunk = self._file.read_cached(offset, count)
            if chunk is not None:
                self._check(chunk, count, offset)
        return chunk

    def _check(self, chunk: bytes, count: int, offset: int) -> None:
        """Check that the chunk is `count` bytes of the described version, and remember its last bytes.

        Raises SourceTruncated if the file ended early, and SourceChanged if it was written to in place.
        """
        size, stop = self._start + (self.representation.size or 0), offset + len(chunk)
        if len(chunk) < count:
            raise SourceTruncated(f"the file ended at byte {stop} of {size}")
        status = os.fstat(self._file.fd)
        if status.st_mtime_ns != self._mtime_ns:
            if status.st_size <= size or not self._is_tail_unchanged():
                raise SourceChanged(f"the file was written to before byte {stop} was read")
            self._mtime_ns = status.st_mtime_ns
        if chunk:
            self._tail, self._tail_stop = chunk[-_TAIL_BYTES:], stop

    def _is_tail_unchanged(self) -> bool:
        """Whether the last bytes read are still in their place; False if nothing was read yet."""
        start = self._tail_stop - len(self._tail)
        return self._tail != b"" and os.pread(self._file.fd, len(self._tail), start) == self._tail

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    async def aclose(self) -> None:
        """Close the file."""
        self.close()


class map_os_errors:  # noqa: N801 - it is used as a context manager, in the `with` statement only
    """Raise the OSError of a block as the DownloadError that it means. `subject` begins the message for the log.

    A class is entered faster than a generator is, and every read of a file enters this one.
    """

    __slots__ = ("_subject",)

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise _error_type(error)(f"{self._subject!r}: {error.strerror}") from error
        if isinstance(error, UnicodeEncodeError):  # a path cannot have this character
            raise NotFound(f"{self._subject!r}: {error}") from error


def _error_type(error: OSError) -> type[DownloadError]:
    if error.errno in _NOT_FOUND:
        return NotFound
    if error.errno == errno.EISDIR:
        return IsDirectory
    if error.errno in _FORBIDDEN:
        return Forbidden
    return SourceBusy if error.errno in _BUSY else SourceError


def open_regular(path: str) -> tuple[OpenFile, os.stat_result]:
    """Open a regular file and return it with its status. It never blocks on a FIFO without a writer.

    Raises OSError if the path cannot be opened or is not a regular file.
    """
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
    """Describe an open file by its status. `name` is its name without the suffix of its content coding."""
    return _describe((status.st_mtime_ns, status.st_ctime_ns, status.st_size), name, coding, negotiated)


@lru_cache(maxsize=1024)
def _describe(version: tuple[int, int, int], name: str, coding: str | None, negotiated: bool) -> Representation:
    """Describe a version of a file: modification time and change time in nanoseconds, and size in bytes.

    The ETag is strong. A program that restores the modification time (`cp -p`, `rsync -t`) still changes the change
    time, so every new version has a new ETag.
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
