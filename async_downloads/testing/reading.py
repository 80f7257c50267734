"""Ways to read a source."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from ..errors import SourceChanged, SourceTruncated
from ..semantics.ranges import ByteRange
from ..sources.base import Source, Store

__all__ = ["opened", "read", "read_while", "read_whole"]


@asynccontextmanager
async def opened(store: Store, key: str, *, codings: Sequence[str] = ()) -> AsyncGenerator[Source, None]:
    """Open a key for the time of the block."""
    source = await store.open(key, codings=codings)
    try:
        yield source
    finally:
        await source.aclose()


async def read(source: Source, start: int, stop: int) -> bytes:
    """Return the bytes of a span."""
    async with aclosing(source.read(ByteRange(start, stop))) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def read_whole(store: Store, key: str, *, codings: Sequence[str] = ()) -> bytes:
    """Open the key, read it whole, and close the source."""
    async with opened(store, key, codings=codings) as source:
        return await read(source, 0, source.representation.size) if source.representation.size else b""


async def read_while(source: Source, change: Callable[[], Awaitable[object]]) -> tuple[bytes, bool]:
    """Read a source whole and call `change` after the first chunk. Return the bytes, and whether they are complete."""
    received = []
    try:
        async with aclosing(source.read(ByteRange(0, source.representation.size or 0))) as chunks:
            received.append(await anext(chunks))
            await change()
            received += [chunk async for chunk in chunks]
    except (SourceChanged, SourceTruncated):
        return b"".join(received), False
    return b"".join(received), True
