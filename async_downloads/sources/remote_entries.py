"""Entries of a listing that lead to remote file systems, where a system call may never return."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from contextlib import suppress
from typing import Final, NamedTuple

from ..file_systems import threads_of
from .base import Entry

__all__ = ["RemoteEntries"]


_SECONDS: Final = 1.0  # how long a listing waits for all remote file systems together


class _RemoteEntry(NamedTuple):
    look: Callable[[], Entry | None]
    guess: Entry | None


class RemoteEntries:
    """Links to remote file systems, and the mount points of remote file systems.

    Each device has its own threads, which look up its entries. If an entry is not found after a second, its guess is
    listed, which has no size and no date.

    Owner: the thread that reads a listing.
    """

    def __init__(self) -> None:
        self._devices: dict[int, list[_RemoteEntry]] = {}

    def add(self, device: int, look: Callable[[], Entry | None], *, guess: Entry | None) -> None:
        """Add an entry. `look` returns the entry, or None if no client may open it. It may also never return."""
        self._devices.setdefault(device, []).append(_RemoteEntry(look, guess))

    def entries(self) -> list[Entry]:
        """Return all entries except those that certainly no client may open."""
        looks = [_Look(device, entries) for device, entries in self._devices.items()]
        end = time.monotonic() + _SECONDS
        return [entry for look in looks for entry in look.entries(end) if entry]


class _Look:
    """The entries that the thread of one device has looked up."""

    def __init__(self, device: int, entries: list[_RemoteEntry]) -> None:
        self._entries = entries
        self._found: list[Entry | None] = []
        self._is_late = False
        threads = threads_of(device)
        self._done: Future[None] | None = None if threads.is_stuck(_SECONDS) else threads.submit(self._look)

    def _look(self) -> None:
        for entry in self._entries:
            if self._is_late:
                return
            self._found.append(entry.look())

    def entries(self, end: float) -> list[Entry | None]:
        """Wait for the thread until the time `end`. Return the entries that it found, and guesses for the others."""
        if self._done:
            with suppress(NotDone):
                self._done.result(max(end - time.monotonic(), 0))
        self._is_late = True
        found = self._found.copy()
        return found + [entry.guess for entry in self._entries[len(found) :]]
