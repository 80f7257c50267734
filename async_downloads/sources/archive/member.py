"""A member of an archive, and the opening of its file."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Self

from ...errors import DownloadError, SourceChanged, SourceError
from ...semantics.etags import ETag
from ..base import Source, Store
from ..directory_file import DirectoryFile
from .layout import Member

__all__ = ["ArchiveMember", "StoredFileOpener"]


@dataclass(frozen=True, slots=True)
class StoredFileOpener:
    """Opens the file with that key of a store."""

    store: Store
    key: str

    async def __call__(self) -> Source:
        return await self.store.open(self.key)


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file in an archive, or a folder.

    `open` opens the version of the file that `entry` and `etag` describe, and each reader closes the source that it
    opened. If `source` is given instead, it is already open, and the archive closes it. A folder has neither.

    `version` is equal only for equal bytes. The checksum of a version is remembered for later archives.
    `on_disk` is the packed version of a file. The ETag of such a file may become strong when its digest is known.
    """

    entry: Member
    open: Callable[[], Awaitable[Source]] | None = None
    source: Source | None = None
    etag: ETag | None = None
    version: Hashable = None
    on_disk: bytes | None = None

    @classmethod
    def of_source(cls, name: str, source: Source) -> Self:
        """Return a member with the bytes of an open source. Raises ValueError if the size of the source is unknown."""
        found = source.representation
        if found.size is None:
            raise ValueError(f"{name!r}: the size of a member must be known before the archive begins")
        entry = Member(name, found.size, found.validators.last_modified or 0)
        return cls(entry, source=source, etag=found.validators.etag)

    async def open_unchanged(self) -> Source:
        """Return the open source, or open one. Raises SourceChanged if its version is not the described one."""
        name = self.entry.name
        if self.source:
            return self.source
        if not self.open:
            raise SourceChanged(f"{name!r} has no bytes")
        try:
            source = await self.open()
        except SourceError:
            raise
        except DownloadError as error:
            raise SourceChanged(f"{name!r} was removed: {error}") from error
        return await self.checked(source)

    async def checked(self, source: Source) -> Source:
        """Return a newly opened source. Closes it and raises SourceChanged if its version is not the described one."""
        found = source.representation
        is_same_size = found.size == self.entry.size
        if is_same_size and (self.etag is None or self.etag.weakly_equals(found.validators.etag)):
            return source
        if self.on_disk and isinstance(source, DirectoryFile) and source.packed_version == self.on_disk:
            return source
        await source.aclose()
        raise SourceChanged(f"{self.entry.name!r} is not the version that the archive describes")
