"""Where a plan and a source meet: `respond` makes the reply, `Body` reads it out.

request ─┐
source ──┼─> plan() ──> status, fields, pieces ──> Response(status, fields, Body)
policy ──┘                                                        │
                                          chunks of bytes <───────┘  reading the source, at the client's pace
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

__all__ = ["BOUNDARY_SECRET", "Body", "Response", "respond"]


# Multipart boundaries are made from it. It is made on import, before `serve` forks its workers: a HEAD request and the
# GET request after it may reach two workers, and both responses must name the same boundary.
BOUNDARY_SECRET: Final = os.urandom(16)


class Body:
    """The pieces of an answer, as chunks of bytes; it owns its source and closes it.

        async with body as chunks:
            async for chunk in chunks:
                await send(chunk)

    To be read once. `SendStalled` when one chunk is held for `stall_timeout` seconds, `SourceError` when the source
    fails: in both cases the connection has to be closed short of the promised length. A source takes its time.

    `whole` is all of it, where it was at hand. `path` names the file whose content it is, where a server may send
    that by itself; it is good until `aclose`.
    """

    def __init__(self, pieces: tuple[Piece, ...], source: Source, *, stall_timeout: float) -> None:
        self._pieces = pieces
        self._source = source
        self._read: Callable[[ByteRange], AsyncGenerator[Any, None]] = source.read
        self.patience: StallTimer = StallTimer(stall_timeout)
        self.whole: bytes | None = _at_once(pieces, source)

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __bool__(self) -> bool:
        return True

    @property
    def path(self) -> str | None:
        """The file to send whole, if it is one and only that."""
        size = self._source.representation.size
        if size and self._pieces == (ByteRange(0, size),) and isinstance(self._source, OnDisk):
            return self._source.path
        return None

    def as_regions(self, progress: Callable[[], int]) -> AbstractAsyncContextManager[AsyncIterator[bytes | FileRegion]]:
        """Return what gives the chunks as the body does, but regions of a file in the place of most.

        Those are large; so `progress` tells how much the client has taken meanwhile.
        """
        self.patience.watch(progress)
        if isinstance(self._source, OnDisk):
            self._read = self._source.regions
        return self

    async def __aenter__(self) -> AsyncIterator[bytes]:
        self._stack = AsyncExitStack()
        self._stack.enter_context(self.patience)
        self._stack.push_async_callback(self._source.aclose)
        return await self._stack.enter_async_context(aclosing(self._chunks()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in (self.whole,) if self.whole is not None else self._pieces:
            if isinstance(piece, bytes):
                self.patience.renew()
                yield piece
                continue
            async with aclosing(self._read(piece)) as chunks:
                self.patience.rest()
                async for chunk in chunks:
                    self.patience.renew()
                    yield chunk
                    self.patience.rest()
                    # A `send` to a dead connection returns without suspending: nobody else would ever run.
                    await asyncio.sleep(0)

    def close_file(self) -> None:
        """Close the file that `path` names."""
        if isinstance(self._source, OnDisk):
            self._source.close()

    async def aclose(self) -> None:
        """Close the source of a body that is not going to be read."""
        await self._source.aclose()


def _at_once(pieces: tuple[Piece, ...], source: Source) -> bytes | None:
    """Return a small body whole when its source has it at hand."""
    if not pieces:
        return b""
    if sum(map(len, pieces)) > ChunkSizer.WHOLE or not isinstance(source, SupportsReadNowait):
        return None
    parts = [piece if isinstance(piece, bytes) else source.read_nowait(piece) for piece in pieces]
    found = [part for part in parts if part is not None]
    return b"".join(found) if len(found) == len(parts) else None


class Response(NamedTuple):
    """An answer to a request, ready to be sent."""

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
    """Answer a request with the source, which belongs to the reply from here on.

    `selected` describes the source where its own representation is not what is to be told.
    """
    policy = policy if policy.secret else replace(policy, secret=BOUNDARY_SECRET)
    try:
        planned = plan(request, selected or source.representation, policy)
        body = Body(planned.pieces, source, stall_timeout=stall_timeout)
    except BaseException:
        await source.aclose()
        raise
    if body.whole is not None:
        await source.aclose()
    return Response(planned.status, planned.fields, body)
