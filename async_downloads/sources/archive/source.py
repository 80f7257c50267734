"""An archive as a source: it reads only the members that a range touches."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from hashlib import sha256
from typing import Final, Literal

from ...open_file import FileRegion
from ...semantics.etags import ETag
from ...semantics.ranges import ByteRange
from ...semantics.representation import Representation, Validators
from ..base import OnDisk
from .checksums import ArchiveChecksums
from .layout import ArchiveFormat, Data, Layout, Member
from .member import ArchiveMember
from .member_reader import Chunks, MemberReader
from .names import unique_names
from .tar_format import TarFormat
from .zip_format import ZipFormat

__all__ = ["ArchiveKind", "ArchiveSource"]


ArchiveKind = Literal["zip", "tar"]
_FORMATS: Final[dict[ArchiveKind, ArchiveFormat]] = {"zip": ZipFormat(), "tar": TarFormat()}
_JOINED_BYTES: Final = 16 * 1024  # headers, records and small members are joined up to this size


class ArchiveSource(OnDisk):
    """An archive of these members, in this order. Its length and its ETag are known before a member is opened.

    Names are made safe and unique. `filename` is the name of the archive without its extension. Raises ValueError if a
    name is too long. Creating an archive of 10,000 members takes 0.1 s, so do it in a thread.

    The ETag is made from the names, sizes, dates and ETags of the members. It is strong only if all their ETags are.
    If a member changes later, reading it raises SourceChanged, so a damaged archive never looks complete.

    Owner: the caller that created it. Each read opens the members that it needs, one after another. Members that were
    given as open sources are closed with the archive; several responses may share an archive without such members.
    """

    def __init__(self, members: Sequence[ArchiveMember], filename: str, kind: ArchiveKind = "zip") -> None:
        archive_format = _FORMATS[kind]
        names = unique_names(member.entry.name for member in members)
        entries = [member.entry._replace(name=name) for member, name in zip(members, names, strict=True)]
        self._layout = Layout(entries, archive_format)
        self._members = members
        self._checksums = ArchiveChecksums(len(members))
        self.representation: Representation = Representation(
            size=self._layout.size,
            media_type=archive_format.media_type,
            validators=_validators(archive_format, entries, [member.etag for member in members]),
            filename=filename + archive_format.suffix,
        )

    @property
    def path(self) -> None:
        """None, because no file has the bytes of the archive."""
        return

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the half-open span. Raises SourceError if a member has changed or cannot be read."""
        async with aclosing(self._chunks(span, in_regions=False)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, bytes):
                    yield chunk

    async def regions(self, span: ByteRange) -> Chunks:
        """Yield the span as bytes and as regions of the members that are files."""
        async with aclosing(self._chunks(span, in_regions=True)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _chunks(self, span: ByteRange, *, in_regions: bool) -> Chunks:
        """Yield large chunks unchanged, and join small ones."""
        small = bytearray()
        reader = MemberReader(self._members, self._checksums, in_regions=in_regions)
        async with aclosing(reader), aclosing(self._pieces(span, reader)) as pieces:
            async for piece in pieces:
                if isinstance(piece, bytes) and len(piece) < _JOINED_BYTES:
                    small += piece
                    if len(small) < _JOINED_BYTES:
                        continue
                if small:
                    yield bytes(small)
                    small.clear()
                if isinstance(piece, FileRegion) or len(piece) >= _JOINED_BYTES:
                    yield piece
        if small:
            yield bytes(small)

    async def _pieces(self, span: ByteRange, reader: MemberReader) -> Chunks:
        hashed = self._layout.format.has_checksums
        for part in self._layout.parts(span.start, span.stop):
            if isinstance(part, bytes):
                yield part
            elif isinstance(part, Data):
                async with aclosing(
                    reader.data(part.member, ByteRange(part.start, part.stop), hashed=hashed)
                ) as chunks:
                    async for chunk in chunks:
                        yield chunk
            else:
                yield part.filled(await reader.checksum(part.member))

    def close(self) -> None:
        """Do nothing: only `aclose` can close sources of any kind."""

    async def aclose(self) -> None:
        """Close the members that were given as open sources."""
        async with AsyncExitStack() as stack:
            for member in self._members:
                if member.source:
                    stack.push_async_callback(member.source.aclose)


def _validators(archive_format: ArchiveFormat, entries: Sequence[Member], tags: Sequence[ETag | None]) -> Validators:
    """Return the validators of the archive; empty ones if the version of a member is unknown.

    A folder and an empty file need no ETag, because the archive has only their headers.
    """
    digest = sha256(archive_format.version.encode())
    is_weak = False
    for entry, tag in zip(entries, tags, strict=True):
        if entry.size and not tag:
            return Validators()
        digest.update(f"{entry!r} {tag}\n".encode())
        is_weak = is_weak or (tag is not None and tag.weak)
    modified = max((entry.modified for entry in entries), default=0) or None
    return Validators(ETag(digest.hexdigest()[:32], weak=is_weak), modified)
