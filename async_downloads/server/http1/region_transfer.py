"""How much of a region of a file is sent, and how much can be sent without waiting for a disk."""

from typing import Final

from ...open_file import FileRegion
from ...sources.growing_files import SentVersion
from ...sources.opening import map_read_errors

__all__ = ["RegionTransfer"]


_COLD_BYTES: Final = 4 * 1024 * 1024  # what a thread brings into the page cache at a time


class RegionTransfer:
    """One region on its way: what is sent, and how far the file is known to be in the page cache."""

    __slots__ = ("_cached", "_is_cold", "_stop", "_version", "file", "offset")

    def __init__(self, region: FileRegion) -> None:
        self.file, self.offset, size = region
        self._stop = self._cached = self.offset
        self._stop += size
        self._is_cold = False  # after `_cached`: a second probe could be wrong, because the first one reads a page
        self._version = SentVersion(self.file)  # the source has just checked it

    @property
    def left(self) -> int:
        """How many bytes are not sent yet."""
        return self._stop - self.offset

    def cached_bytes(self, most: int) -> int:
        """Return how many of the next bytes can be sent without waiting for a disk. Raises SourceChanged.

        Each byte is probed once, and beyond what the call before has sent: so a call is not cut where that one ended.
        """
        self._version.check(self.offset)
        end = min(self._stop, self.offset + most)
        if self._cached < end and not self._is_cold:
            self._is_cold = not self.file.is_cached(self._cached, end - self._cached)
            self._cached = self._cached if self._is_cold else end
        return min(self._cached, end) - self.offset

    async def load(self) -> None:
        """Bring the next bytes into the page cache."""
        count = min(self.left, _COLD_BYTES)
        with map_read_errors(f"reading from {self.offset}"):
            await self.file.bring_into_cache(self.offset, count)
        self._cached, self._is_cold = self.offset + count, False
