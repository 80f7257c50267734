"""A cache of small objects. Each use asks the store whether the object is still the same."""

import time
from collections import OrderedDict
from typing import Final

from ..memory import MemorySource

__all__ = ["SmallObjects"]


class SmallObjects:
    """Sources by key, each with the ETag that it has in the store. The cache belongs to one ObjectStore.

    The cache has at most 16 MiB; the least recently used objects are removed first. An object is kept for a minute,
    because its fields may change without its ETag.
    """

    _CAPACITY_BYTES: Final = 16 * 1024 * 1024
    _SECONDS: Final = 60.0
    _ENTRY_BYTES: Final = 2048  # memory of one entry besides its content

    def __init__(self) -> None:
        self._objects: OrderedDict[str, tuple[MemorySource, str, float]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> tuple[MemorySource, str] | None:
        """Return the source and its ETag; None if the object is not cached."""
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
        """Cache an object. It replaces the one with the same key."""
        self.remove(key)
        self._objects[key] = source, etag, time.monotonic() + self._SECONDS
        self._bytes += self._size(source)
        while self._bytes > self._CAPACITY_BYTES:
            self.remove(next(iter(self._objects)))

    def remove(self, key: str) -> None:
        """Remove an object from the cache."""
        if found := self._objects.pop(key, None):
            self._bytes -= self._size(found[0])

    def _size(self, source: MemorySource) -> int:
        return self._ENTRY_BYTES + len(source.data)
