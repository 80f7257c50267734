"""SHA-256 digests that all workers of a server share, so that each version of a file is hashed only once.

    row    version (48 bytes) | digest (32 bytes) | checksum of both (16 bytes)

The CRC-32 of a version chooses its row, so another version may overwrite it. There is no lock: if two processes write a
row at the same time, or one of them is killed while it writes, the checksum is wrong, and the row counts as empty.
"""

import hashlib
import mmap
import zlib
from typing import Final

__all__ = ["SharedDigests"]


_VERSION_BYTES: Final = 48
_DIGEST_BYTES: Final = 32
_CHECKSUM_BYTES: Final = 16
_ROW_BYTES: Final = _VERSION_BYTES + _DIGEST_BYTES + _CHECKSUM_BYTES
_ROWS: Final = 32 * 1024  # 3 MiB, but only used rows take memory


class SharedDigests:
    """Digests by version, as `pack_version` makes it, in memory that all later forked processes share."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ROWS * _ROW_BYTES)

    def get(self, version: bytes) -> bytes | None:
        """Return the digest of a version; None if it is not known."""
        place = _place(version)
        row = self._memory[place : place + _ROW_BYTES]
        digest = row[_VERSION_BYTES : _VERSION_BYTES + _DIGEST_BYTES]
        return digest if row == _row(version, digest) else None

    def put(self, version: bytes, digest: bytes) -> None:
        """Store the digest of a version."""
        place = _place(version)
        self._memory[place : place + _ROW_BYTES] = _row(version, digest)


def _place(version: bytes) -> int:
    return zlib.crc32(version) % _ROWS * _ROW_BYTES


def _row(version: bytes, digest: bytes) -> bytes:
    return version + digest + hashlib.blake2s(version + digest, digest_size=_CHECKSUM_BYTES).digest()
