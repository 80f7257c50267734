"""Entries of a listing as members of an archive."""

from dataclasses import replace

from ...errors import Forbidden, NotFound
from ...semantics.etags import ETag
from ..base import Entry, EtagKind, Store, SupportsDigest
from ..digests import NO_BYTES, known_digest
from ..opening import etag_of_digest, etag_of_version
from .layout import Member
from .member import ArchiveMember, StoredFileOpener

__all__ = ["describe_entry", "is_described", "member_of"]


def _kind(store: Store) -> EtagKind:
    """Return the kind of ETags of a store: that of a DirectoryStore, `exact` for any other store."""
    kind: EtagKind = getattr(store, "etag", "exact")
    return kind


def _digest(entry: Entry, kind: EtagKind) -> bytes | None:
    if kind != "digest":
        return entry.digest
    return known_digest(entry.version) if entry.size else NO_BYTES


def is_described(store: Store, entry: Entry) -> bool:
    """Return whether the entry says enough about the file: its version, or its digest if ETags are digests."""
    kind = _kind(store)
    return bool(entry.size == 0 or _digest(entry, kind) or ((entry.version or entry.etag) and kind != "digest"))


def member_of(store: Store, key: str, name: str, entry: Entry) -> ArchiveMember:
    """Return the member with that name for an entry that is described; `key` opens its file.

    If ETags are digests, members have no dates: copies with other dates must give equal archives.
    """
    kind = _kind(store)
    modified = 0 if kind == "digest" else entry.modified or 0
    facts = Member(name, entry.size or 0, modified, entry.is_executable)
    digest = _digest(entry, kind)
    etag = etag_of_digest(digest) if digest else _etag_without_digest(entry, kind)
    opener = StoredFileOpener(store, key)
    return ArchiveMember(facts, opener, etag=etag, version=digest or entry.version, on_disk=entry.version)


def _etag_without_digest(entry: Entry, kind: EtagKind) -> ETag | None:
    return etag_of_version(entry.version, kind) if entry.version else entry.etag


async def describe_entry(store: Store, key: str, name: str, entry: Entry, *, seconds: float) -> ArchiveMember | None:
    """Open a file to describe it. Return None if it cannot be opened, or if its size is unknown.

    If ETags are digests, wait up to `seconds` for the digest.
    """
    try:
        source = await store.open(key)
    except (NotFound, Forbidden):
        return None
    try:
        if source.representation.size is None:
            return None
        if _kind(store) == "digest" and isinstance(source, SupportsDigest):
            await source.find_digest(seconds)
        member = ArchiveMember.of_source(name, source)
    finally:
        await source.aclose()
    modified = 0 if _kind(store) == "digest" else member.entry.modified
    facts = member.entry._replace(is_executable=entry.is_executable, modified=modified)
    return replace(member, entry=facts, source=None, open=StoredFileOpener(store, key), on_disk=entry.version)
