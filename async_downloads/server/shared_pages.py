"""Numbers that all processes of a server can read: each worker writes its own page.

Processes that are forked later share the memory. It has no file, so nothing stays after a crash. Each number has eight
bytes at a multiple of eight, and processors write these in one step, so no lock is needed.
"""

import mmap
from collections.abc import Iterator
from typing import Final

__all__ = ["SharedPages"]


_NUMBER_BYTES: Final = 8


class SharedPages:
    """A page of `size` numbers, all 0, for each worker. A worker that replaces a dead worker continues its page."""

    def __init__(self, workers: int, size: int) -> None:
        self._size = size
        self._numbers = memoryview(mmap.mmap(-1, workers * size * _NUMBER_BYTES)).cast("d")

    def __getitem__(self, worker: int) -> "memoryview[float]":
        """Return the page of a worker: its numbers can be read and written."""
        return self._numbers[worker * self._size : (worker + 1) * self._size]

    def __len__(self) -> int:
        """Return the number of pages."""
        return len(self._numbers) // self._size

    def __iter__(self) -> Iterator["memoryview[float]"]:
        """Yield all pages."""
        return map(self.__getitem__, range(len(self)))
