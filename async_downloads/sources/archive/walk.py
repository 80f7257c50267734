"""Find the members of an archive: the entries in the listings of a folder and of all folders below it."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from ...errors import ArchiveTooLarge, Forbidden, NotFound
from ...threads import ARCHIVE_THREADS, in_thread
from ..base import Browsable, Entry, Listing, Store
from .entries import describe_entry, is_described, member_of
from .layout import Member
from .member import ArchiveMember
from .source import ArchiveKind, ArchiveSource

__all__ = ["DEFAULT_LIMITS", "ArchiveLimits", "archive_of", "members_below"]


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """The limits of an archive: the bytes of all its files, and the number of its files and folders."""

    size: int
    entries: int


def _count_nothing(_: int) -> None:
    """Do nothing with the number of entries."""


_DIGESTS_SECONDS: Final = 5.0  # how long an archive waits for digests; without all of them its ETag is weak
_LONG: Final = 1_000  # entries; a longer listing is processed in a thread, because it takes more than 1 ms
DEFAULT_LIMITS: Final = ArchiveLimits(size=100 * 1024**3, entries=100_000)


async def archive_of(
    store: Store,
    key: str,
    name: str,
    kind: ArchiveKind = "zip",
    *,
    selection: Collection[str] = (),
    limits: ArchiveLimits = DEFAULT_LIMITS,
    on_entries: Callable[[int], object] = _count_nothing,
) -> ArchiveSource:
    """Return an archive of a folder of the store, or of some of its entries.

    `name` is the name of the archive and of the folder in it. The other parameters are those of `members_below`, which
    also raises the same errors.
    """
    members = await members_below(store, key, name, selection=selection, limits=limits, on_entries=on_entries)
    return await in_thread(lambda: ArchiveSource(members, name, kind), executor=ARCHIVE_THREADS)


async def members_below(
    store: Store,
    key: str,
    name: str,
    *,
    selection: Collection[str] = (),
    limits: ArchiveLimits = DEFAULT_LIMITS,
    on_entries: Callable[[int], object] = _count_nothing,
) -> list[ArchiveMember]:
    """Return the files of a folder and of the folders below it; the key "" is the top.

    The files of a folder come first, then the folders in it, each in the order of the listing. The names of the members
    begin with `name`. `selection` has names of entries directly in the folder; if it is empty, all entries are taken. A
    folder is a member only if it is empty, because the names of files imply all other folders. An entry that cannot be
    read is left out. `on_entries` gets the number of entries of each folder that was read; it may raise an error.

    Raises NotFound if there is no such folder or entry, ArchiveTooLarge beyond the limits, and SourceError if the
    store cannot be read.
    """
    walk = _Walk(store, limits, on_entries)
    await walk.begin(_ArchivedFolder(key, f"{name}/"), selection)
    return await in_thread(lambda: list(walk.members()), executor=ARCHIVE_THREADS)


class _ArchivedFolder(NamedTuple):
    """A folder of the store, and the prefix of its members' names; `ancestors` identify the folders above it."""

    key: str
    prefix: str
    ancestors: tuple[object, ...] = ()

    def key_of(self, name: str) -> str:
        return f"{self.key}/{name}" if self.key else name


class _Taken(NamedTuple):
    """The part of a listing that goes into an archive: files, the names of folders, and the size of the files in bytes.

    `described` has the members for the files in `unknown`, which had to be opened; None for one that cannot be opened.
    """

    folder: _ArchivedFolder
    files: list[Entry]
    folders: list[str]
    size: int
    unknown: list[Entry]
    described: dict[str, ArchiveMember | None]


