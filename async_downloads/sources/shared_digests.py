"""SHA-256 digests that all workers of a server know, so that one of them hashes a version of a file for all.

    row    version (48 bytes) | digest (32 bytes) | checksum of both (16 bytes)

A version has one row, and a version with the same CRC-32 may overwrite it. Nothing is locked: if two processes write
a row at the same time, or one dies while it writes, the checksum is wrong, and the row counts as empty.
"""

import hashlib
import mmap
import zlib
from typing import Final

__all__ = ["SharedDigests"]


_VERSION_BYTES: Final = 48
_ROW_BYTES: Final = 96
_ROWS: Final = 32 * 1024  # 3 MiB, of which only rows in use take memory


class SharedDigests:
    """Digests by version, as `pack_version` makes it, in memory of all processes that are forked afterwards."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ROWS * _ROW_BYTES)

    def get(self, version: bytes) -> bytes | None:
        """Return the digest of a version; None if it is not known."""
        place = _place(version)
        row = self._memory[place : place + _ROW_BYTES]
        digest = row[_VERSION_BYTES : _VERSION_BYTES + 32]
        return digest if row == _row(version, digest) else None

    def put(self, version: bytes, digest: bytes) -> None:
        """Make the digest of a version known."""
        place = _place(version)
        self._memory[place : place + _ROW_BYTES] = _row(version, digest)


def _place(version: bytes) -> int:
    return zlib.crc32(version) % _ROWS * _ROW_BYTES


def _row(version: bytes, digest: bytes) -> bytes:
    return version + digest + hashlib.blake2s(version + digest, digest_size=16).digest()
