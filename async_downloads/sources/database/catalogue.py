"""The catalogue: the interface of the stores in a database, and the rules that all of them share.

A file has a unique name and two public identifiers: an integer, and a token that cannot be guessed. The content of a
file is a version, and a version never changes. Replacing a file adds a version and retires the old one. Running
downloads continue to read a retired version until `gc` deletes it.
"""

import hashlib
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from heapq import nsmallest
from operator import attrgetter
from typing import Final, Literal, Protocol
from unicodedata import category

from ...errors import AlreadyThere, IsDirectory, NotFound
from ...semantics.ranges import ByteRange
from ...semantics.representation import Representation, Validators
from ..base import Entry, Listing, Source
from ..opening import etag_of_digest
from ..sorting import sorted_in_runs

__all__ = [
    "CHUNK_BYTES",
    "ById",
    "Catalogue",
    "Corruption",
    "Identifier",
    "StoredFile",
    "already_there",
    "check_key",
    "check_name",
    "describe",
    "is_valid_name",
    "listing",
    "new_token",
    "not_found",
    "parse_identifier",
    "verify",
]


CHUNK_BYTES: Final = 256 * 1024  # the unit in which content is stored and read
_MAX_ENTRIES: Final = 10_000  # in one listing
_NAME: Final = attrgetter("name")
_MAX_NAME_CHARACTERS: Final = 1024
_UNSAFE: Final = re.compile(r"[\0-\x1f\x7f\\]|(?:^|/)\.{0,2}(?:/|\Z)")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # categories of Unicode; no space is one of them
_JOINERS: Final = "\u200c\u200d"  # Persian, the scripts of India, and emoji need them
_INTEGER: Final = re.compile(r"[1-9][0-9]{0,18}")
_INTEGER_LIMIT: Final = 2**63  # both databases store 64 bits with a sign
Identifier = Literal["token", "integer"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file and its current version: `size` in bytes, `created` in seconds since 1970.

    `id` and `token` belong to the file and stay the same when it is replaced. `version` is the number of the version.
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
        """Return the identifier of the file that public URLs use."""
        return self.token if identifier == "token" else str(self.id)


@dataclass(frozen=True, slots=True)
class Corruption:
    """A file whose stored bytes are wrong, with a message that says how."""

    file: StoredFile
    message: str


class Catalogue(Protocol):
    """A store in a database. Its keys are the names of files.

    Every method raises SourceBusy if the database has no free connection. It raises SourceError, with one line that
    says what to do, if the database cannot be reached, denies access, or has no tables. Only the event loop that first
    uses a catalogue may use it.
    """

    async def init(self) -> None:
        """Create the tables that do not exist yet. A second call changes nothing."""

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        """Open the current version of the file with that name."""

    async def open_id(self, public: str, identifier: Identifier) -> Source:
        """Open the current version of the file with that identifier. Raises NotFound if no file has it."""

    async def list(self, key: str) -> Listing:
        """Return the entries directly below the key."""

    async def files(self, limit: int | None = None) -> Sequence[StoredFile]:
        """Return all files, or the first `limit` of them, in the order of their names."""

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredFile:
        """Store the bytes as a file with that name. The file becomes visible only when all its bytes are stored.

        Without `media_type`, the name determines the type. Raises AlreadyThere if the name is taken, unless `replace`,
        and ValueError if the name is invalid.
        """

    async def remove(self, key: str) -> None:
        """Remove a file. Its downloads continue until `gc` deletes the bytes. Raises NotFound if there is none."""

    async def remove_id(self, public: str, identifier: Identifier) -> None:
        """Remove the file with that identifier as `remove` does, even if its name has changed."""

    async def gc(self, grace: float) -> int:
        """Delete versions that were retired over `grace` seconds ago, and uploads that have not written for so long.

        Return the number of bytes that were freed.
        """

    def check(self) -> AsyncGenerator[StoredFile | Corruption, None]:
        """Read every file and yield it if its bytes have their stored digest, else yield a Corruption."""

    async def aclose(self) -> None:
        """Close the connections and end the threads."""


@dataclass(frozen=True, slots=True)
class ById:
    """A store that opens the files of a catalogue by their public identifiers."""

    catalogue: Catalogue
    identifier: Identifier = "token"

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:  # noqa: ARG002 - a catalogue has no codings
        """Open the current version of the file with that identifier."""
        return await self.catalogue.open_id(key, self.identifier)


def new_token() -> str:
    """Return an identifier of 128 random bits. It never begins with `-`, so no command takes it for an option."""
    while (token := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return token


def describe(file: StoredFile) -> Representation:
    """Describe the current version of a file. Its ETag is strong, because it is the digest of the bytes."""
    return Representation(
        size=file.size,
        media_type=file.media_type,
        validators=Validators(etag_of_digest(file.sha256), file.created),
        filename=file.name.rpartition("/")[2],
        digest=file.sha256,
    )


async def verify(file: StoredFile, source: Source) -> StoredFile | Corruption:
    """Read a file from its source. Return it if its bytes have their stored digest, else return a Corruption."""
    digest = hashlib.sha256()
    if file.size:
        async with aclosing(source.read(ByteRange(0, file.size))) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
    return file if digest.digest() == file.sha256 else Corruption(file, "its bytes are not those that were stored")


def is_valid_name(key: str) -> bool:
    """Return whether a file may have that name: visible segments between slashes, none of them empty, `.` or `..`."""
    return 0 < len(key) <= _MAX_NAME_CHARACTERS and not _UNSAFE.search(key) and (key.isprintable() or _is_visible(key))


def _is_visible(key: str) -> bool:
    """Return whether a name has no control character and no mark that changes the direction of the text."""
    return all(letter in _JOINERS or category(letter) not in _INVISIBLE for letter in key)


def check_name(name: str) -> None:
    """Raise ValueError if no file may have that name."""
    if not is_valid_name(name):
        raise ValueError(f"{name!r} cannot be the name of a file")


def check_key(key: str) -> None:
    """Raise NotFound if the key is neither a valid name, nor a valid directory, nor the top."""
    if key and not is_valid_name(key):
        raise NotFound(f"{key!r} is not a valid name")


def parse_identifier(public: str, identifier: Identifier) -> str | int:
    """Return the value to look up for an identifier from a URL. An integer has only one valid spelling.

    Raises NotFound if no file can have the identifier.
    """
    if identifier == "token" and public.isascii() and public.isprintable():
        return public
    if identifier == "integer" and _INTEGER.fullmatch(public) and int(public) < _INTEGER_LIMIT:
        return int(public)
    raise NotFound(f"there is no file with the {identifier} {public[:50]!r}")


def already_there(name: str) -> AlreadyThere:
    """Return the error for a name that another file has."""
    return AlreadyThere(f"there is already a file {name!r}")


def not_found(key: str, names: Iterable[str]) -> NotFound:
    """Return the error for a key that no file has: IsDirectory if one of the names is below the key."""
    if not key or any(name.startswith(f"{key}/") for name in names):
        return IsDirectory(f"{key!r} is a directory")
    return NotFound(f"there is no file {key!r}")


def listing(key: str, files: Iterable[StoredFile]) -> Listing:
    """Return the entries directly below the key. Raises NotFound if there are none, except for the top.

    For many files, call this function in a thread.
    """
    prefix = f"{key}/" if key else ""
    directories: set[str] = set()
    first = nsmallest(_MAX_ENTRIES + 1, _directly_below(prefix, files, directories), key=_NAME)
    if key and not directories and not first:
        raise NotFound(f"there is no directory {prefix!r}")
    entries = [Entry(name, is_directory=True) for name in sorted_in_runs(list(directories))]
    entries += [_entry(file.name.removeprefix(prefix), file) for file in first]
    return Listing(tuple(entries[:_MAX_ENTRIES]), truncated=len(entries) > _MAX_ENTRIES)


def _directly_below(prefix: str, files: Iterable[StoredFile], directories: set[str]) -> Iterator[StoredFile]:
    """Yield the files of one directory, and add the names of the directories in it to `directories`."""
    for file in files:
        if file.name.startswith(prefix):
            name, slash, _ = file.name.removeprefix(prefix).partition("/")
            if slash:
                directories.add(name)
            else:
                yield file


def _entry(name: str, file: StoredFile) -> Entry:
    return Entry(name, is_directory=False, size=file.size, modified=file.created, digest=file.sha256)
