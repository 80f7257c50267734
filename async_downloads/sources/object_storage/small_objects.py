"""Small objects that are kept whole; each use asks the store whether they are still the same."""

import time
from collections import OrderedDict
from typing import Final

from ..memory import MemorySource

__all__ = ["SmallObjects"]


class SmallObjects:
    """Sources by key, and the ETag by which the store knows each of them. It belongs to one ObjectStore.

    All of them take at most 16 MiB; those that were not used for the longest time leave first. An object is kept for a
    minute, since its fields may change without its ETag.
    """

    _CAPACITY_BYTES: Final = 16 * 1024 * 1024
    _SECONDS: Final = 60.0
    _ENTRY_BYTES: Final = 2048  # what an object takes besides its content

    def __init__(self) -> None:
        self._objects: OrderedDict[str, tuple[MemorySource, str, float]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> tuple[MemorySource, str] | None:
        """Return the source and its ETag, or None if the object is not kept."""
        found = self._objects.get(key)
        if found is None:
            return None
        source, etag, kept_until = found
        if kept_until < time.monotonic():
            self.remove(key)
            return None
        self._objects.move_to_end(key)
        return source, etag

    def put(self, key: str, source: MemorySource, etag: str) -> None:
        """Keep an object in the place of the one that had its key."""
        self.remove(key)
        self._objects[key] = source, etag, time.monotonic() + self._SECONDS
        self._bytes += self._size(source)
        while self._bytes > self._CAPACITY_BYTES:
            self.remove(next(iter(self._objects)))

    def remove(self, key: str) -> None:
        """Forget an object, if it is kept."""
        if found := self._objects.pop(key, None):
            self._bytes -= self._size(found[0])

    def _size(self, source: MemorySource) -> int:
        return self._ENTRY_BYTES + len(source.data)
