"""What a source and a store promise.

A source

- describes the version it opened, and `read` gives bytes of that version alone;
- may be read several times, and in any order;
- holds nothing scarce (a thread, a pool's connection, a transaction) while the reader has a chunk;
- raises `SourceChanged` or `SourceTruncated` when it can no longer give what it promised: never other bytes, never
  fewer.

`Store.open` costs one cheap look-up and reads no body, so that HEAD, 304 and 416 stop there.
What not every source can do is a protocol of its own, found by `isinstance`.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..open_file import FileRegion
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation

__all__ = ["Browsable", "Entry", "Listing", "OnDisk", "Prompt", "Source", "Store", "Writable"]


@runtime_checkable
class Source(Protocol):
    """One version of a representation, readable by range."""

    @property
    def representation(self) -> Representation:
        """What is to be read, as it was when the source was opened."""

    def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield exactly the bytes of the span, or raise `SourceError`.

        A source of unknown size is read once, with `UNBOUNDED`, and ends where it ends.
        """

    async def aclose(self) -> None:
        """Give back what the source holds. Closing again does nothing; being cancelled loses nothing."""


class Store(Protocol):
    """A collection of representations, each with a key."""

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        """Open the current version, in the first of the content codings that there is, else as it is.

        The caller closes it. `NotFound`, `Forbidden` and `SourceError` say what else can happen.
        """


@runtime_checkable
class Prompt(Protocol):
    """A source that may have bytes at hand."""

    __slots__ = ()

    def read_nowait(self, span: ByteRange) -> bytes | None:
        """Return the span's bytes if that takes no waiting, else None."""


@runtime_checkable
class OnDisk(Protocol):
    """A source that a server can send by itself."""

    __slots__ = ()

    @property
    def path(self) -> str | None:
        """A path that names the very file that was opened, for as long as the source is open; None without one."""

    def regions(self, span: ByteRange) -> AsyncGenerator[bytes | FileRegion, None]:
        """Yield the bytes of the span, or regions of the open file, each to be sent before the next is asked for.

        What a region holds is checked when it has been sent: those of another version are never all that was promised.
        """

    def close(self) -> None:
        """Close the source, as `aclose` does."""


@runtime_checkable
class Writable(Protocol):
    """A store that takes new representations."""

    async def put(self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None) -> object:
        """Keep the bytes under the key, all or none of them. `AlreadyThere` when the key is taken."""

    async def remove(self, key: str) -> None:
        """Take away what is at the key. `NotFound` when nothing is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing; `size` in bytes, `modified` in seconds since the epoch, both None for a directory."""

    name: str
    is_directory: bool
    size: int | None = None
    modified: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a directory holds: directories first, by name; `truncated` when there is more than is told."""

    entries: tuple[Entry, ...]
    truncated: bool = False


@runtime_checkable
class Browsable(Protocol):
    """A store that can be looked through."""

    async def list(self, key: str) -> Listing:
        """Return what stands directly below the key; "" is the top. `NotFound` when that is no directory."""
