"""The interfaces of sources and stores.

A source

- describes the version that it opened, and `read` yields bytes of that version only;
- may be read several times and in any order;
- holds nothing scarce (a thread, a pooled connection, a transaction) while its reader works on a chunk;
- raises `SourceChanged` or `SourceTruncated` if it cannot deliver the described bytes. It never yields other bytes and
  never ends early without an error.

`Store.open` costs one cheap look-up and reads no content, because responses to HEAD and responses with status 304 or
416 have no content. Each ability that only some sources or stores have is a protocol of its own. Callers test for it
with `isinstance`.
"""

import os
from collections.abc import AsyncGenerator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, runtime_checkable

from ..open_file import FileRegion
from ..semantics.etags import ETag
from ..semantics.ranges import ByteRange
from ..semantics.representation import Representation, RequestHead

__all__ = [
    "MAX_ENTRIES",
    "Browsable",
    "Entry",
    "EtagKind",
    "Listing",
    "OnDisk",
    "Source",
    "Store",
    "SupportsChecksum",
    "SupportsDigest",
    "SupportsOpenMany",
    "SupportsReadNowait",
    "SupportsRefresh",
    "SupportsRequests",
    "VersionedListing",
]


# What the ETag of a file is made from. "exact": its times and size, which show every change on one host. "mtime": its
# modification time and size, which are equal in copies with equal dates. "digest": the digest of its bytes.
EtagKind = Literal["exact", "mtime", "digest"]
MAX_ENTRIES: Final = 100_000  # the default limit of a listing, which takes 30 MB of memory while it is made


@runtime_checkable
class Source(Protocol):
    """One version of a representation, readable by range (RFC 9110 §8, §14). The module docstring has the contract."""

    @property
    def representation(self) -> Representation:
        """The description of the bytes, as it was when the source was opened."""

    def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield exactly the bytes of the half-open span, in chunks of any size. Raises SourceError if it cannot.

        A source of unknown size is read only once, with the span `UNBOUNDED`, to its end.
        """

    async def aclose(self) -> None:
        """Release the resources of the source. A second call does nothing. Cancelling the call leaks nothing."""


class Store(Protocol):
    """A collection of representations, each with a key."""

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        """Open the current version of a representation. The caller closes the returned source.

        `codings` are content codings in the order of preference (RFC 9110 §8.4.1). The store opens the first one that
        it has, or else the representation without a coding.

        Raises NotFound if the key has no representation, Forbidden if this process may not read it, and SourceError
        if opening it fails for any other reason.
        """


def refuse_path(store: object) -> None:
    """Raise TypeError for a path: a `Path` has a method `open`, too, but is no store."""
    if isinstance(store, (str, bytes, os.PathLike)):
        raise TypeError(f"expected a store, such as DirectoryStore({os.fspath(store)!r}), not a path")


@runtime_checkable
class SupportsRequests(Protocol):
    """A store that reads from the request which bytes of a representation are needed first."""

    async def open_for(self, request: RequestHead, key: str) -> Source:
        """Open the current version as `Store.open` does, for this request."""


@runtime_checkable
class SupportsReadNowait(Protocol):
    """A source that can often deliver bytes without waiting."""

    __slots__ = ()

    def read_nowait(self, span: ByteRange) -> bytes | None:
        """Return the bytes of the span, or None if reading them could block."""


@runtime_checkable
class SupportsOpenMany(Protocol):
    """A store that opens many small files faster together than one by one."""

    async def open_many(self, keys: Sequence[str]) -> "Sequence[Source | None]":
        """Return a source for each key, or None for one that `open` must open. The caller closes them."""


@runtime_checkable
class SupportsChecksum(Protocol):
    """A source whose bytes can be hashed without delaying the event loop."""

    __slots__ = ()

    async def crc32(self, span: ByteRange, value: int = 0) -> int:
        """Return the CRC-32 of the span, continued from `value`. Raises SourceError as `read` does."""


@runtime_checkable
class SupportsRefresh(Protocol):
    """A source that can describe itself again if its bytes changed before the response began."""

    __slots__ = ()

    async def refresh(self) -> None:
        """Make `representation` describe the bytes as they are now. Raises SourceError if that is impossible."""


@runtime_checkable
class SupportsDigest(Protocol):
    """A source whose SHA-256 digest can be found without delaying the event loop."""

    __slots__ = ()

    async def find_digest(self, seconds: float) -> None:
        """Add the digest to `representation` if it can be found within that time."""


@runtime_checkable
class OnDisk(Protocol):
    """A source whose bytes are in open files, so that a server can send them without copying."""

    __slots__ = ()

    @property
    def path(self) -> str | None:
        """The path of the open file, valid while the source is open; None if no single file has all bytes."""

    def regions(self, span: ByteRange) -> AsyncGenerator[bytes | FileRegion, None]:
        """Yield the span as bytes and as regions of open files; the caller sends each one before it asks for more.

        The source checks the content of a region after the caller has sent it. If the file changed meanwhile, the
        generator raises SourceError before the span is complete, so a mixed body never looks complete.
        """

    def close(self) -> None:
        """Close the source as `aclose` does."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a listing: `size` in bytes, `modified` in seconds since 1970. Each is None if it is unknown.

    A directory has no size. `digest` is the SHA-256 digest of a file if the store knows it already. `is_readable` is
    False only if this process certainly may not open the entry. `version` is the packed version of a file on a disk, as
    `pack_version` makes it. `etag` is the ETag that the file has when it is opened, if the store lists ETags.
    """

    name: str
    is_directory: bool
    size: int | None = None
    modified: int | None = None
    digest: bytes | None = None
    is_readable: bool = True
    version: bytes | None = field(default=None, compare=False, repr=False)
    etag: ETag | None = field(default=None, compare=False, repr=False)
    is_executable: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a directory: directories first, then by name. `truncated` is True if entries are left out.

    `identity` is equal for all keys that lead to the same directory; None if only one key leads to it.
    """

    entries: tuple[Entry, ...]
    truncated: bool = False
    identity: Hashable = None


@runtime_checkable
class Browsable(Protocol):
    """A store whose keys can be listed."""

    async def list(self, key: str) -> Listing:
        """Return the entries directly below the key; "" is the top. Raises NotFound if the key is no directory."""


@runtime_checkable
class VersionedListing(Protocol):
    """A store that can tell cheaply whether the entries of a directory have changed."""

    async def list_version(self, key: str) -> Hashable:
        """Return a value that differs if an entry was added, removed or renamed; None if that is not certain.

        Raises NotFound as `list` does. The sizes and dates of the entries are not part of the version.
        """
