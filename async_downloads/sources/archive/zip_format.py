"""The zip format: APPNOTE.TXT of PKWARE, version 6.3.10. The section numbers below are from that text.

Members are stored (§4.4.5, method 0) and names are UTF-8 (§4.4.4, bit 11). The CRC-32 of a large member follows its
data (§4.4.4, bit 3), so that a download can begin before the member was read. The CRC-32 of a smaller member precedes
its data, because some programs that read from a pipe (Java's ZipInputStream) refuse the other form for stored members.
"""

import time
from struct import Struct
from typing import Final

from .layout import Member, Template

__all__ = ["ZipFormat"]


_MAX_32: Final = 0xFFFFFFFF
_MAX_16: Final = 0xFFFF
_MAX_NAME_BYTES: Final = _MAX_16
# The size above which a member is large. Reading and hashing so much takes some 20 ms, or 0.5 s from a disk.
_CHECKED_FIRST_BYTES: Final = 64 * 1024 * 1024
_HEADER: Final = Struct("<4s5H3I2H")  # §4.3.7
_DESCRIPTOR: Final = Struct("<4s3I")  # §4.3.9
_DESCRIPTOR_64: Final = Struct("<4sI2Q")
_RECORD: Final = Struct("<4s6H3I5H2I")  # §4.3.12
_END: Final = Struct("<4s4H2IH")  # §4.3.16
_END_64: Final = Struct("<4sQ2H2I4Q")  # §4.3.14
_LOCATOR: Final = Struct("<4sIQI")  # §4.3.15
_ZIP64: Final = 0x0001  # an extra field with sizes and offsets of 64 bits (§4.5.3)
_TIMESTAMP: Final = Struct("<2HBi")  # Info-ZIP's extra field "UT": the date in seconds since 1970, in UTC
_TIMESTAMP_ID: Final = 0x5455
_HAS_DESCRIPTOR: Final = 1 << 3
_IS_UTF8: Final = 1 << 11
_PLAIN_VERSION, _ZIP64_VERSION = 20, 45  # §4.4.3
_MADE_BY: Final = 3 << 8 | _ZIP64_VERSION  # UNIX, so the attributes are a mode (§4.4.2)
_FIRST_DATE: Final = 315532800  # 1980-01-01, the first date of the DOS fields
_LAST_DATE: Final = 4354819199  # 2107-12-31 23:59:59


class ZipFormat:
    """Zip, with Zip64 where a size, an offset or a count needs it."""

    media_type: str = "application/zip"
    suffix: str = ".zip"
    version: str = "zip 1"
    has_checksums: bool = True

    def header(self, member: Member) -> Template:
        """Return the local header. Raises ValueError if the name is longer than 65,535 bytes."""
        name = member.name.encode()
        if len(name) > _MAX_NAME_BYTES:
            raise ValueError(f"a name in a zip has at most {_MAX_NAME_BYTES} bytes: {member.name[:50]!r}…")
        big = _needs_zip64(member.size)
        extra = _zip64((member.size, member.size) if big else ()) + _timestamp(member)
        size = min(member.size, _MAX_32)
        fields = _version(big), _flags(member), 0, *_dos_date(member), 0, size, size, len(name), len(extra)
        is_sealed = member.size > 0 and not _has_descriptor(member)
        return Template(_HEADER.pack(b"PK\3\4", *fields) + name + extra, 14 if is_sealed else None)

    def trailer(self, member: Member) -> Template:
        """Return the data descriptor of a large member."""
        if not _has_descriptor(member):
            return Template(b"")
        kind = _DESCRIPTOR_64 if _needs_zip64(member.size) else _DESCRIPTOR
        return Template(kind.pack(b"PK\7\x08", 0, member.size, member.size), 4)

    def record(self, member: Member, offset: int) -> Template:
        """Return the header in the central directory."""
        name, size = member.name.encode(), min(member.size, _MAX_32)
        sizes = (member.size, member.size) if _needs_zip64(member.size) else ()
        large = (*sizes, offset) if offset >= _MAX_32 else sizes
        extra = _zip64(large) + _timestamp(member)
        kind = 0o040000 if member.is_folder else 0o100000
        attributes = (kind | member.mode) << 16 | (0x10 if member.is_folder else 0)
        fields = (
            *(_MADE_BY, _version(bool(large)), _flags(member), 0, *_dos_date(member)),
            *(0, size, size, len(name), len(extra), 0, 0, 0, attributes, min(offset, _MAX_32)),
        )
        return Template(_RECORD.pack(b"PK\1\2", *fields) + name + extra, 16 if member.size else None)

    def end(self, count: int, start: int, stop: int) -> bytes:
        """Return the end of the central directory."""
        size = stop - start
        few, small, near = min(count, _MAX_16), min(size, _MAX_32), min(start, _MAX_32)
        plain = _END.pack(b"PK\5\6", 0, 0, few, few, small, near, 0)
        if few < _MAX_16 and small < _MAX_32 and near < _MAX_32:
            return plain
        fields = _END_64.size - 12, _MADE_BY, _ZIP64_VERSION, 0, 0, count, count, size, start
        return _END_64.pack(b"PK\6\6", *fields) + _LOCATOR.pack(b"PK\6\7", 0, stop, 1) + plain


def _needs_zip64(size: int) -> bool:
    return size >= _MAX_32


def _has_descriptor(member: Member) -> bool:
    return member.size > _CHECKED_FIRST_BYTES


def _version(is_zip64: bool) -> int:
    return _ZIP64_VERSION if is_zip64 else _PLAIN_VERSION


def _flags(member: Member) -> int:
    return _IS_UTF8 | (_HAS_DESCRIPTOR if _has_descriptor(member) else 0)


def _zip64(numbers: tuple[int, ...]) -> bytes:
    """Return the extra field with these numbers; nothing if there are none."""
    if not numbers:
        return b""
    return Struct(f"<2H{len(numbers)}Q").pack(_ZIP64, 8 * len(numbers), *numbers)


def _timestamp(member: Member) -> bytes:
    """Return the extra field with the date; empty if the date does not fit into its 32 bits."""
    if not 0 <= member.modified < 2**31:
        return b""
    return _TIMESTAMP.pack(_TIMESTAMP_ID, 5, 1, member.modified)


def _dos_date(member: Member) -> tuple[int, int]:
    """Return the time and the date in UTC, in the form of MS-DOS (§4.4.6)."""
    year, month, day, hour, minute, second = time.gmtime(min(max(member.modified, _FIRST_DATE), _LAST_DATE))[:6]
    return hour << 11 | minute << 5 | second >> 1, (year - 1980) << 9 | month << 5 | day
