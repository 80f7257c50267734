"""What a program has at hand as sources: bytes, open files, asynchronous iterators."""

import io
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable
from functools import partial
from typing import BinaryIO, Final, cast

from ..fileio import OpenFile, in_thread
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation
from .base import Source
from .files import FileSource
from .memory import MemorySource

__all__ = ["StreamSource", "source_of"]

_CHUNK: Final = 256 * 1024


def source_of(given: object) -> Source:
    """Return a source for bytes, an open file or an asynchronous iterator.

    A file is read from where it stands, and closed. TypeError for anything else, ValueError for a file in text mode.
    """
    if isinstance(given, io.BytesIO):
        given = given.getvalue()[given.tell() :]
    if isinstance(given, bytes):
        return MemorySource(given, Representation(len(given)))
    if isinstance(given, AsyncIterable):
        return StreamSource(given)
    if isinstance(given, io.TextIOBase):
        raise ValueError("a file must be open in binary mode")
    if not hasattr(given, "read"):
        raise TypeError(f"neither a path nor a file, bytes, an asynchronous iterator or a source: {given!r}")
    return _of_file(cast("BinaryIO", given))


def _of_file(file: BinaryIO) -> Source:
    """Read a regular file by itself, from where it stands; any other file object as a stream."""
    if not _is_raw(file):
        return StreamSource(_file_chunks(file))
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        return StreamSource(_file_chunks(file))
    start = file.tell()
    own = OpenFile.duplicate(file.fileno())
    file.close()
    told = Representation(max(status.st_size - start, 0))
    return FileSource(own, told, mtime_ns=status.st_mtime_ns, start=start)


def _is_raw(file: BinaryIO) -> bool:
    """Whether the descriptor reads what the object reads: a `GzipFile` has one, too, but of the compressed file."""
    return isinstance(getattr(file, "raw", file), io.FileIO)


class StreamSource:
    """A stream of chunks; how many bytes they come to, only its end tells."""

    __slots__ = ("_chunks", "representation")

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks
        self.representation = Representation(size=None, ranges=False)

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:  # noqa: ARG002
        """Yield all of the stream; there is no other span."""
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        """Close the stream, if it is one that can be closed."""
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()


async def _file_chunks(file: BinaryIO) -> AsyncGenerator[bytes, None]:
    """Read a file object to its end, in threads, and close it."""
    try:
        while chunk := await in_thread(partial(file.read, _CHUNK), discard=lambda _: None):
            yield chunk
    finally:
        file.close()
