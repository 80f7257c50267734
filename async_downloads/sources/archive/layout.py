"""Where each byte of an archive is: a pure function of the names, sizes, dates and modes of its members.

Members are stored without compression, so every offset is known before a byte of them is read:

    zip   header 0 │ data 0 │ descriptor 0 │ header 1 │ … │ record 0 │ record 1 │ … │ end
    tar   header 0 │ data 0 │ padding 0    │ header 1 │ … │                         │ end

Some bytes of a zip are the CRC-32 of a member's data. A layout never computes it: such bytes are `Sealed`, and the
caller fills in the checksum when it has it.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

__all__ = ["ArchiveFormat", "Data", "Layout", "Member", "Part", "Sealed", "Template"]


class Member(NamedTuple):
    """A file or a folder in an archive: the values from which its headers are made.

    `name` has `/` between its segments; the name of a folder ends with `/`. `size` is in bytes, `modified` in seconds
    since 1970.
    """

    name: str
    size: int = 0
    modified: int = 0
    is_executable: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether the member is a folder."""
        return self.name.endswith("/")

    @property
    def mode(self) -> int:
        """The permissions. They always let the owner of the unpacked file read and replace it."""
        return 0o755 if self.is_folder or self.is_executable else 0o644


class Template(NamedTuple):
    """Bytes around the data of a member; its CRC-32 belongs at `checksum_at`, unless that is None."""

    data: bytes
    checksum_at: int | None = None


class Data(NamedTuple):
    """The bytes from `start` to `stop` of the data of a member; `member` is its index."""

    member: int
    start: int
    stop: int


class Sealed(NamedTuple):
    """The bytes from `start` to `stop` of a template for the CRC-32 of a member; `member` is its index."""

    member: int
    template: Template
    start: int
    stop: int

    def filled(self, checksum: int) -> bytes:
        """Return the bytes with the checksum in its place."""
        data, at = self.template
        if at is None:
            return data[self.start : self.stop]
        return (data[:at] + checksum.to_bytes(4, "little") + data[at + 4 :])[self.start : self.stop]


Part = bytes | Data | Sealed


class ArchiveFormat(Protocol):
    """A format of archives: the bytes around the data of members.

    `version` changes with each release in which the same members give other bytes than before.
    """

    media_type: str
    suffix: str
    version: str
    has_checksums: bool

    def header(self, member: Member) -> Template:
        """Return the bytes before the data."""

    def trailer(self, member: Member) -> Template:
        """Return the bytes after the data."""

    def record(self, member: Member, offset: int) -> Template:
        """Return the bytes of the member in the directory; its header begins at `offset`."""

    def end(self, count: int, start: int, stop: int) -> bytes:
        """Return the last bytes; the directory of `count` members is from `start` to `stop`."""


class Layout:
    """The layout of an archive of these members, in order. Raises ValueError if the format cannot store a member."""

    def __init__(self, members: Sequence[Member], archive_format: ArchiveFormat) -> None:
        self.members: Sequence[Member] = members
        self.format: ArchiveFormat = archive_format
        self._headers = array("Q")  # the offset of each member's header
        self._records = array("Q")
        offset = 0
        for member in members:
            self._headers.append(offset)
            offset += len(archive_format.header(member).data) + member.size + len(archive_format.trailer(member).data)
        self._directory = offset
        for member, start in zip(members, self._headers, strict=True):
            self._records.append(offset)
            offset += len(archive_format.record(member, start).data)
        self._end_offset = offset
        self._end = archive_format.end(len(members), self._directory, offset)
        self.size: int = offset + len(self._end)

    def parts(self, start: int, stop: int) -> Iterator[Part]:
        """Yield the parts of the bytes from `start` to `stop`, in their order. No part is empty."""
        for offset, whole in self._parts_from(start):
            if offset >= stop:
                return
            length = len(whole) if isinstance(whole, bytes) else whole.stop
            first, last = max(start - offset, 0), min(stop - offset, length)
            if first < last:
                yield whole[first:last] if isinstance(whole, bytes) else whole._replace(start=first, stop=last)

    def _parts_from(self, start: int) -> Iterator[tuple[int, Part]]:
        """Yield whole parts with their offsets, from the member or the record at `start`."""
        if start < self._directory:
            for index in range(bisect_right(self._headers, start) - 1, len(self.members)):
                yield from self._parts_of(index)
        for index in range(max(bisect_right(self._records, start) - 1, 0), len(self.members)):
            record = self.format.record(self.members[index], self._headers[index])
            yield self._records[index], _part(index, record)
        yield self._end_offset, self._end

    def _parts_of(self, index: int) -> Iterator[tuple[int, Part]]:
        member, offset = self.members[index], self._headers[index]
        header = self.format.header(member)
        yield offset, _part(index, header)
        offset += len(header.data)
        yield offset, Data(index, 0, member.size)
        yield offset + member.size, _part(index, self.format.trailer(member))


def _part(index: int, template: Template) -> bytes | Sealed:
    return template.data if template.checksum_at is None else Sealed(index, template, 0, len(template.data))
