"""Sources for the objects of a program: bytes, open files and asynchronous iterators."""

import asyncio
import io
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from inspect import iscoroutinefunction
from typing import BinaryIO, Final, Protocol, TypeGuard, cast

import aiofiles.os

from ..open_file import OpenFile
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation
from ..threads import in_thread
from .base import Source
from .files import FileSource
from .memory import MemorySource

__all__ = ["StreamSource", "source_of"]


_CHUNK_BYTES: Final = 256 * 1024


def source_of(given: object) -> Source:
    """Return a source for bytes, a synchronous or asynchronous file object, or an asynchronous iterator.

    The source reads a file from its current position, and closes the file when it is closed itself.
    Raises TypeError for any other object, and ValueError for a file in text mode.
    """
    if isinstance(given, io.BytesIO):
        given = given.getvalue()[given.tell() :]
    if isinstance(given, (bytes, bytearray, memoryview)):
        data = bytes(given)  # a copy, in case the caller changes a mutable object
        return MemorySource(data, Representation(len(data)))
    if _is_text_file(given):
        raise ValueError("a file must be open in binary mode")
    if _is_async_file(given):
        return StreamSource(_chunks(given.read), close=given.close)
    if isinstance(given, AsyncIterable):
        return StreamSource(given)
    if not hasattr(given, "read"):
        raise TypeError(f"expected a path, a file, bytes, an asynchronous iterator or a source, not {given!r}")
    return _file_source(cast("BinaryIO", given))


def _is_text_file(given: object) -> bool:
    """Whether the object is a file in text mode, or a wrapper of one, as the temporary files are.

    A text file has an encoding. The mode alone is not enough: the mode of a `ZipExtFile`, which is binary, is "r", and
    the mode of a `SpooledTemporaryFile` with text is "w+b".
    """
    if not hasattr(given, "read") or isinstance(given, (io.RawIOBase, io.BufferedIOBase)):
        return False
    mode = getattr(given, "mode", None)
    return hasattr(given, "encoding") or (isinstance(mode, str) and "b" not in mode)


class _AsyncFile(Protocol):
    async def read(self, count: int, /) -> bytes: ...

    async def close(self) -> None: ...


def _is_async_file(given: object) -> TypeGuard[_AsyncFile]:
    """Whether the object is a file of aiofiles. Iterating over one would yield lines and would not close it."""
    return all(iscoroutinefunction(getattr(given, name, None)) for name in ("read", "close"))


def _file_source(file: BinaryIO) -> Source:
    """Return a FileSource for a regular file, from its current position; a StreamSource for any other file object."""
    if not _is_raw(file) or not stat.S_ISREG((status := os.fstat(file.fileno())).st_mode):
        threaded = _ThreadedFile(file)
        return StreamSource(_chunks(threaded.read), close=threaded.close)
    start = file.tell()
    duplicate = OpenFile.duplicate(file.fileno())
    file.close()
    representation = Representation(max(status.st_size - start, 0))
    return FileSource(duplicate, representation, start=start)


def _is_raw(file: BinaryIO) -> bool:
    """Whether descriptor and object read the same bytes; the descriptor of a `GzipFile` reads the compressed file."""
    return isinstance(getattr(file, "raw", file), io.FileIO)


class StreamSource:
    """A stream of chunks whose total size is unknown until its end.

    `close` releases what the chunks come from. `aclose` calls it once, also if no chunk was read.
    """

    __slots__ = ("_chunks", "_close", "representation")

    def __init__(self, chunks: AsyncIterable[bytes], *, close: Callable[[], Awaitable[object]] | None = None) -> None:
        self._chunks = chunks
        self._close = close
        self.representation: Representation = Representation(size=None, ranges=False)

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:  # noqa: ARG002
        """Yield the whole stream; a stream has no other span."""
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        """Close the iterator, if it is a generator, and then call `close`."""
        close, self._close = self._close, None
        try:
            if isinstance(self._chunks, AsyncGenerator):
                await self._chunks.aclose()
        finally:
            if close:
                await asyncio.shield(close())


async def _chunks(read: Callable[[int], Awaitable[bytes]]) -> AsyncGenerator[bytes, None]:
    """Yield chunks up to the end of the file."""
    while chunk := await read(_CHUNK_BYTES):
        yield chunk


class _ThreadedFile:
    """A file object that is read and closed in threads, and never closed during a read.

    A read whose caller was cancelled continues in its thread; a pipe without data can keep it there for ever. During a
    read a `BufferedReader` holds its lock, and closing it would block. So the file is closed when that read ends.
    """

    __slots__ = ("_file", "_reading")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reading: asyncio.Future[bytes] | None = None

    async def read(self, count: int) -> bytes:
        """Read up to `count` bytes; return no bytes at the end of the file."""
        self._reading = asyncio.ensure_future(aiofiles.os.wrap(self._file.read)(count))
        return await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Close the file now, or when the running read ends."""
        if not hasattr(self._file, "close"):
            return
        if self._reading and not self._reading.done():
            self._reading.add_done_callback(self._close_after_read)
        else:
            await in_thread(self._file.close)

    def _close_after_read(self, _: "asyncio.Future[bytes]") -> None:
        asyncio.get_running_loop().run_in_executor(None, self._file.close)
