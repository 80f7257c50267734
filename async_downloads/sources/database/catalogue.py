"""Files in a database: what both kinds of database have in common.

A file has a name that no other file has, and two public identifiers: an integer, and a token that nobody can guess.
What it holds is a version, and versions never change: replacing a file adds one, and retires the one before, which
downloads go on reading until `gc` takes it away.
"""

import hashlib
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from ...errors import IsDirectory, NotFound
from ...semantics.etags import ETag
from ...semantics.ranges import ByteRange
from ...semantics.representation import Representation, Validators
from ..base import Entry, Listing, Source

__all__ = [
    "CHUNK",
    "ById",
    "Catalogue",
    "Corruption",
    "Identifier",
    "StoredFile",
    "compared",
    "describe",
    "is_name",
    "listing",
    "new_token",
    "not_found",
]


CHUNK: Final = 256 * 1024  # bytes that are read and kept together
_MOST: Final = 10_000  # entries of a listing
_LONGEST: Final = 1024  # characters of a name
_UNSAFE: Final = re.compile(r"[\0-\x1f\x7f\\]|(?:^|/)\.{0,2}(?:/|\Z)")
Identifier = Literal["token", "integer"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a database as it is now; `size` in bytes, `created` in seconds since the epoch.

    `id` and `token` name the file and outlive its versions, `version` is the number of this one.
    """

    id: int
    token: str
    version: int
    name: str
    media_type: str
    size: int
    sha256: bytes
    created: int

    def public(self, identifier: Identifier) -> str:
        """Return what names the file to strangers."""
        return self.token if identifier == "token" else str(self.id)


@dataclass(frozen=True, slots=True)
class Corruption:
    """What `check` found wrong with a file."""

    file: StoredFile
    message: str


class Catalogue(Protocol):
    """A store in a database; keys are names.

    Every method raises `SourceBusy` when the database has no connection to spare, and `SourceError`, with a line that
    says what to do, when it cannot be reached, refuses us, or has no schema. It belongs to the event loop that used
    it first.
    """

    async def init(self) -> None:
        """Create the schema where it is not there yet; doing it again changes nothing."""

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        """Open the current version of the file with that name."""

    async def open_id(self, public: str, identifier: Identifier) -> Source:
        """Open the current version of the file with that identifier. `NotFound` for one that is none, too."""

    async def list(self, key: str) -> Listing:
        """Return what stands directly below the key."""

    async def files(self, most: int | None = None) -> Sequence[StoredFile]:
        """Return every file, or that many, by name."""

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredFile:
        """Keep the bytes under a name, all or none of them; nobody sees them before the last is there.

        The media type comes from the name when none is given. `AlreadyThere` when the name is taken, unless `replace`.
        """

    async def remove(self, key: str) -> None:
        """Take the file with that name away; downloads of it end short when `gc` takes its bytes. `NotFound`."""

    async def gc(self, grace: float) -> int:
        """Free what was retired, or begun and never finished, more than `grace` seconds ago; return the bytes freed."""

    def check(self) -> AsyncGenerator[StoredFile | Corruption, None]:
        """Read every file; yield it when its bytes have the digest they were stored with, else what is wrong."""

    async def aclose(self) -> None:
        """Give back connections and threads."""


@dataclass(frozen=True, slots=True)
class ById:
    """A catalogue as a store whose keys are public identifiers."""

    catalogue: Catalogue
    identifier: Identifier = "token"

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:  # noqa: ARG002 - stored files have none
        """Open the current version of the file."""
        return await self.catalogue.open_id(key, self.identifier)


def new_token() -> str:
    """Return an identifier of 128 bits that nobody can guess, and no command takes for an option."""
    while (token := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return token


def describe(file: StoredFile) -> Representation:
    """Describe a file. Its tag is strong: it is made of the digest, and the bytes are those of one version."""
    return Representation(
        size=file.size,
        media_type=file.media_type,
        validators=Validators(ETag(file.sha256.hex()), file.created),
        filename=file.name.rpartition("/")[2],
        digest=file.sha256,
    )


async def compared(file: StoredFile, source: Source) -> StoredFile | Corruption:
    """Read a file from its source, and return it if its bytes have the digest they were stored with."""
    digest = hashlib.sha256()
    if file.size:
        async with aclosing(source.read(ByteRange(0, file.size))) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
    return file if digest.digest() == file.sha256 else Corruption(file, "its bytes are not those that were stored")


def is_name(key: str) -> bool:
    """Whether a file may have that name: segments with `/` between them, none of them empty, `.` or `..`."""
    return 0 < len(key) <= _LONGEST and not _UNSAFE.search(key) and key.isprintable() and _is_text(key)


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def not_found(key: str, names: Iterable[str]) -> NotFound:
    """Return the error for a key that no file has; `names` are some that begin with it."""
    if not key or any(name.startswith(f"{key}/") for name in names):
        return IsDirectory(f"{key!r} is the beginning of other names")
    return NotFound(f"there is no file {key!r}")


def listing(key: str, files: Iterable[StoredFile]) -> Listing:
    """Return what stands directly below the key. `NotFound` when nothing does, unless it is the top."""
    prefix = f"{key}/" if key else ""
    below = {file.name.removeprefix(prefix): file for file in files if file.name.startswith(prefix)}
    if key and not below:
        raise NotFound(f"nothing begins with {prefix!r}")
    directories = sorted({name.partition("/")[0] for name in below if "/" in name})
    entries = [Entry(name, is_directory=True) for name in directories]
    entries += [
        Entry(name, is_directory=False, size=file.size, modified=file.created)
        for name, file in sorted(below.items())
        if "/" not in name
    ]
    return Listing(tuple(entries[:_MOST]), truncated=len(entries) > _MOST)
