"""Ways to read a source."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from ..errors import SourceChanged, SourceTruncated
from ..semantics.ranges import ByteRange
from ..sources.base import Source, Store

__all__ = ["bounded", "opened", "read", "read_while", "read_whole"]


@asynccontextmanager
async def opened(store: Store, key: str, *, codings: Sequence[str] = ()) -> AsyncGenerator[Source, None]:
    """Open a key for the time of the block."""
    source = await store.open(key, codings=codings)
    try:
        yield source
    finally:
        await source.aclose()


async def bounded(chunks: AsyncGenerator[bytes, None], most: int) -> AsyncGenerator[bytes, None]:
    """Yield the chunks until they have more than `most` bytes: a wrong source may never end. Close the generator."""
    size = 0
    async with aclosing(chunks):
        async for chunk in chunks:
            yield chunk
            size += len(chunk)
            if size > most:
                return
            if not chunk:
                await asyncio.sleep(0)  # the time limit of the rule can end a source that yields nothing for ever


async def read(source: Source, start: int, stop: int) -> bytes:
    """Return the bytes of a span, and at most one chunk more."""
    async with aclosing(bounded(source.read(ByteRange(start, stop)), stop - start)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def read_whole(store: Store, key: str, *, codings: Sequence[str] = ()) -> bytes:
    """Open the key, read it whole, and close the source."""
    async with opened(store, key, codings=codings) as source:
        return await read(source, 0, source.representation.size) if source.representation.size else b""


async def read_while(source: Source, change: Callable[[], Awaitable[object]]) -> tuple[bytes, bool]:
    """Read a source whole and call `change` after the first chunk. Return the bytes, and whether they are complete."""
    received, size = [], source.representation.size or 0
    try:
        async with aclosing(bounded(source.read(ByteRange(0, size)), size)) as chunks:
            received.append(await anext(chunks))
            await change()
            received += [chunk async for chunk in chunks]
    except (SourceChanged, SourceTruncated):
        return b"".join(received), False
    return b"".join(received), True
