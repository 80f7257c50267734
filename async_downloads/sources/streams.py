"""Sources for the objects of a program: bytes, open files and iterators."""

import asyncio
import io
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterator
from contextvars import copy_context
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, BinaryIO, Final, Protocol, cast

from ..errors import SourceChanged, SourceTruncated
from ..open_file import OpenFile
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation
from ..threads import STREAM_THREADS, in_thread
from .base import Source
from .files import FileSource
from .memory import MemorySource
from .uploads import unwrapped

__all__ = ["StreamSource", "source_of"]


_CHUNK_BYTES: Final = 256 * 1024
_END: Final = object()  # marks the end of an iterator: an iterator may yield empty chunks, unlike a file


def source_of(given: object) -> Source:
    """Return a source for bytes, a file object or an iterator. Files and iterators may be synchronous or asynchronous.

    The source reads a file from its current position. Closing the source closes the file. A regular file and a file
    that a client uploaded have a size and ranges; any other file object is read once, to its end. Iterators yield
    bytes, or text, which is encoded as UTF-8; any other item raises TypeError while it is read. Synchronous iterators
    run in threads. Raises TypeError for any other object, and ValueError for a file in text mode or not
    open for reading, or a pipe in non-blocking mode.
    """
    file = unwrapped(given)
    given = _rest_of(file, close=file is not given) if isinstance(file, io.BytesIO) else file
    if isinstance(given, (bytes, bytearray, memoryview)):
        data = bytes(given)  # a copy, in case the caller changes a mutable object
        return MemorySource(data, Representation(len(data)))
    if _is_text_file(given):
        raise ValueError("a file must be open in binary mode; for text in memory use BytesIO")
    if iscoroutinefunction(getattr(given, "read", None)):
        return _async_file_source(cast("_AsyncFile", given))
    if isinstance(given, AsyncIterable):
        return StreamSource(given)
    if isinstance(given, Iterator) and not hasattr(given, "read"):
        in_context = copy_context().run  # a generator may use the request, as under `stream_with_context`
        close = partial(in_context, given.close) if hasattr(given, "close") else None
        threaded = _InThreads(partial(in_context, next, given, _END), close)
        return StreamSource(_items(threaded.call), close=threaded.close)
    if not hasattr(given, "read"):
        raise TypeError(f"expected a path, a file, bytes, an iterator or a source, not {given!r}")
    return _file_source(cast("BinaryIO", given))


def _rest_of(file: io.BytesIO, *, close: bool) -> bytes:
    """Return the content of a file in memory from its current position."""
    rest = file.getvalue()[file.tell() :]
    if close:
        file.close()
    return rest


def _is_text_file(given: object) -> bool:
    """Return whether the object is a file in text mode, or a wrapper of one, such as a temporary file.

    A text file has an encoding. The mode does not tell: a `ZipExtFile` is binary and has the mode "r", and a
    `SpooledTemporaryFile` with text may have the mode "w+b".
    """
    if not hasattr(given, "read") or isinstance(given, (io.RawIOBase, io.BufferedIOBase)):
        return False
    mode = getattr(given, "mode", None)
    return hasattr(given, "encoding") or (isinstance(mode, str) and "b" not in mode)


class _AsyncFile(Protocol):
    async def read(self, count: int, /) -> bytes: ...


def _async_file_source(file: _AsyncFile) -> "StreamSource":
    """Return a source for a file of aiofiles or anyio, or for a stream reader. Iterating over one would yield lines."""
    closing = [getattr(file, name, None) for name in ("aclose", "close")]
    close = next(filter(iscoroutinefunction, closing), None)
    return StreamSource(_chunks(partial(file.read, _CHUNK_BYTES)), close=close)


def _file_source(file: BinaryIO) -> Source:
    """Return a source with ranges for a regular or temporary file, from its current position; else a StreamSource."""
    if not _is_raw(file) or not stat.S_ISREG((status := os.fstat(file.fileno())).st_mode):
        if _never_waits(file):
            raise ValueError("a pipe or device must be in blocking mode, else its end cannot be found")
        threaded = _InThreads(partial(_reader(file), _CHUNK_BYTES), getattr(file, "close", None))
        return StreamSource(_chunks(threaded.call), close=threaded.close)
    if not file.readable():
        raise ValueError("a file must be open for reading")
    start = file.tell()
    duplicate = OpenFile.duplicate(file.fileno())
    file.close()
    representation = Representation(max(status.st_size - start, 0))
    return FileSource(duplicate, representation, start=start)


