"""Entries of a listing as members of an archive."""

from dataclasses import replace

from ...errors import Forbidden, NotFound
from ...semantics.etags import ETag
from ..base import Entry, Store
from ..database.catalogue import etag_of_digest
from ..opening import etag_of_version
from .layout import Member
from .member import ArchiveMember, StoredFileOpener

__all__ = ["describe_entry", "is_described", "member_of"]


def is_described(entry: Entry) -> bool:
    """Whether the entry has the version of its file. A file without bytes has only one."""
    return bool(entry.size == 0 or entry.digest or entry.version or entry.etag)


def member_of(store: Store, key: str, name: str, entry: Entry) -> ArchiveMember:
    """Return the member with that name; `key` opens the file of an entry that is described."""
    facts = Member(name, entry.size or 0, entry.modified or 0, entry.is_executable)
    version = entry.digest or entry.version
    return ArchiveMember(facts, StoredFileOpener(store, key), etag=_etag(entry), version=version)


def _etag(entry: Entry) -> ETag | None:
    """Return the ETag that the file has when it is opened."""
    if entry.digest:
        return etag_of_digest(entry.digest)
    return etag_of_version(entry.version) if entry.version else entry.etag


async def describe_entry(store: Store, key: str, name: str, entry: Entry) -> ArchiveMember | None:
    """Open a file to describe it. Return None if it cannot be opened, or if its size is unknown."""
    try:
        source = await store.open(key)
    except (NotFound, Forbidden):
        return None
    try:
        if source.representation.size is None:
            return None
        member = ArchiveMember.of_source(name, source)
    finally:
        await source.aclose()
    facts = member.entry._replace(is_executable=entry.is_executable)
    return replace(member, entry=facts, source=None, open=StoredFileOpener(store, key))
