"""The progress of sending a region of a file, and how much of it can be sent without waiting for a disk."""

import math
import time
from typing import Final

from ...open_file import FileRegion, OpenFile
from ...sources.growing_files import SentVersion
from ...sources.opening import map_read_errors

__all__ = ["RegionTransfer"]


_BLOCK_BYTES: Final = 1024 * 1024
_COLD_BYTES: Final = 4 * 1024 * 1024  # that a thread brings into the page cache at a time


class _CachedBlocks:
    """Blocks of files that the page cache had a few seconds ago. Each block of a file is probed once for all clients.

    The kernel hardly ever drops a page that was just used.
    """

    _SECONDS: Final = 5.0
    _MOST: Final = 16_384  # blocks of 1 MiB; each takes about 200 bytes here

    def __init__(self) -> None:
        self._seen_at: dict[tuple[tuple[int, ...], int], float] = {}

    def is_known(self, file: OpenFile, number: int) -> bool:
        """Whether a block of this version of a file was seen to be cached."""
        return time.monotonic() - self._seen_at.get((file.version, number), -math.inf) < self._SECONDS

    def add(self, file: OpenFile, number: int) -> None:
        """Record that a whole block is cached."""
        if len(self._seen_at) >= self._MOST:
            self._seen_at.clear()
        self._seen_at[file.version, number] = time.monotonic()


_blocks: Final = _CachedBlocks()


class RegionTransfer:
    """The sending of one region: how much is sent, and up to where the file is known to be in the page cache."""

    __slots__ = ("_cached", "_is_cold", "_stop", "_version", "file", "offset")

    def __init__(self, region: FileRegion) -> None:
        self.file: OpenFile = region.file
        self.offset: int = region.offset
        self._cached = self.offset
        self._stop = region.offset + region.size
        self._is_cold = False  # the block after `_cached` is not cached; a second probe could be wrong
        self._version = SentVersion(self.file)  # the source has just checked it

    @property
    def left(self) -> int:
        """How many bytes are not sent yet."""
        return self._stop - self.offset

    def cached_bytes(self, most: int) -> int:
        """Return how many of the next bytes can be sent without waiting for a disk. Raises SourceChanged.

        The file is probed in whole blocks, also beyond the end of this call, so that the next call is not shortened.
        """
        self._version.check(self.offset)
        end = min(self._stop, self.offset + most)
        while self._cached < end and not self._is_cold:
            self._probe_block()
        return min(self._cached, end) - self.offset

    def _probe_block(self) -> None:
        """Find out whether the rest of a block is cached."""
        start, number = self._cached, self._cached // _BLOCK_BYTES
        stop = min(self._stop, (number + 1) * _BLOCK_BYTES)
        if not _blocks.is_known(self.file, number):
            if not self.file.is_cached(start, stop - start):
                self._is_cold = True
                return
            if stop - start == _BLOCK_BYTES:
                _blocks.add(self.file, number)
        self._cached = stop

    async def load(self) -> None:
        """Bring the next bytes into the page cache."""
        count = min(self.left, _COLD_BYTES)
        with map_read_errors(f"reading from {self.offset}"):
            await self.file.bring_into_cache(self.offset, count)
        self._cached, self._is_cold = self.offset + count, False
