"""The tar format of POSIX.1-2001, called pax: a header of 512 bytes, the data, and zeros up to a multiple of 512.

A value that does not fit into the header (a name that is long or not ASCII, a size of 8 GiB or more) is in an extended
header before it, as text in UTF-8.
"""

from typing import Final

from .layout import Member, Template

__all__ = ["TarFormat"]


_BLOCK_BYTES: Final = 512
_NAME_BYTES: Final = 100
_MAX_SIZE: Final = 8**11 - 1  # the largest number in eleven octal digits
_EXTENDED_NAME: Final = "PaxHeaders/member"  # programs that know no extended headers unpack them under this name


class TarFormat:
    """Tar, with extended headers where they are needed."""

    media_type: str = "application/x-tar"
    suffix: str = ".tar"
    version: str = "tar 1"
    has_checksums: bool = False

    def header(self, member: Member) -> Template:
        """Return the header, with an extended one before it if necessary."""
        records = b""
        if not member.name.isascii() or len(member.name) > _NAME_BYTES:
            records += _record("path", member.name)
        if member.size > _MAX_SIZE:
            records += _record("size", str(member.size))
        name = member.name.encode("ascii", "replace")[:_NAME_BYTES]
        kind = b"5" if member.is_folder else b"0"
        return Template(_extended(records) + _header(name, min(member.size, _MAX_SIZE), member, kind))

    def trailer(self, member: Member) -> Template:
        """Return the padding."""
        return Template(_padding(member.size))

    def record(self, member: Member, offset: int) -> Template:  # noqa: ARG002 - a tar has no directory
        """Return nothing: a tar has no directory."""
        return Template(b"")

    def end(self, count: int, start: int, stop: int) -> bytes:  # noqa: ARG002
        """Return the two blocks of zeros at the end."""
        return bytes(2 * _BLOCK_BYTES)


def _extended(records: bytes) -> bytes:
    """Return an extended header with these records; nothing if there are none."""
    if not records:
        return b""
    header = _header(_EXTENDED_NAME.encode(), len(records), Member(_EXTENDED_NAME), b"x")
    return header + records + _padding(len(records))


def _record(key: str, value: str) -> bytes:
    """Return a record `LENGTH key=value`. LENGTH also counts its own digits."""
    rest = f" {key}={value}\n".encode()
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _header(name: bytes, size: int, member: Member, kind: bytes) -> bytes:
    """Return a block with the fields of a ustar header. Its checksum is computed with spaces in the checksum field."""
    modified = min(max(member.modified, 0), _MAX_SIZE)
    front = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (name.ljust(_NAME_BYTES, b"\0"), member.mode, 0, 0, size, modified)
    back = kind + bytes(_NAME_BYTES) + b"ustar\x0000"
    checksum = sum(front) + sum(back) + 8 * ord(" ")
    return (front + b"%06o\0 " % checksum + back).ljust(_BLOCK_BYTES, b"\0")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK_BYTES)
