"""Entries of a listing that lead to file systems which may never complete a call."""

import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from contextlib import suppress
from typing import Final, NamedTuple

from ..file_systems import RemoteMount, threads_of
from .base import Entry

__all__ = ["RemoteEntries"]


_SECONDS: Final = 1.0  # how long a listing waits for all these file systems


class _RemoteEntry(NamedTuple):
    name: str
    path: str
    mount: RemoteMount


class RemoteEntries:
    """Links to file systems that are not local, and the places where such file systems are mounted.

    The threads of each device look at its entries. An entry that they have not looked at after a second is listed
    without a size and a date. `is_allowed` gets a real path, and returns whether a file there may be sent.

    Owner: the thread that reads a listing.
    """

    def __init__(self, is_allowed: Callable[[str], bool]) -> None:
        self._is_allowed = is_allowed
        self._devices: dict[int, list[_RemoteEntry]] = {}

    def add(self, name: str, path: str, mount: RemoteMount) -> None:
        """Add the entry with that path, which leads to the file system."""
        self._devices.setdefault(mount.device, []).append(_RemoteEntry(name, path, mount))

    def entries(self) -> list[Entry]:
        """Return an entry for each path that leads to a file or a directory, or may do so."""
        looks = [_Look(remotes, self._is_allowed) for remotes in self._devices.values()]
        end = time.monotonic() + _SECONDS
        return [entry for look in looks for entry in look.entries(end)]


class _Look:
    """What a thread of one device finds out about its entries."""

    def __init__(self, remotes: list[_RemoteEntry], is_allowed: Callable[[str], bool]) -> None:
        self._remotes = remotes
        self._is_allowed = is_allowed
        self._found: dict[str, Entry | None] = {}
        self._is_late = False
        threads = threads_of(remotes[0].mount.device)
        self._done: Future[None] | None = None if threads.is_stuck(_SECONDS) else threads.submit(self._look)

    def _look(self) -> None:
        for remote in self._remotes:
            if self._is_late:
                return
            self._found[remote.name] = self._entry(remote)

    def _entry(self, remote: _RemoteEntry) -> Entry | None:
        with suppress(OSError):  # it is a broken link
            if not self._is_allowed(os.path.realpath(remote.path)):
                return None
            status = os.stat(remote.path)
            modified = int(status.st_mtime)
            if stat.S_ISDIR(status.st_mode):
                return Entry(remote.name, is_directory=True, modified=modified)
            if stat.S_ISREG(status.st_mode):
                return Entry(remote.name, is_directory=False, size=status.st_size, modified=modified)
        return None

    def entries(self, end: float) -> list[Entry]:
        """Wait until then for the thread, and return all entries."""
        if self._done:
            with suppress(NotDone):
                self._done.result(max(end - time.monotonic(), 0))
        self._is_late = True
        found = [
            self._found[remote.name] if remote.name in self._found else self._guess(remote) for remote in self._remotes
        ]
        return [entry for entry in found if entry]

    def _guess(self, remote: _RemoteEntry) -> Entry | None:
        """Return an entry without touching the file system: a file system is mounted on a directory."""
        if not self._is_allowed(remote.mount.place):
            return None
        return Entry(remote.name, is_directory=remote.path == remote.mount.place)
