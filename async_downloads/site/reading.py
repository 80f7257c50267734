"""Read small files whole, for pages that show their text."""

from contextlib import aclosing

from ..semantics.ranges import ByteRange
from ..sources.base import Source, Store
from .texts import decoded

__all__ = ["read_text", "read_whole"]


async def read_text(store: Store, key: str, most: int) -> str | None:
    """Return the text of a file; None if it is no text, or has more than `most` bytes."""
    source = await store.open(key)
    try:
        size = source.representation.size
        return decoded(await read_whole(source)) if size is not None and size <= most else None
    finally:
        await source.aclose()


async def read_whole(source: Source) -> bytes:
    """Return all bytes of a source whose size is known."""
    size = source.representation.size
    if not size:
        return b""
    async with aclosing(source.read(ByteRange(0, size))) as chunks:
        return b"".join([chunk async for chunk in chunks])
