"""Entries of a listing that lead to file systems which may never complete a call."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from contextlib import suppress
from typing import Final, NamedTuple

from ..file_systems import threads_of
from .base import Entry

__all__ = ["RemoteEntries"]


_SECONDS: Final = 1.0  # how long a listing waits for all these file systems


class _RemoteEntry(NamedTuple):
    look: Callable[[], Entry | None]
    guess: Entry | None


class RemoteEntries:
    """Links to file systems that are not local, and the places where such file systems are mounted.

    The threads of each device look at its entries. For what they have not found after a second, the guess is listed,
    which has no size and no date.

    Owner: the thread that reads a listing.
    """

    def __init__(self) -> None:
        self._devices: dict[int, list[_RemoteEntry]] = {}

    def add(self, device: int, look: Callable[[], Entry | None], *, guess: Entry | None) -> None:
        """Add an entry. `look`, which may never return, returns it, or None if no client may open it."""
        self._devices.setdefault(device, []).append(_RemoteEntry(look, guess))

    def entries(self) -> list[Entry]:
        """Return all entries, those that a client may open as far as that is known."""
        looks = [_Look(device, entries) for device, entries in self._devices.items()]
        end = time.monotonic() + _SECONDS
        return [entry for look in looks for entry in look.entries(end) if entry]


class _Look:
    """The results of the thread of one device about its entries."""

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
        """Wait until then for the thread, and return what it has found, and guesses for the rest."""
        if self._done:
            with suppress(NotDone):
                self._done.result(max(end - time.monotonic(), 0))
        self._is_late = True
        found = self._found.copy()
        return found + [entry.guess for entry in self._entries[len(found) :]]