class _Walk:
    """Reads folder after folder.

    begun ── a folder is read ──> its files are found, its folders are pending ── none is pending ──> all are found

    Owner: `members_below`. If a link leads back to a folder above it, the walk does not read that folder again.
    """

    def __init__(self, store: Store, limits: ArchiveLimits, on_entries: Callable[[int], object]) -> None:
        if not isinstance(store, Browsable):
            raise NotFound("this store cannot be listed")
        self._list = store.list
        self._store: Store = store
        self._limits = limits
        self._on_entries = on_entries
        self._found: list[_Taken] = []
        self._pending: list[_ArchivedFolder] = []
        self._count = 0
        self._size = 0
        self._digests_until = asyncio.get_running_loop().time() + _DIGESTS_SECONDS

    async def begin(self, top: _ArchivedFolder, selection: Collection[str]) -> None:
        """Read the folder, or some of its entries, and all folders below."""
        listing = await self._list(top.key)
        if selection:
            listing = _selected(listing, selection)
        await self._add(top, listing)
        while self._pending:
            folder = self._pending.pop()
            with suppress(NotFound, Forbidden):  # the folder was removed meanwhile, or this process may not read it
                await self._add(folder, await self._list(folder.key))

    async def _add(self, folder: _ArchivedFolder, listing: Listing) -> None:
        """Add the files of a folder, and remember its folders to read them later."""
        if listing.identity is not None and listing.identity in folder.ancestors:
            return
        if listing.truncated:
            raise _too_many(len(listing.entries))
        self._on_entries(len(listing.entries))
        take = partial(_taken, self._store, folder, listing)
        is_long = len(listing.entries) > _LONG
        taken = await in_thread(take, executor=ARCHIVE_THREADS) if is_long else take()
        self._count += len(taken.files) + len(taken.folders)
        self._size += taken.size
        self._check()
        for entry in taken.unknown:
            taken.described[entry.name] = await self._describe(folder, entry)
        self._found.append(taken)
        ancestors = (*folder.ancestors, listing.identity)
        self._pending += [
            _ArchivedFolder(folder.key_of(name), f"{folder.prefix}{name}/", ancestors)
            for name in reversed(taken.folders)
        ]

    async def _describe(self, folder: _ArchivedFolder, entry: Entry) -> ArchiveMember | None:
        seconds = max(0.0, self._digests_until - asyncio.get_running_loop().time())
        key, name = folder.key_of(entry.name), folder.prefix + entry.name
        return await describe_entry(self._store, key, name, entry, seconds=seconds)

    def _check(self) -> None:
        if self._count > self._limits.entries:
            raise _too_many(self._limits.entries)
        if self._size > self._limits.size:
            raise ArchiveTooLarge(f"more than {self._limits.size:,} bytes")

    def members(self) -> Iterator[ArchiveMember]:
        """Yield the files that were found, and the folders without entries."""
        for folder, files, folders, _, _, described in self._found:
            if not files and not folders:
                yield ArchiveMember(Member(folder.prefix))
            for entry in files:
                if entry.name not in described:
                    yield member_of(self._store, folder.key_of(entry.name), folder.prefix + entry.name, entry)
                elif member := described[entry.name]:
                    yield member


def _taken(store: Store, folder: _ArchivedFolder, listing: Listing) -> _Taken:
    readable = [entry for entry in listing.entries if entry.is_readable]
    files = [entry for entry in readable if not entry.is_directory]
    return _Taken(
        folder,
        files,
        [entry.name for entry in readable if entry.is_directory],
        sum(entry.size or 0 for entry in files),
        [entry for entry in files if not is_described(store, entry)],
        {},
    )


def _selected(listing: Listing, names: Collection[str]) -> Listing:
    """Return a listing of the entries with these names. Raises NotFound if there is no such entry."""
    shown = {entry.name: entry for entry in listing.entries}
    if unknown := set(names) - shown.keys():
        if listing.truncated:
            raise _too_many(len(shown))
        raise NotFound(f"no entry is named {min(unknown)!r}")
    return Listing(tuple(shown[name] for name in sorted(set(names))), identity=listing.identity)


def _too_many(count: int) -> ArchiveTooLarge:
    return ArchiveTooLarge(f"more than {count:,} files and folders")
