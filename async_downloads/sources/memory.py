"""Representations in memory, and a store of them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import IsDirectory, NotFound
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation
from .base import Entry, Listing, SupportsReadNowait

__all__ = ["MemorySource", "MemoryStore"]


_CHUNK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True, weakref_slot=True)
class MemorySource(SupportsReadNowait):
    """Bytes in memory. `representation.size` must be their number."""

    data: bytes
    representation: Representation

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the half-open span in slices."""
        for start in range(span.start, span.stop, _CHUNK_BYTES):
            yield self.data[start : min(start + _CHUNK_BYTES, span.stop)]

    def read_nowait(self, span: ByteRange) -> bytes:
        """Return a slice of the bytes. The slice of all bytes is not a copy."""
        return self.data[span.start : span.stop]

    def close(self) -> None:
        """Do nothing: the source holds no resource."""

    async def aclose(self) -> None:
        """Do nothing: the source holds no resource."""


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """Sources by key. A source in the mapping may be replaced; running downloads then continue with the old one."""

    sources: Mapping[str, MemorySource]

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> MemorySource:  # noqa: ARG002
        """Return the source with the key. Raises NotFound, or IsDirectory if other keys are below this one."""
        if source := self.sources.get(key):
            return source
        if any(name.startswith(f"{key}/") for name in self.sources) or not key:
            raise IsDirectory(key)
        raise NotFound(key)

    async def list(self, key: str) -> Listing:
        """Return the entries directly below the key. Raises NotFound if there are none, except for the top ""."""
        prefix = f"{key}/" if key else ""
        below = {name.removeprefix(prefix): source for name, source in self.sources.items() if name.startswith(prefix)}
        if key and not below:
            raise NotFound(key)
        directories = sorted({name.partition("/")[0] for name in below if "/" in name})
        files = sorted((name, source.representation) for name, source in below.items() if "/" not in name)
        return Listing(
            tuple(Entry(name, is_directory=True) for name in directories)
            + tuple(
                Entry(name, is_directory=False, size=file.size, modified=file.validators.last_modified)
                for name, file in files
            )
        )
