"""CRC-32 checksums of file versions, remembered until other checksums need their memory.

Each checksum covers the first bytes of a file, and continues when more of them are read. So if a download breaks off in
a large file and is resumed, no byte is read twice.
"""

import threading
from array import array
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

__all__ = ["ArchiveChecksums", "Prefix"]


class Prefix(NamedTuple):
    """The first `length` bytes of a file have this CRC-32."""

    length: int = 0
    checksum: int = 0


class _ChecksumMemory:
    """Checksums by version; the least recently used are forgotten first. Any thread may use it."""

    MAX_BYTES: Final = 32 * 1024 * 1024
    ENTRY_BYTES: Final = 512  # memory of one entry: a version and its checksum

    def __init__(self) -> None:
        self._prefixes: OrderedDict[Hashable, Prefix] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, version: Hashable) -> Prefix:
        """Return the longest prefix that is known."""
        with self._lock:
            found = self._prefixes.get(version)
            if found is None:
                return Prefix()
            self._prefixes.move_to_end(version)
            return found

    def put(self, version: Hashable, prefix: Prefix) -> None:
        """Remember a prefix that is longer than the known one."""
        with self._lock:
            self._prefixes[version] = prefix
            self._prefixes.move_to_end(version)
            while len(self._prefixes) * self.ENTRY_BYTES > self.MAX_BYTES:
                self._prefixes.popitem(last=False)


_memory: Final = _ChecksumMemory()


class ArchiveChecksums:
    """The known checksums of an archive's members, by their index.

    The archive has a checksum for each member. If the version of a member is known, its checksum is also remembered
    for later archives.
    """

    __slots__ = ("_checksums", "_lengths")

    def __init__(self, count: int) -> None:
        self._lengths = array("Q", bytes(8 * count))
        self._checksums = array("L", [0]) * count

    def get(self, index: int, version: Hashable) -> Prefix:
        """Return the longest known prefix of a member."""
        own = Prefix(self._lengths[index], self._checksums[index])
        return own if own.length or version is None else _memory.get(version)

    def put(self, index: int, version: Hashable, prefix: Prefix) -> None:
        """Remember a prefix, unless a longer one is known."""
        if prefix.length <= self.get(index, version).length:
            return
        self._lengths[index], self._checksums[index] = prefix
        if version is not None:
            _memory.put(version, prefix)
