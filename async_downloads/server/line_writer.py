"""Lines written by a thread of its own, so that a reader who is slow, or none, holds up nobody.

The thread writes to the descriptor, not through a stream: a stream is flushed when the process ends, and would be found
locked by the thread that still waits.
"""

import os
import select
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Final

__all__ = ["LineWriter"]


_MOST: Final = 10_000  # lines that wait: a few MB


class LineWriter:
    """Writes lines to a descriptor in their order; beyond 10,000 that wait they are dropped and counted.

    How many were is said on `complaints`, when those that waited have been written. When the descriptor cannot be
    written to any more, that is said once, and all further lines are nobody's.
    """

    def __init__(self, fd: int, *, complaints: int) -> None:
        self._fd = fd
        self._complaints = complaints
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._dropped = 0  # by the thread that calls `write`
        self._told = 0  # how many of those the other has told of
        self._broken = False
        self._thread = Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Have a line written; it ends with a line break. To be called from one thread alone."""
        if self._broken:
            return
        if self._waiting.qsize() >= _MOST:
            self._dropped += 1
        else:
            self._waiting.put(line)

    def close(self, *, within: float) -> None:
        """Wait until all has been written, but no longer than that many seconds."""
        self._waiting.put(None)
        self._thread.join(within)
        if self._thread.is_alive():
            self._dropped += self._waiting.qsize()
            self._tell_of_dropped(patience=0)

    def _run(self) -> None:
        try:
            while (line := self._waiting.get()) is not None:
                _write_all(self._fd, line.encode())
                if self._waiting.empty():
                    self._tell_of_dropped()
        except OSError as error:
            self._broken = True
            self._complain(f"the access log ends here: {error.strerror}")
        self._tell_of_dropped()

    def _tell_of_dropped(self, *, patience: int | None = None) -> None:
        dropped = self._dropped - self._told
        if dropped:
            self._told += dropped
            self._complain(f"{dropped} lines of the access log were dropped: nobody read them in time", patience)

    def _complain(self, text: str, patience: int | None = None) -> None:
        """Say something, if there is room for it within so many milliseconds: both may be one pipe."""
        with suppress(OSError):
            if _has_room(self._complaints, patience):
                _write_all(self._complaints, f"async-downloads: {text}\n".encode())


def _write_all(fd: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:  # somebody who shares the pipe has made it so
            _has_room(fd, None)


def _has_room(fd: int, patience: int | None) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(patience))
