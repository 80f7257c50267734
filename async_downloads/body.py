"""The body of a response: it reads the pieces of a plan from a source, as fast as the client takes them."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, cast

from .errors import SourceBusy, SourceTruncated
from .open_file import FileRegion
from .pacing import ChunkSizer
from .semantics.multipart import Piece
from .semantics.ranges import ByteRange
from .semantics.representation import Representation
from .sources.base import OnDisk, Source, SupportsReadNowait
from .threads import await_shielded
from .timeouts import OPEN_TIMEOUT, StallTimer

__all__ = ["Body"]


_BEGUN_BYTES: Final = 16 * 1024  # kept in memory also for a client that reads nothing


class Body:
    """The body of a response, as chunks of bytes. It owns its source and closes it.

        async with body as chunks:
            async for chunk in chunks:
                await send(chunk)

    new ── as_regions(), at most once ──> new ── async with ──> reading ── end of the block ──> source closed
     └── aclose(), if it is not going to be read ─────────────────────────────────────────────────────┘

    The block raises SendStalled if the caller needs `stall_timeout` seconds for one chunk, and SourceError if the
    source fails. In both cases the caller must close the connection, because the client expects more bytes. The time
    in which the source reads does not count.

    `begin` reads the first bytes ahead, so that an error of the source can still become an error response.

    `whole` is the complete body, or None if the source cannot give it without waiting. `path` names the file that has
    the same content, for a server that sends files itself; the name is valid until the source is closed.
    """

    def __init__(self, pieces: tuple[Piece, ...], source: Source, *, stall_timeout: float) -> None:
        self._pieces: tuple[Piece | _Begun, ...] = pieces
        self._replaced: tuple[Piece | _Begun, ...] = ()
        self._kept: bytes | None = None  # the whole content of a source that is closed already
        self.selected: Representation = source.representation  # what the response describes
        self._planned: tuple[Piece, ...] | None = pieces
        self._source = source
        self._read: Callable[[ByteRange], AsyncGenerator[Any, None]] = source.read
        self._on_close: list[Callable[[], Awaitable[object]]] = []
        self.is_open: bool = True  # the owner must read or close it
        self.stall_timer: StallTimer = StallTimer(stall_timeout)
        self.whole: bytes | None = _read_whole(pieces, source)

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __bool__(self) -> bool:
        return True

    @property
    def path(self) -> str | None:
        """The path of the file, if the body is one whole file; else None."""
        size = self._source.representation.size
        is_whole_file = size is not None and size > 0 and self._planned == (ByteRange(0, size),)
        return self._source.path if is_whole_file and isinstance(self._source, OnDisk) else None

    async def begin(self) -> None:
        """Read the first bytes of the source, if it knows its size. Raises SourceError if it cannot give them."""
        if self.whole is not None or self._source.representation.size is None:
            return
        for index, piece in enumerate(self._pieces):
            if isinstance(piece, ByteRange):
                begun = self._begin_file(piece) if isinstance(self._source, OnDisk) else self._begin_stream(piece)
                self._pieces = (*self._pieces[:index], *(await begun), *self._pieces[index + 1 :])
                return

    async def _begin_file(self, piece: ByteRange) -> "tuple[Piece, ...]":
        """Read only the beginning of a piece of a file, so that the rest can still be sent as a region."""
        stop = min(piece.start + _BEGUN_BYTES, piece.stop)
        try:
            async with (
                asyncio.timeout(OPEN_TIMEOUT),
                aclosing(self._source.read(ByteRange(piece.start, stop))) as chunks,
            ):
                read = b"".join([chunk async for chunk in chunks])
        except TimeoutError as error:
            raise SourceBusy(f"the first bytes were not read within {OPEN_TIMEOUT:g} s") from error
        return (read, ByteRange(stop, piece.stop)) if stop < piece.stop else (read,)

    async def _begin_stream(self, piece: ByteRange) -> "tuple[_Begun, ...]":
        """Read the first bytes, and keep the iterator of the rest. Raises SourceTruncated if there are none."""
        chunks, first = self._source.read(piece), b""
        async for first in chunks:
            if first:
                break
        if not first and piece:
            raise SourceTruncated("the source ended before its first byte")
        return (_Begun(first, chunks, len(piece)),)

    def as_regions(self, progress: Callable[[], int]) -> AbstractAsyncContextManager[AsyncIterator[bytes | FileRegion]]:
        """Return this body as a block. If the source is a file, most of the chunks are regions of the file.

        Sending a region takes long, so the stall timer also calls `progress`, which returns how many bytes the client
        has received.
        """
        self.stall_timer.watch(progress)
        if isinstance(self._source, OnDisk):
            self._read = self._source.regions
        return self

    async def __aenter__(self) -> AsyncIterator[bytes]:
        self._stack = AsyncExitStack()
        self._stack.enter_context(self.stall_timer)
        self._stack.push_async_callback(self.aclose)
        return await self._stack.enter_async_context(aclosing(self._chunks()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        pieces = deque((self.whole,) if self.whole is not None else self._pieces)
        self._pieces = tuple([piece for piece in pieces if isinstance(piece, _Begun)])  # bytes are free once sent
        while pieces:
            piece = pieces.popleft()
            if isinstance(piece, bytes):
                self.stall_timer.renew()
                yield piece
                continue
            async with aclosing(piece.all() if isinstance(piece, _Begun) else self._read(piece)) as chunks:
                self.stall_timer.pause()
                async for chunk in chunks:
                    self.stall_timer.renew()
                    yield chunk
                    self.stall_timer.pause()
                    # `send` on a broken connection returns without suspending, and no other task would ever run.
                    await asyncio.sleep(0)

    def replan(self, pieces: tuple[Piece, ...]) -> None:
        """Replace the pieces by others of the same source. Call it before the body is read."""
        self._replaced, self._pieces = (*self._replaced, *self._pieces), pieces
        self._planned = None
        self.whole = _read_whole(pieces, self._source) if self._kept is None else _cut(pieces, self._kept)

    def call_on_close(self, function: Callable[[], Awaitable[object]]) -> None:
        """Await a function after the source has been closed."""
        self._on_close.append(function)
        self.is_open = True

    async def aclose(self) -> None:
        """Close the source, then await the functions of `call_on_close`. Call it if the body will not be read."""
        self.is_open = False
        if not self._on_close:
            await self._close_source()
            return
        functions, self._on_close = self._on_close, []
        await await_shielded(self._close_and_call(functions))  # the client may leave as soon as it has the body

    async def _close_and_call(self, functions: list[Callable[[], Awaitable[object]]]) -> None:
        async with AsyncExitStack() as stack:
            for function in reversed(functions):  # the stack calls the last one first
                stack.push_async_callback(function)
            await self._close_source()

    async def _close_source(self) -> None:
        self._kept = self.whole if self._kept is None else self._kept
        for piece in (*self._replaced, *self._pieces):
            if isinstance(piece, _Begun):
                await piece.chunks.aclose()
        await self._source.aclose()


class _Begun:
    """A piece of a body whose first chunk is in memory; `chunks` yields the others."""

    def __init__(self, first: bytes, chunks: AsyncGenerator[bytes, None], size: int) -> None:
        self.chunks = chunks
        self._first = first
        self._size = size

    def __len__(self) -> int:
        return self._size

    async def all(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self.chunks):
            chunk, self._first = self._first, b""  # else it would stay in memory until the end
            if chunk:
                yield chunk
            async for chunk in self.chunks:
                yield chunk


@lru_cache(maxsize=64)
def _reads_nowait(kind: type[Source]) -> bool:
    """Whether sources of a class are SupportsReadNowait; `isinstance` of a protocol is slow."""
    return issubclass(kind, SupportsReadNowait)


def _cut(pieces: tuple[Piece, ...], content: bytes) -> bytes:
    """Return the body with these pieces of a content."""
    return b"".join([piece if isinstance(piece, bytes) else content[piece.start : piece.stop] for piece in pieces])


def _read_whole(pieces: tuple[Piece, ...], source: Source) -> bytes | None:
    """Return a small body whole if its source can give it without waiting."""
    if not pieces:
        return b""
    if sum(map(len, pieces)) > ChunkSizer.WHOLE_BYTES or not _reads_nowait(type(source)):
        return None
    read = cast("SupportsReadNowait", source).read_nowait
    if len(pieces) == 1 and isinstance(pieces[0], ByteRange):  # the most common case
        return read(pieces[0])
    parts = [piece if isinstance(piece, bytes) else read(piece) for piece in pieces]
    found = [part for part in parts if part is not None]
    return b"".join(found) if len(found) == len(parts) else None
