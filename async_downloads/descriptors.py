"""Open descriptors that are shared: ten thousand downloads of one file need one of them, not ten thousand."""

import os
import threading
from typing import Final
from weakref import WeakValueDictionary

__all__ = ["Descriptor"]

_Version = tuple[int, int, int, int, int]


class Descriptor:
    """An open file descriptor, and how many use it; the last one to release it closes it."""

    __slots__ = ("__weakref__", "_users", "fd", "status", "version")

    def __init__(self, fd: int) -> None:
        self.fd: int = fd
        self.status: os.stat_result = os.fstat(fd)
        status = self.status
        self.version: _Version = (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
        self._users = 1

    def shared(self) -> "Descriptor":
        """Return, in the place of this one, what is open of the same version of the same file.

        A version is told by its size and its times. Positions are not shared, since everybody reads from offsets.
        """
        with _lock:
            found = _open.setdefault(self.version, self)
            if found is self:
                return self
            if not found._users:  # it is being closed
                _open[self.version] = self
                return self
            found._users += 1  # right after the test: nothing can be collected in between
        self.release()
        return found

    def release(self) -> None:
        """Close it, unless somebody else uses it."""
        with _lock:
            self._users -= 1
            last = not self._users
        if last:
            os.close(self.fd)


# Files are opened in threads, too; and while it is held, a file that nobody closed may be collected, and released.
_lock: Final = threading.RLock()
_open: "Final[WeakValueDictionary[_Version, Descriptor]]" = WeakValueDictionary()
