"""Which paths may be opened on the event loop, because the way to them is in the kernel's cache."""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Final

from .threads import T, in_thread

__all__ = ["RecentPaths"]


# The numbers that statfs(2) gives to the file systems of local disks and of memory. All others may wait for a network
# (NFS, SMB, Ceph) or for another process (FUSE), however recently a path was opened.
_LOCAL: Final = {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # XFS
    0x9123683E,  # Btrfs
    0xCA451A4E,  # bcachefs
    0xF2F52010,  # F2FS
    0x2FC12FC1,  # ZFS
    0x01021994,  # tmpfs
    0x794C7630,  # overlayfs
    0x73717368,  # SquashFS
    0xE0F5E1E2,  # EROFS
}
_STATUS_BYTES: Final = 256  # more than `struct statfs` has on any processor


class RecentPaths:
    """Paths below `folder` that were opened a few seconds ago.

    The first opening of a path looks for directories and inodes on the disk, so it runs in a thread. For the next
    `_SECONDS` the kernel most likely has them cached, and the path is opened on the event loop, which is faster.
    """

    __slots__ = ("_expiry", "_folder")

    _MOST: Final = 4096
    _SECONDS: Final = 30.0

    def __init__(self, folder: str = "") -> None:
        self._folder = folder
        self._expiry: dict[str, float] = {}  # in the event loop's time

    def __contains__(self, path: str) -> bool:
        return self._expiry.get(path, 0.0) > asyncio.get_running_loop().time()

    async def open(self, path: str, function: Callable[[], T], *, discard: Callable[[T], object]) -> T:
        """Run `function`, which opens the path. If the caller is cancelled, what it opened goes to `discard`."""
        if path in self:
            return function()
        opened, is_local = await in_thread(
            lambda: (function(), self._is_local(path)), discard=lambda result: discard(result[0])
        )
        if is_local:
            self._add(path)
        return opened

    def _is_local(self, path: str) -> bool:
        """Whether the file and its directory, from which a link may lead elsewhere, are on local file systems."""
        full = os.path.join(self._folder, path)
        return all(_file_system(each) in _LOCAL for each in (full, os.path.dirname(full)))

    def _add(self, path: str) -> None:
        if len(self._expiry) >= self._MOST:
            self._expiry.clear()
        self._expiry[path] = asyncio.get_running_loop().time() + self._SECONDS


def _file_system(path: str) -> int | None:
    """Return the type of the file system as statfs(2) has it; None if the system cannot tell, or is not Linux."""
    if sys.platform != "linux":
        return None
    status = ctypes.create_string_buffer(_STATUS_BYTES)
    if ctypes.CDLL(None).statfs(os.fsencode(path), status):
        return None
    return ctypes.c_ulong.from_buffer(status).value
