"""What a program has at hand as sources: bytes, open files, asynchronous iterators."""

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


_CHUNK: Final = 256 * 1024


def source_of(given: object) -> Source:
    """Return a source for bytes, an open file, asynchronous or not, or an asynchronous iterator.

    A file is read from where it stands, and closed. TypeError for anything else, ValueError for a file in text mode.
    """
    if isinstance(given, io.BytesIO):
        given = given.getvalue()[given.tell() :]
    if isinstance(given, (bytes, bytearray, memoryview)):
        data = bytes(given)  # what can be changed is copied
        return MemorySource(data, Representation(len(data)))
    if _is_text(given):
        raise ValueError("a file must be open in binary mode")
    if _is_async_file(given):
        return StreamSource(_chunks(given.read), close=given.close)
    if isinstance(given, AsyncIterable):
        return StreamSource(given)
    if not hasattr(given, "read"):
        raise TypeError(f"neither a path nor a file, bytes, an asynchronous iterator or a source: {given!r}")
    return _of_file(cast("BinaryIO", given))


def _is_text(given: object) -> bool:
    """Whether it is a file in text mode, or stands before one, as temporary files do.

    Such a file has an encoding. The mode alone says too little: a `ZipExtFile`, which is binary, has "r", and a
    `SpooledTemporaryFile` of text "w+b".
    """
    if not hasattr(given, "read") or isinstance(given, (io.RawIOBase, io.BufferedIOBase)):
        return False
    mode = getattr(given, "mode", None)
    return hasattr(given, "encoding") or (isinstance(mode, str) and "b" not in mode)


class _AsyncFile(Protocol):
    async def read(self, count: int, /) -> bytes: ...

    async def close(self) -> None: ...


def _is_async_file(given: object) -> TypeGuard[_AsyncFile]:
    """Whether it is such as aiofiles opens; to iterate over those gives lines, and closes nothing."""
    return all(iscoroutinefunction(getattr(given, name, None)) for name in ("read", "close"))


def _of_file(file: BinaryIO) -> Source:
    """Read a regular file by itself, from where it stands; any other file object as a stream."""
    if not _is_raw(file) or not stat.S_ISREG((status := os.fstat(file.fileno())).st_mode):
        threaded = _Threaded(file)
        return StreamSource(_chunks(threaded.read), close=threaded.close)
    start = file.tell()
    own = OpenFile.duplicate(file.fileno())
    file.close()
    told = Representation(max(status.st_size - start, 0))
    return FileSource(own, told, mtime_ns=status.st_mtime_ns, start=start)


def _is_raw(file: BinaryIO) -> bool:
    """Whether the descriptor reads what the object reads: a `GzipFile` has one, too, but of the compressed file."""
    return isinstance(getattr(file, "raw", file), io.FileIO)


class StreamSource:
    """A stream of chunks; how many bytes they come to, only its end tells.

    `close` gives back what the chunks are made from, whether any was asked for or not.
    """

    __slots__ = ("_chunks", "_close", "representation")

    def __init__(self, chunks: AsyncIterable[bytes], *, close: Callable[[], Awaitable[object]] | None = None) -> None:
        self._chunks = chunks
        self._close = close
        self.representation: Representation = Representation(size=None, ranges=False)

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:  # noqa: ARG002
        """Yield all of the stream; there is no other span."""
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        """Close the stream, if it is one that can be closed, and what it is made from."""
        close, self._close = self._close, None
        try:
            if isinstance(self._chunks, AsyncGenerator):
                await self._chunks.aclose()
        finally:
            if close:
                await asyncio.shield(close())


async def _chunks(read: Callable[[int], Awaitable[bytes]]) -> AsyncGenerator[bytes, None]:
    """Read to the end."""
    while chunk := await read(_CHUNK):
        yield chunk


class _Threaded:
    """A file object, read and closed in threads, and never closed while it is read.

    A read that nobody waits for any more goes on, and a pipe that nobody writes to holds it for ever. It has the
    lock of a `BufferedReader`: a close would have to wait, so it is put off until that read is over.
    """

    __slots__ = ("_file", "_reading")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reading: asyncio.Future[bytes] | None = None

    async def read(self, count: int) -> bytes:
        """Read up to `count` bytes; none at the end."""
        self._reading = asyncio.ensure_future(aiofiles.os.wrap(self._file.read)(count))
        return await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Close the object, or have it closed when the read that goes on is over."""
        if not hasattr(self._file, "close"):
            return
        if self._reading and not self._reading.done():
            self._reading.add_done_callback(self._close_late)
        else:
            await in_thread(self._file.close)

    def _close_late(self, _: "asyncio.Future[bytes]") -> None:
        asyncio.get_running_loop().run_in_executor(None, self._file.close)
