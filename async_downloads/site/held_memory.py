"""A limit for the pages and archives in memory. Each client that reads nothing keeps one of them in memory."""

import threading
import weakref
from typing import Final

from ..errors import SourceBusy

__all__ = ["HeldMemory", "MemoryLease", "held_memory"]


class HeldMemory:
    """The bytes of all pages and lists of archive members that are kept, are being made, or are being sent.

    The last one may exceed `MAX_BYTES`: a page and an archive have limits of their own. Any thread may use this object.
    """

    MAX_BYTES: Final = 256 * 1024 * 1024

    def __init__(self) -> None:
        self.bytes: int = 0
        self._lock = threading.RLock()  # reentrant, because the garbage collector may release a lease while it is held

    def take(self, size: int, own: int) -> None:
        """Count more bytes for a holder that has `own` bytes. Raises SourceBusy if the others hold too many."""
        with self._lock:
            if self.bytes - own > self.MAX_BYTES:
                raise SourceBusy(f"pages and archives in memory have {self.bytes:,} bytes", retry_after=5)
            self.bytes += size

    def release(self, size: int) -> None:
        """Subtract these bytes."""
        with self._lock:
            self.bytes -= size


held_memory: Final = HeldMemory()


class MemoryLease:
    """The bytes of one page or archive.

    growing ── hold_for(owner) ──> held ── the owner is collected ──> released
       └── release() ────────────────────────────────────────────────────^
    """

    def __init__(self) -> None:
        self._memory = held_memory
        self._size = 0

    def grow(self, size: int) -> None:
        """Take more bytes. Raises SourceBusy."""
        self._memory.take(size, self._size)
        self._size += size

    def hold_for(self, owner: object) -> None:
        """Release the bytes when the owner is collected."""
        weakref.finalize(owner, self.release).atexit = False

    def release(self) -> None:
        """Release the bytes. A second call does nothing."""
        size, self._size = self._size, 0
        self._memory.release(size)
