"""Uploads to a catalogue, and checks of the result."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from random import Random
from typing import Final

from async_downloads.sources.base import Source
from async_downloads.sources.database.catalogue import CHUNK_BYTES, Catalogue, StoredFile
from sources.contract import read

__all__ = ["LARGE", "SMALL", "Fresh", "Upload", "blocks", "checked", "content_of", "read_rest"]

LARGE: Final = Random(3).randbytes(12 * CHUNK_BYTES + 7)  # larger than any read-ahead
SMALL: Final = b"Twelve bytes"

Fresh = Callable[[], Catalogue]


async def blocks(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    """Yield the data in blocks, and an empty block at the end."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
    yield b""


async def content_of(source: Source) -> bytes:
    """Read a source and close it."""
    try:
        return await read(source, 0, source.representation.size) if source.representation.size else b""
    finally:
        await source.aclose()


async def read_rest(chunks: AsyncIterator[bytes], received: bytearray) -> None:
    """Add the rest of a download to what was received."""
    async for chunk in chunks:
        received += chunk


async def checked(catalogue: Catalogue) -> list[str]:
    """Return the names of all files, and check that none is corrupted."""
    async with aclosing(catalogue.check()) as found:
        files = [file async for file in found]
    assert [file for file in files if not isinstance(file, StoredFile)] == []
    return [file.name for file in files if isinstance(file, StoredFile)]


class Upload:
    """An upload that stops in its middle until `go_on` is set."""

    def __init__(self, data: bytes) -> None:
        self.halfway = asyncio.Event()
        self.go_on = asyncio.Event()
        self._data = data

    async def blocks(self, error: Exception | None = None) -> AsyncIterator[bytes]:
        """Yield the first half, wait for `go_on`, then raise `error` or yield the second half."""
        half = len(self._data) // 2
        yield self._data[:half]
        self.halfway.set()
        await self.go_on.wait()
        if error:
            raise error
        yield self._data[half:]
