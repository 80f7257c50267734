"""One regular file as a source. Its description and its bytes come from one open descriptor."""

import os
import time
import zlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from ..errors import SourceChanged, SourceTruncated
from ..file_systems import place_of
from ..open_file import FileRegion, OpenFile
from ..pacing import ChunkSizer
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation
from ..threads import MustWait, is_on_loop
from .base import OnDisk, SupportsChecksum, SupportsReadNowait, SupportsRefresh
from .growing_files import settled_status
from .opening import map_read_errors, validators_of

__all__ = ["FileSource"]


_TAIL_BYTES: Final = 4096  # one page, which is in the kernel's cache; long enough not to be equal by chance
_MAX_REGION_BYTES: Final = 16 * 1024 * 1024  # sent before the file is checked again
_HASHED_BYTES: Final = 16 * 1024 * 1024  # hashed by one call in a thread
_HASHED_CHUNK_BYTES: Final = 256 * 1024  # fits into a processor's cache
_DESCRIPTIONS: Final = 16  # tries to describe a file that changes meanwhile
_FD_DIRECTORY: Final = Path("/proc/self/fd")
_HAS_FD_DIRECTORY: Final = _FD_DIRECTORY.is_dir()


class FileSource(SupportsReadNowait, SupportsRefresh, SupportsChecksum, OnDisk):
    """A regular file as it was when it was opened; its representation begins at byte `start` of the file.

    Owner: the caller that opened the source. It closes the source, which closes the file.

    States of the file, checked after each read:
    - unchanged, even if it was renamed or deleted, or has a new link: it is read to its end;
    - appended to: it is read up to the described size;
    - shorter, or changed in any other way: `read` and `regions` raise.

    A file that grew counts as "appended to" only if the last bytes read are still in their place. Before the first read
    there are no such bytes, so any change counts as "changed"; the owner may call `refresh` if it has not sent the
    description yet. A change counts even if the modification time is the same, because programs write in place and then
    restore the old time (`rsync --inplace -t`, `cp -p`).
    """

    __slots__ = ("_file", "_place", "_start", "_status", "_tail", "_tail_stop", "representation")

    def __init__(self, file: OpenFile, representation: Representation, *, start: int = 0) -> None:
        self._file = file
        self._place = file.place
        self._status = file.status
        self._start = start
        self._tail, self._tail_stop = b"", 0
        self.representation: Representation = representation

    @property
    def status(self) -> os.stat_result:
        """The status of the described version."""
        return self._status

    @property
    def version(self) -> tuple[int, ...]:
        """Device, inode, size and times of the version that was opened."""
        return self._file.version

    @property
    def path(self) -> str | None:
        """A path of the open descriptor, which stays valid when the file is replaced; None except on Linux."""
        return f"{_FD_DIRECTORY}/{self._file.fd}" if _HAS_FD_DIRECTORY and not self._start else None

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield the span in chunks whose size follows the speed of the client."""
        sizer, offset, stop = ChunkSizer(), self._start + span.start, self._start + span.stop
        if len(span) <= ChunkSizer.WHOLE_BYTES:
            sizer.chunk = len(span)
        with map_read_errors(f"reading from {offset}"):
            if len(span) > ChunkSizer.WHOLE_BYTES:
                self._file.read_ahead(wanted=True)  # another download of this file may have switched read-ahead off
            while offset < stop:
                count = min(sizer.chunk, stop - offset)
                chunk = await self._read(offset, count)
                offset += len(chunk)
                sent = time.monotonic()
                yield chunk
                sizer.took(time.monotonic() - sent)

    async def regions(self, span: ByteRange) -> AsyncGenerator[bytes | FileRegion, None]:
        """Yield regions of the file, then its last bytes as bytes, read after the caller has sent all regions.

        Before a region is yielded, its last bytes are read to check the version of the file.
        """
        if self._file.may_hang:  # a server sends regions on the event loop
            async for chunk in self.read(span):
                yield chunk
            return
        offset = self._start + span.start
        last = self._start + span.stop - min(len(span), _TAIL_BYTES)
        with map_read_errors(f"reading from {offset}"):
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
        await self._read(start, stop - start)

    async def _read(self, offset: int, count: int) -> bytes:
        chunk = self._file.read_cached(offset, count)
        if chunk is None:
            return await self._file.run(partial(self._read_and_check, offset, count))
        try:
            self._check(chunk, count, offset)
        except MustWait:
            await self._file.run(partial(self._check, chunk, count, offset))
        return chunk

    def _read_and_check(self, offset: int, count: int) -> bytes:
        chunk = os.pread(self._file.fd, count, offset)
        self._check(chunk, count, offset)
        return chunk

    async def crc32(self, span: ByteRange, value: int = 0) -> int:
        """Return the CRC-32 of the span, continued from `value`. The file is read in threads."""
        offset, stop = self._start + span.start, self._start + span.stop
        with map_read_errors(f"hashing from {offset}"):
            while offset < stop:
                end = min(offset + _HASHED_BYTES, stop)
                value = await self._file.run(partial(self._crc32, offset, end, value))
                offset = end
        return value

    def _crc32(self, offset: int, stop: int, value: int) -> int:
        for start in range(offset, stop, _HASHED_CHUNK_BYTES):
            value = zlib.crc32(self._read_and_check(start, min(_HASHED_CHUNK_BYTES, stop - start)), value)
        return value

    def read_nowait(self, span: ByteRange) -> bytes | None:
        """Return the span if it is small and in the page cache; None otherwise, or if the file seems to grow."""
        count, offset = len(span), self._start + span.start
        if count > ChunkSizer.WHOLE_BYTES:
            return None
        with map_read_errors(f"reading from {offset}"):
            chunk = self._file.read_cached(offset, count)
            if chunk is not None:
                try:
                    self._check(chunk, count, offset)
                except MustWait:
                    return None
        return chunk

    def read_here(self, offset: int, count: int) -> bytes:
        """Read in the calling thread, without a check of the version. The thread may have to wait for the disk."""
        return os.pread(self._file.fd, count, self._start + offset)

    def read_small(self, most: int) -> bytes | None:
        """Return the whole file if it has at most `most` bytes, otherwise None. A file that changed is described again.

        On the event loop also return None if the bytes are not in the page cache.
        """
        for is_last in (False, False, True):
            size = self.representation.size or 0
            if not 0 < size <= most:
                return None
            try:
                with map_read_errors("reading"):
                    return (
                        self.read_nowait(ByteRange(0, size))
                        if is_on_loop()
                        else self._read_and_check(self._start, size)
                    )
            except (SourceChanged, SourceTruncated):
                if is_last:
                    raise
                self._describe_again()
        return None

    async def refresh(self) -> None:
        """Describe the file as it is now. Only the owner may call this, and only before it has sent the description.

        From then on, appended bytes do not count as a change, even before the first read.
        """
        with map_read_errors("describing again"):
            if self._file.may_hang:
                await self._file.run(self._describe_again)
            else:
                self._describe_again()

    def _describe_again(self) -> None:
        status = os.fstat(self._file.fd)
        for _ in range(_DESCRIPTIONS):
            self._status, self._place = status, place_of(self._file.fd)
            stop = max(status.st_size, self._start)
            start = max(stop - _TAIL_BYTES, self._start)
            self._tail, self._tail_stop = os.pread(self._file.fd, stop - start, start), stop
            status = os.fstat(self._file.fd)
            if _times(status) == _times(self._status):
                break
        found = self.representation
        validators = validators_of(self._status) if found.validators.etag else found.validators
        self.representation = replace(found, size=stop - self._start, validators=validators)

    def _check(self, chunk: bytes, count: int, offset: int) -> None:
        """Check that the chunk is `count` bytes of the described version, and remember its last bytes.

        Raises SourceTruncated if the file ended early, and SourceChanged if it was written to in place. On the event
        loop, raises MustWait if finding out takes time.
        """
        stop = offset + len(chunk)
        if len(chunk) < count:
            raise SourceTruncated(f"the file ended at byte {stop} of {self._stop}")
        status = os.fstat(self._file.fd)
        if _times(status) != _times(self._status):
            self._check_change(status, stop)
        if chunk:
            self._tail, self._tail_stop = chunk[-_TAIL_BYTES:], stop

    def _check_change(self, status: os.stat_result, stop: int) -> None:
        if status.st_mtime_ns != self._status.st_mtime_ns:
            status = settled_status(self._file.fd, status, self._stop) if self._tail else status
            is_harmless = status.st_size > self._stop and self._tail != b""
        else:
            is_harmless = status.st_nlink != self._status.st_nlink or place_of(self._file.fd) != self._place
        if not is_harmless or not self._is_tail_unchanged():
            raise SourceChanged(f"the file was written to before byte {stop} was read")
        self._status, self._place = status, place_of(self._file.fd)

    @property
    def _stop(self) -> int:
        """The end of the described bytes in the file."""
        return self._start + (self.representation.size or 0)

    def _is_tail_unchanged(self) -> bool:
        """Return whether the last bytes read are still in their place; True if none were read."""
        start = self._tail_stop - len(self._tail)
        return os.pread(self._file.fd, len(self._tail), start) == self._tail

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    async def aclose(self) -> None:
        """Close the file."""
        self.close()


def _times(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_ctime_ns
