"""Read the entries of a directory in threads of their own, and only again if they have changed."""

import os
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from functools import partial
from heapq import nsmallest
from typing import Final

from ..file_systems import RemoteMount, mount_at, remote_device, remote_mount
from ..recent_paths import open_in_thread
from ..threads import LISTING_THREADS, in_thread
from .base import Entry, Listing
from .remote_entries import RemoteEntries

__all__ = ["list_in_thread", "read_entries", "version_of"]


# Directories sort first, then names. Names are unique, so Python never compares the last items.
_Sortable = tuple[bool, str, str, "os.DirEntry[str] | Entry"]
_IsAllowed = Callable[[str], bool]  # whether a file with that real place may be sent
_COARSE_TICK_NS: Final = 1_000_000_000  # of the clock of file systems that store whole seconds
_FINE_TICK_NS: Final = 10_000_000  # of the kernel's clock for file times


async def list_in_thread(path: str, function: Callable[[], Listing]) -> Listing:
    """Run `function`, which lists an absolute path, in a thread that opens no local file."""
    if await in_thread(partial(remote_device, path)) is None:
        return await in_thread(function, executor=LISTING_THREADS)
    return await open_in_thread(path, function)


def read_entries(fd: int, place: str, most: int, *, is_shown: Callable[[str], bool], is_allowed: _IsAllowed) -> Listing:
    """Read the first `most` entries of the open directory at `place`: directories first, then by name.

    `is_shown` is called with a name, and `is_allowed` with the real place of a link's target.
    """
    device = remote_device(place)
    remote = RemoteEntries(is_allowed)

    def sortable(found: Iterator["os.DirEntry[str]"]) -> Iterator[_Sortable]:
        for item in found:
            if not is_shown(item.name):
                continue
            path = os.path.join(place, item.name)
            if (mount := _mount_of(item, path)) and mount.device != device:
                remote.add(item.name, path, mount)
                continue
            if item.is_symlink() and not is_allowed(os.path.realpath(path)):
                continue
            with suppress(OSError):  # it was removed meanwhile, or is a broken link
                if (is_directory := item.is_dir()) or item.is_file():
                    yield _sortable(item.name, item, is_directory=is_directory)
        for entry in remote.entries():
            yield _sortable(entry.name, entry, is_directory=entry.is_directory)

    with os.scandir(fd) as found:  # it duplicates the descriptor
        first = nsmallest(most + 1, sortable(found))
    entries = [entry for sorted_item in first[:most] if (entry := _entry(*sorted_item))]
    return Listing(tuple(entries), truncated=len(first) > most)


def _mount_of(item: "os.DirEntry[str]", path: str) -> RemoteMount | None:
    """Return the file system that is not local to which the entry leads, or which is mounted there; None if neither."""
    return remote_mount(path) if item.is_symlink() else mount_at(path)


def _sortable(name: str, item: "os.DirEntry[str] | Entry", *, is_directory: bool) -> _Sortable:
    return not is_directory, name.casefold(), name, item


def _entry(is_file: bool, _: str, name: str, item: "os.DirEntry[str] | Entry") -> Entry | None:
    if isinstance(item, Entry):
        return item
    if not is_file:
        return Entry(name, is_directory=True)
    with suppress(OSError):  # it was removed meanwhile
        status = item.stat()
        return Entry(name, is_directory=False, size=status.st_size, modified=int(status.st_mtime))
    return None


async def version_of(path: str) -> Hashable:
    """Return identity and times of a directory; None if it was changed so lately that its time may not differ.

    Raises OSError.
    """
    status = await open_in_thread(path, partial(os.stat, path))
    tick = _COARSE_TICK_NS if status.st_mtime_ns % _COARSE_TICK_NS == 0 else _FINE_TICK_NS
    if abs(time.time_ns() - status.st_mtime_ns) < 2 * tick:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
