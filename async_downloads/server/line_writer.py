"""Lines written by their own thread, so that a slow reader of standard output delays no request.

The thread writes to the file descriptor, not to a Python stream. Python flushes streams when the process ends, and that
would wait for the lock that a blocked thread holds.
"""

import os
import select
import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Final

__all__ = ["LineWriter", "report"]


_MAX_WAITING_LINES: Final = 10_000  # a few MB
_REPORT_MILLISECONDS: Final = 1000


class LineWriter:
    """Writes lines to a descriptor in their order; drops and counts those beyond 10,000 waiting ones.

    States: it writes; it is broken, when the descriptor cannot be written to any more; it is closed. A broken writer
    says so once on the descriptor `complaints` and ignores all further lines. When the waiting lines have been written,
    or on `close`, it writes there how many lines were dropped.

    The event loop's thread owns `_dropped` and calls `write` and `close`. The writer's own thread owns `_reported` and
    `_broken`; `close` touches `_reported` only for a thread that is blocked.
    """

    def __init__(self, fd: int, *, complaints: int) -> None:
        self._fd = fd
        self._complaints = complaints
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._dropped = 0  # lines
        self._reported = 0  # of those, the lines that a complaint has counted
        self._broken = False
        self._thread = Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue a line, which ends with a line break. Only one thread may call this."""
        if self._broken:
            return
        if self._waiting.qsize() >= _MAX_WAITING_LINES:
            self._dropped += 1
        else:
            self._waiting.put(line)

    def close(self, *, within: float) -> None:
        """Wait until all lines have been written, for at most `within` seconds."""
        self._waiting.put(None)
        self._thread.join(within)
        if self._thread.is_alive():
            self._dropped += self._waiting.qsize()
            self._report_dropped(milliseconds=0)

    def _run(self) -> None:
        try:
            while (line := self._waiting.get()) is not None:
                _write_all(self._fd, line.encode())
                if self._waiting.empty():
                    self._report_dropped()
        except OSError as error:
            self._broken = True
            _write_line(self._complaints, f"the access log ends here: {error.strerror}")
        self._report_dropped()

    def _report_dropped(self, *, milliseconds: int | None = None) -> None:
        dropped = self._dropped - self._reported
        if dropped:
            self._reported += dropped
            text = f"{dropped} lines of the access log were dropped: they were not read in time"
            _write_line(self._complaints, text, milliseconds)


def report(text: str) -> None:
    """Write a line to standard error. If nobody reads it, wait one second at most; if it is closed, do nothing."""
    if sys.stderr is not None:
        _write_line(sys.stderr.fileno(), text, _REPORT_MILLISECONDS)


def _write_line(fd: int, text: str, milliseconds: int | None = None) -> None:
    """Write a line if the descriptor is writable within that time; None waits without a limit."""
    with suppress(OSError):
        if _is_writable(fd, milliseconds):
            _write_all(fd, f"async-downloads: {text}\n".encode())


def _write_all(fd: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:  # another process that shares the pipe has made it non-blocking
            _is_writable(fd, None)


def _is_writable(fd: int, milliseconds: int | None) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(milliseconds))
