"""Where a plan and a source meet: `respond` makes the response, whose `Body` reads the source.

request ─┐
source ──┼─> plan() ──> status, fields, pieces ──> Response(status, fields, Body)
policy ──┘                                                        │
                                          chunks of bytes <───────┘  read from the source, at the client's pace
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, NamedTuple

from .open_file import FileRegion
from .pacing import ChunkSizer
from .semantics.multipart import Piece
from .semantics.plan import Policy, plan
from .semantics.ranges import ByteRange
from .semantics.representation import Field, Representation, RequestHead
from .sources.base import OnDisk, Source, SupportsReadNowait
from .timeouts import STALL_TIMEOUT, StallTimer

__all__ = ["Body", "Response", "boundary_secret", "respond"]


# Multipart boundaries are made from it. It is made on import, before `serve` forks its workers: a HEAD request and the
# GET request after it may reach two workers, and both responses must name the same boundary.
_DEFAULT_SECRET: Final = os.environ.get("ASYNC_DOWNLOADS_SECRET", "").encode() or os.urandom(16)


def boundary_secret(secret: str | None = None) -> bytes:
    """Return the secret of `Policy`: the given one, or that of this process."""
    return secret.encode() if secret else _DEFAULT_SECRET


class Body:
    """The body of a response, as chunks of bytes. It owns its source and closes it.

        async with body as chunks:
            async for chunk in chunks:
                await send(chunk)

    new ── as_regions(), at most once ──> new ── async with ──> reading ── end of the block ──> source closed
     └── aclose(), if it is not going to be read ─────────────────────────────────────────────────────┘

    The block raises SendStalled if the caller keeps one chunk for `stall_timeout` seconds, and SourceError if the
    source fails. In both cases the caller must close the connection, because the client expects more bytes. The time
    that the source needs does not count.

    `whole` is the complete body, or None if the source cannot give it without waiting. `path` names the file that has
    the same content, for a server that sends files itself; the name is valid until the source is closed.
    """

    def __init__(self, pieces: tuple[Piece, ...], source: Source, *, stall_timeout: float) -> None:
        self._pieces = pieces
        self._source = source
        self._read: Callable[[ByteRange], AsyncGenerator[Any, None]] = source.read
        self.stall_timer: StallTimer = StallTimer(stall_timeout)
        self.whole: bytes | None = _read_nowait(pieces, source)

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __bool__(self) -> bool:
        return True

    @property
    def path(self) -> str | None:
        """The path of the file, if the body is one whole file; else None."""
        size = self._source.representation.size
        if size and self._pieces == (ByteRange(0, size),) and isinstance(self._source, OnDisk):
            return self._source.path
        return None

    def as_regions(self, progress: Callable[[], int]) -> AbstractAsyncContextManager[AsyncIterator[bytes | FileRegion]]:
        """Return this body as a block whose chunks are mostly regions of a file, if the source is one.

        Sending a region takes long, so the stall timer also asks `progress`, which returns how many bytes the client
        has received.
        """
        self.stall_timer.watch(progress)
        if isinstance(self._source, OnDisk):
            self._read = self._source.regions
        return self

    async def __aenter__(self) -> AsyncIterator[bytes]:
        self._stack = AsyncExitStack()
        self._stack.enter_context(self.stall_timer)
        self._stack.push_async_callback(self._source.aclose)
        return await self._stack.enter_async_context(aclosing(self._chunks()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in (self.whole,) if self.whole is not None else self._pieces:
            if isinstance(piece, bytes):
                self.stall_timer.renew()
                yield piece
                continue
            async with aclosing(self._read(piece)) as chunks:
                self.stall_timer.pause()
                async for chunk in chunks:
                    self.stall_timer.renew()
                    yield chunk
                    self.stall_timer.pause()
                    # `send` on a broken connection returns without suspending, and no other task would ever run.
                    await asyncio.sleep(0)

    def close_file(self) -> None:
        """Close the file of `path`."""
        if isinstance(self._source, OnDisk):
            self._source.close()

    async def aclose(self) -> None:
        """Close the source. Call it if the body is not going to be read."""
        await self._source.aclose()


def _read_nowait(pieces: tuple[Piece, ...], source: Source) -> bytes | None:
    """Return a small body whole if its source can give it without waiting."""
    if not pieces:
        return b""
    if sum(map(len, pieces)) > ChunkSizer.WHOLE_BYTES or not isinstance(source, SupportsReadNowait):
        return None
    parts = [piece if isinstance(piece, bytes) else source.read_nowait(piece) for piece in pieces]
    found = [part for part in parts if part is not None]
    return b"".join(found) if len(found) == len(parts) else None


class Response(NamedTuple):
    """A response that is ready to be sent."""

    status: int
    fields: tuple[Field, ...]
    body: Body


async def respond(
    request: RequestHead,
    source: Source,
    policy: Policy,
    *,
    selected: Representation | None = None,
    stall_timeout: float = STALL_TIMEOUT,
) -> Response:
    """Make the response to a request for the source. From then on the response owns the source and closes it.

    `selected` describes the source in place of the source's own representation. `stall_timeout` is in seconds.
    """
    policy = policy if policy.secret else replace(policy, secret=_DEFAULT_SECRET)
    try:
        planned = plan(request, selected or source.representation, policy)
        body = Body(planned.pieces, source, stall_timeout=stall_timeout)
    except BaseException:
        await source.aclose()
        raise
    if body.whole is not None:
        await source.aclose()
    return Response(planned.status, planned.fields, body)
