"""Read the entries of a directory in its own threads, and read them again only if they have changed."""

import os
import stat
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from functools import partial
from heapq import nsmallest
from itertools import chain, islice
from typing import Final

from ..file_systems import RemoteMount, mount_at, remote_device, remote_mount
from ..recent_paths import open_in_thread
from ..threads import LISTING_THREADS, in_thread
from .base import Entry, Listing
from .opening import pack_version
from .remote_entries import RemoteEntries
from .sorting import sorted_in_runs

__all__ = ["entry_at", "list_in_thread", "read_entries", "version_of"]


# Directories sort first, then names. Names are unique, so Python never compares the last items.
_Sortable = tuple[bool, str, str, "os.DirEntry[str] | Entry"]
_IsAllowed = Callable[[str], bool]  # returns whether a file with that real path may be sent
_COARSE_TICK_NS: Final = 1_000_000_000  # of the clock of file systems that store whole seconds
_FINE_TICK_NS: Final = 10_000_000  # of the kernel's clock for file times
_READABLE: Final = {True: os.R_OK | os.X_OK, False: os.R_OK}
_READABLE_BY_ALL: Final = {True: stat.S_IROTH | stat.S_IXOTH, False: stat.S_IROTH}


async def list_in_thread(path: str, function: Callable[[], Listing]) -> Listing:
    """Run `function`, which lists an absolute path, in a thread that opens no local file."""
    if await in_thread(partial(remote_device, path)) is None:
        return await in_thread(function, executor=LISTING_THREADS)
    return await open_in_thread(path, function)


def read_entries(fd: int, place: str, most: int, *, is_shown: Callable[[str], bool], is_allowed: _IsAllowed) -> Listing:
    """Read the first `most` entries of the open directory at `place`: directories first, then by name.

    `is_shown` is called with a name, and `is_allowed` with the real path of a link's target.
    """
    scan = _Scan(place, is_shown, is_allowed)
    with os.scandir(fd) as found:  # it duplicates the descriptor
        items, is_truncated = _first(scan.items(found), most)
    entries = [entry for sorted_item in sorted_in_runs(items) if (entry := _entry(*sorted_item, fd))]
    status = os.fstat(fd)
    return Listing(tuple(entries), truncated=is_truncated, identity=(status.st_dev, status.st_ino))


class _Scan:
    """Finds the entries that a client may open. Owner: one call of `read_entries`.

    The entries on other file systems come last, because threads of their devices must look at them.
    """

    def __init__(self, place: str, is_shown: Callable[[str], bool], is_allowed: _IsAllowed) -> None:
        self._place = place
        self._is_shown = is_shown
        self._is_allowed = is_allowed
        self._device = remote_device(place)
        self._remote = RemoteEntries()

    def items(self, found: Iterator["os.DirEntry[str]"]) -> Iterator[_Sortable]:
        """Yield the entries on this file system as they are found, then the others."""
        for item in found:
            if self._is_shown(item.name) and (sortable := self._on_this_device(item)):
                yield sortable
        for entry in self._remote.entries():
            yield _sortable(entry.name, entry, is_directory=entry.is_directory)

    def _on_this_device(self, item: "os.DirEntry[str]") -> _Sortable | None:
        path = os.path.join(self._place, item.name)
        if (mount := _mount_of(item, path)) and mount.device != self._device:
            self._add_remote(item.name, path, mount)
            return None
        if item.is_symlink() and not self._is_allowed(os.path.realpath(path)):
            return None
        with suppress(OSError):  # the entry was removed meanwhile, or is a broken link
            if (is_directory := item.is_dir()) or item.is_file():
                return _sortable(item.name, item, is_directory=is_directory)
        return None

    def _add_remote(self, name: str, path: str, mount: RemoteMount) -> None:
        """Add an entry on another file system.

        A file system is always mounted on a directory, but the target of a link may be a file or a directory.
        """
        guess = Entry(name, is_directory=mount.place == path) if self._is_allowed(mount.place) else None
        self._remote.add(mount.device, partial(entry_at, path, self._is_allowed), guess=guess)


def _first(items: Iterator[_Sortable], most: int) -> tuple[list[_Sortable], bool]:
    """Return the first `most` of the items, in any order, and whether there are more."""
    first = list(islice(items, most))
    if (more := next(items, None)) is None:
        return first, False
    return nsmallest(most, chain(first, (more,), items)), True


def _mount_of(item: "os.DirEntry[str]", path: str) -> RemoteMount | None:
    """Return the remote file system that is mounted at the entry or to which the entry leads; None if there is none."""
    return remote_mount(path) if item.is_symlink() else mount_at(path)


def entry_at(path: str, is_allowed: _IsAllowed) -> Entry | None:
    """Return the entry of a path, which may be a link; None if no client may open it."""
    with suppress(OSError):  # it is a broken link
        if not is_allowed(os.path.realpath(path)):
            return None
        status = os.stat(path)
        is_directory = stat.S_ISDIR(status.st_mode)
        if is_directory or stat.S_ISREG(status.st_mode):
            return _described(path, status, is_directory=is_directory)
    return None


def _sortable(name: str, item: "os.DirEntry[str] | Entry", *, is_directory: bool) -> _Sortable:
    return not is_directory, name.casefold(), name, item


def _entry(is_file: bool, _: str, name: str, item: "os.DirEntry[str] | Entry", fd: int) -> Entry | None:
    if isinstance(item, Entry):
        return item
    with suppress(OSError):  # it was removed meanwhile
        return _described(name, item.stat(), fd, is_directory=not is_file)
    return None


def _described(path: str, status: os.stat_result, fd: int | None = None, *, is_directory: bool) -> Entry:
    is_readable = _is_readable(path, status.st_mode, fd, is_directory=is_directory)
    if not is_directory:
        return _file_entry(os.path.basename(path), status, is_readable=is_readable)
    return Entry(os.path.basename(path), is_directory=True, modified=int(status.st_mtime), is_readable=is_readable)


def _file_entry(name: str, status: os.stat_result, *, is_readable: bool) -> Entry:
    return Entry(
        name,
        is_directory=False,
        size=status.st_size,
        modified=int(status.st_mtime),
        is_readable=is_readable,
        version=pack_version(status),
        is_executable=bool(status.st_mode & stat.S_IXUSR),
    )


def _is_readable(name: str, mode: int, fd: int | None, *, is_directory: bool) -> bool:
    """Return whether this process may read an entry. Ask the system only if the mode does not allow all users to."""
    by_all = _READABLE_BY_ALL[is_directory]
    return mode & by_all == by_all or os.access(name, _READABLE[is_directory], dir_fd=fd)


async def version_of(path: str) -> Hashable:
    """Return identity and times of a directory; None if it has just changed: its times may not show a new change.

    Raises OSError.
    """
    status = await open_in_thread(path, partial(os.stat, path))
    tick = _COARSE_TICK_NS if status.st_mtime_ns % _COARSE_TICK_NS == 0 else _FINE_TICK_NS
    if abs(time.time_ns() - status.st_mtime_ns) < 2 * tick:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
