"""Find the members of an archive: what the listings of a folder, and of the folders below it, show."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

from ...errors import ArchiveTooLarge, Forbidden, NotFound
from ...semantics.etags import ETag
from ...threads import LISTING_THREADS, in_thread
from ..base import Browsable, Entry, Listing, Store
from ..database.catalogue import etag_of_digest
from ..opening import etag_of_version
from .layout import Member
from .member import ArchiveMember
from .source import ArchiveKind, ArchiveSource

__all__ = ["DEFAULT_LIMITS", "ArchiveLimits", "archive_of"]


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """The most bytes that the files of an archive may have, and the most files and folders in it."""

    size: int
    entries: int


DEFAULT_LIMITS: Final = ArchiveLimits(size=100 * 1024**3, entries=100_000)


async def archive_of(
    store: Store,
    key: str,
    name: str,
    kind: ArchiveKind = "zip",
    *,
    selection: Collection[str] = (),
    limits: ArchiveLimits = DEFAULT_LIMITS,
) -> ArchiveSource:
    """Return an archive of a folder of the store, or of some of its entries; the key "" is the top.

    `name` is the name of the archive and of the folder in it. `selection` are the names of entries directly in the
    folder; none means all. Only a folder without entries is a member itself, because the names of files imply others.
    An entry that cannot be read is left out.

    Raises NotFound if there is no such folder or entry, ArchiveTooLarge beyond the limits, and SourceError if the
    store cannot be read.
    """
    walk = _Walk(store, limits)
    await walk.begin(_ArchivedFolder(key, f"{name}/"), selection)
    return await in_thread(partial(_build, walk, name, kind), executor=LISTING_THREADS)


def _build(walk: "_Walk", name: str, kind: ArchiveKind) -> ArchiveSource:
    return ArchiveSource(sorted(walk.members(), key=lambda member: member.entry.name), name, kind)


class _ArchivedFolder(NamedTuple):
    """A folder of the store, and the names of its members; `ancestors` identifies the folders above it."""

    key: str
    prefix: str
    ancestors: tuple[object, ...] = ()

    def key_of(self, name: str) -> str:
        return f"{self.key}/{name}" if self.key else name


class _Walk:
    """Reads folder after folder.

    begun ── a folder is read ──> its files are found, its folders are pending ── none is pending ──> all are found

    Owner: `archive_of`. If a link leads back to a folder above it, that folder is not read again.
    """

    def __init__(self, store: Store, limits: ArchiveLimits) -> None:
        if not isinstance(store, Browsable):
            raise NotFound("this store cannot be listed")
        self._store = store
        self._open = store.open
        self._limits = limits
        self._found: list[tuple[_ArchivedFolder, Sequence[Entry | ArchiveMember | None]]] = []
        self._pending: list[_ArchivedFolder] = []
        self._count = 0
        self._size = 0

    async def begin(self, top: _ArchivedFolder, selection: Collection[str]) -> None:
        """Read the folder, or some of its entries, and all folders below."""
        listing = await self._store.list(top.key)
        if selection:
            listing = await self._selected(top, listing, selection)
        await self._add(top, listing)
        while self._pending:
            folder = self._pending.pop()
            with suppress(NotFound, Forbidden):  # it was removed meanwhile, or this process may not read it
                await self._add(folder, await self._store.list(folder.key))

    async def _selected(self, folder: _ArchivedFolder, listing: Listing, names: Collection[str]) -> Listing:
        """Return a listing of the entries with these names. Raises NotFound if there is no such entry."""
        shown = {entry.name: entry for entry in listing.entries}
        if unknown := set(names) - shown.keys():
            if listing.truncated:
                raise _too_many(len(shown))
            raise NotFound(f"{min(unknown)!r} is no entry of {folder.key!r}")
        return Listing(tuple(shown[name] for name in sorted(set(names))), identity=listing.identity)

    async def _add(self, folder: _ArchivedFolder, listing: Listing) -> None:
        """Take the files of a folder, and note its folders, to be read later."""
        if listing.identity is not None and listing.identity in folder.ancestors:
            return
        if listing.truncated:
            raise _too_many(len(listing.entries))
        ancestors = (*folder.ancestors, listing.identity)
        folders = [entry.name for entry in listing.entries if entry.is_directory and entry.is_readable]
        files = [entry for entry in listing.entries if not entry.is_directory and entry.is_readable]
        self._count += len(listing.entries)
        self._size += sum(entry.size or 0 for entry in files)
        self._check()
        self._pending += [
            _ArchivedFolder(folder.key_of(name), f"{folder.prefix}{name}/", ancestors) for name in folders
        ]
        members = [entry if _is_described(entry) else await self._described(folder, entry) for entry in files]
        if members or not folders:
            self._found.append((folder, members))

    def _check(self) -> None:
        if self._count > self._limits.entries:
            raise _too_many(self._limits.entries)
        if self._size > self._limits.size:
            raise ArchiveTooLarge(f"more than {self._limits.size:,} bytes")

    async def _described(self, folder: _ArchivedFolder, entry: Entry) -> ArchiveMember | None:
        """Open a file to describe it; return None if it cannot be opened."""
        try:
            source = await self._open(folder.key_of(entry.name))
        except (NotFound, Forbidden):
            return None
        member = ArchiveMember.of_source(folder.prefix + entry.name, source)
        await source.aclose()
        facts = member.entry._replace(is_executable=entry.is_executable)
        return replace(member, entry=facts, source=None, open=partial(self._open, folder.key_of(entry.name)))

    def members(self) -> Iterator[ArchiveMember]:
        """Yield what was found: the files, and the folders without entries."""
        for folder, found in self._found:
            if not found:
                yield ArchiveMember(Member(folder.prefix))
            for each in found:
                if isinstance(each, ArchiveMember):
                    yield each
                elif each:
                    yield self._member(folder, each)

    def _member(self, folder: _ArchivedFolder, entry: Entry) -> ArchiveMember:
        facts = Member(folder.prefix + entry.name, entry.size or 0, entry.modified or 0, entry.is_executable)
        return ArchiveMember(
            facts,
            partial(self._open, folder.key_of(entry.name)),
            etag=_etag(entry),
            version=entry.digest or entry.version,
        )


def _too_many(count: int) -> ArchiveTooLarge:
    return ArchiveTooLarge(f"more than {count:,} files and folders")


def _is_described(entry: Entry) -> bool:
    """Whether the file need not be opened to know its version. A file without bytes needs none."""
    return bool(entry.size == 0 or entry.digest or entry.version)


def _etag(entry: Entry) -> ETag | None:
    """Return the ETag that the file has when it is opened, if the entry tells it."""
    if entry.digest:
        return etag_of_digest(entry.digest)
    return etag_of_version(entry.version) if entry.version else None
