"""The bytes of objects that may wait in memory for their clients."""

from typing import Final

__all__ = ["ByteBudget"]


class ByteBudget:
    """A number of bytes for all downloads from one object store: each takes its chunks from it, and gives them back.

    Without it a thousand clients that read fast and then stop would fill the memory. It belongs to one Upstream.
    """

    _BYTES: Final = 256 * 1024 * 1024

    def __init__(self) -> None:
        self._free: int = self._BYTES

    @property
    def has_free(self) -> bool:
        """Whether there are bytes for chunks that no client waits for yet."""
        return self._free > 0

    def take(self, wanted: int, *, least: int) -> int:
        """Return the size of the next chunk: `wanted`, or a half of it and so on if that is not free.

        `least` bytes are always given, so that each download goes on.
        """
        while wanted > max(self._free, least):
            wanted //= 2
        given = max(wanted, least)
        self._free -= given
        return given

    def give_back(self, count: int) -> None:
        """Give back bytes that were taken."""
        self._free += count