def _never_waits(file: BinaryIO) -> bool:
    """Return whether a read returns at once if there is no data yet. `read1` then returns b"", as at the end."""
    try:
        return not os.get_blocking(file.fileno())
    except (AttributeError, TypeError, ValueError, OSError):  # it has no descriptor
        return False


def _reader(file: BinaryIO) -> Callable[[int], bytes]:
    """Return `read1`, which returns the bytes that a pipe has; `read` would wait for a whole chunk."""
    missing = getattr(type(file), "read1", io.BufferedIOBase.read1) is io.BufferedIOBase.read1
    return file.read if missing else cast("io.BufferedIOBase", file).read1


def _is_raw(file: BinaryIO) -> bool:
    """Return whether descriptor and object read the same bytes; that of a `GzipFile` reads the compressed file."""
    return isinstance(getattr(file, "raw", file), io.FileIO)


_Chunks = AsyncIterable[bytes | str] | AsyncIterable[bytes]


class StreamSource:
    """A stream of chunks. Its total size is unknown until its end, unless `promise_size` is called.

    `close` releases the resource that the chunks come from. `aclose` calls it once, even if no chunk was read.
    """

    __slots__ = ("_chunks", "_close", "representation")

    def __init__(self, chunks: _Chunks, *, close: Callable[[], Awaitable[object]] | None = None) -> None:
        self._chunks = chunks
        self._close = close
        self.representation: Representation = Representation(size=None, ranges=False)

    def promise_size(self, size: int) -> None:
        """Let `read` yield exactly `size` bytes, or else raise SourceError. Call it before the stream is read."""
        self.representation = Representation(size, ranges=False)

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:  # noqa: ARG002
        """Yield the whole stream; a stream has no other span."""
        size, done = self.representation.size, 0
        async for given in self._chunks:
            chunk = given.encode() if isinstance(given, str) else bytes(memoryview(given))  # `bytes(3)` is three NULs
            done += len(chunk)
            if size is not None and done > size:
                raise SourceChanged(f"the stream has more than the {size} bytes that were promised")
            yield chunk
        if size is not None and done < size:
            raise SourceTruncated(f"the stream has {done} of the {size} bytes that were promised")

    async def aclose(self) -> None:
        """Close the iterator if it is a generator, then call `close`."""
        close, self._close = self._close, None
        try:
            if isinstance(self._chunks, AsyncGenerator):
                await self._chunks.aclose()
        finally:
            if close:
                await asyncio.shield(close())


async def _chunks(read: Callable[[], Awaitable[bytes | None]]) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of a file up to its end. Raises BlockingIOError if a non-blocking file has no data yet."""
    while chunk := await read():
        yield chunk
    if chunk is None:
        raise BlockingIOError("the file does not block and has no data yet")


async def _items(read: Callable[[], Awaitable[Any]]) -> AsyncGenerator[bytes | str, None]:
    """Yield the items of an iterator."""
    while (item := await read()) is not _END:
        yield item


class _InThreads:
    """A function that reads the next chunk in a thread, and a function that closes its file or generator.

    If the caller of a read is cancelled, the read continues in its thread, perhaps for ever if a pipe gets no data.
    Closing a `BufferedReader` during a read would block, because the read holds its lock; closing a running generator
    is impossible. So a file or generator is closed only after the running read.
    """

    __slots__ = ("_close", "_read", "_reading")

    def __init__(self, read: Callable[[], Any], close: Callable[[], object] | None) -> None:
        self._read = read
        self._close = close
        self._reading: asyncio.Future[Any] | None = None

    async def call(self) -> Any:
        """Read the next chunk."""
        self._reading = asyncio.get_running_loop().run_in_executor(STREAM_THREADS, self._read)
        return await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Close now, or when the running read ends."""
        if self._close is None:
            return
        if self._reading and not self._reading.done():
            self._reading.add_done_callback(self._close_after_read)
        else:
            await in_thread(self._close, executor=STREAM_THREADS)

    def _close_after_read(self, _: "asyncio.Future[Any]") -> None:
        if self._close is not None:
            asyncio.get_running_loop().run_in_executor(STREAM_THREADS, self._close)
