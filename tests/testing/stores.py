"""A store that keeps the contract, for stores that break one rule of it."""

from collections.abc import Sequence
from typing import Final

from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Representation, Validators
from async_downloads.sources.base import Listing, Source
from async_downloads.sources.memory import MemorySource, MemoryStore

__all__ = ["CONTENTS", "RightStore", "memory_source"]

CONTENTS: Final = {"a.txt": b"text", "docs/b.bin": bytes(range(256)) * 2000, "docs/deep/c": b""}


def memory_source(data: bytes, etag: ETag | None = None) -> MemorySource:
    return MemorySource(data, Representation(len(data), validators=Validators(etag)))


class RightStore:
    """A store that keeps the contract, and can be listed."""

    def __init__(self) -> None:
        self.inner = MemoryStore({key: memory_source(data) for key, data in CONTENTS.items()})

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        return await self.inner.open(key, codings=codings)

    async def list(self, key: str) -> Listing:
        return await self.inner.list(key)
