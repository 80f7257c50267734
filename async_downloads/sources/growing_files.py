"""Files that grow while they are read.

When a program appends bytes to a file, the kernel sets the new time a little before the new size. So a file with a new
time and the old size either grows, or was written to in place. Only a later look shows which of the two is true.
"""

import asyncio
import math
import os
import time
from typing import Final

from ..errors import SourceChanged
from ..open_file import OpenFile
from ..threads import MustWait, is_on_loop

__all__ = ["SentVersion", "settled_status"]


_SECONDS: Final = 0.02  # far longer than one write takes, unless the writing program has to wait for a processor
_PAUSE_SECONDS: Final = 0.001


def settled_status(fd: int, status: os.stat_result, size: int) -> os.stat_result:
    """Return the status of a file with a new time as soon as its size is no longer `size`, or after a short wait.

    Raises MustWait on the event loop if it has to wait for that.
    """
    deadline = time.monotonic() + _SECONDS
    while status.st_size == size and time.monotonic() < deadline:
        if is_on_loop():
            raise MustWait
        time.sleep(_PAUSE_SECONDS)
        status = os.fstat(fd)
    return status


class SentVersion:
    """The version of a file while a region of it is sent. The source checks the version again after the region."""

    __slots__ = ("_deadline", "_file", "_mtime_ns", "_size")

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        status = os.fstat(file.fd)  # it is not kept, because it takes a kilobyte for each of thousands of slow clients
        self._mtime_ns, self._size = status.st_mtime_ns, status.st_size
        self._deadline = math.inf  # in the event loop's time

    def check(self, offset: int) -> None:
        """Raise SourceChanged if the file was written to in place."""
        now = os.fstat(self._file.fd)
        if now.st_mtime_ns == self._mtime_ns or now.st_size > self._size:
            return
        moment = asyncio.get_running_loop().time()
        self._deadline = min(self._deadline, moment + _SECONDS)
        if now.st_size < self._size or moment >= self._deadline:
            raise SourceChanged(f"the file was written to before byte {offset} was sent")
