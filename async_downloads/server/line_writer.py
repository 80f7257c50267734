"""Write lines to standard output and standard error, so that a slow, full or closed output does not delay a request.

A `LineWriter` has its own thread. The thread writes to the file descriptor, not to a Python stream: Python flushes
streams when the process ends, and would wait for the lock that a blocked thread holds.

`report` needs no thread, so the process that supervises the workers can use it: this process forks, and a fork copies
no threads.
"""

import io
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import RLock, Thread
from typing import Final

__all__ = ["LineWriter", "print_nowait", "queued_stderr", "report"]


_MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
_MAX_LINE_BYTES: Final = 64 * 1024  # a traceback is one line here; a longer one is cut
_FLUSH_SECONDS: Final = 1.0  # in which the last lines must be written


class LineWriter:
    """Writes lines to a descriptor in order. It drops and counts lines if 4 MiB wait, or if it cannot write them.

    States: writing; failing, after an error such as a full disk or a closed pipe; closed. A failing writer tries each
    line, so it writes again as soon as there is room. By `report` it says once that it fails. It also reports how many
    lines were dropped, when no line waits and when it is closed.

    Any thread may call `write`, and changes `_queued` and `_overflowed` under the lock. The lock is reentrant, because
    the garbage collector may warn about an object while the lock is held. The writer's own thread owns the other
    counts; `close` changes them only if this thread is blocked.
    """

    def __init__(self, fd: int, name: str, *, report: Callable[[str], object]) -> None:
        self._fd = fd
        self._name = name
        self._report = report
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._lock = RLock()
        self._queued = 0  # bytes
        self._taken = 0  # bytes that the thread has taken from the queue
        self._overflowed = 0  # lines
        self._lost = 0  # lines that could not be written
        self._reported = 0  # dropped lines that were reported
        self._failing = False
        self._is_torn = False  # the last line was written in part
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue a line, which ends with a line break, or drop it. This does not block."""
        data = line.encode("utf-8", "backslashreplace")
        if len(data) > _MAX_LINE_BYTES:
            data = data[:_MAX_LINE_BYTES] + b"...\n"
        with self._lock:
            if self._queued - self._taken + len(data) > _MAX_WAITING_BYTES:
                self._overflowed += 1
            else:
                self._queued += len(data)
                self._waiting.put(data)

    def close(self, *, within: float = _FLUSH_SECONDS) -> None:
        """Wait until all lines have been written, for at most `within` seconds."""
        self._waiting.put(None)
        self._thread.join(within)
        if self._thread.is_alive():
            self._lost += self._waiting.qsize()
            self._report_dropped()

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            self._write(line)
            self._taken += len(line)
            if self._waiting.empty() and not self._failing:
                self._report_dropped()
        self._report_dropped()

    def _write(self, line: bytes) -> None:
        rest = b"\n" + line if self._is_torn else line
        size = len(rest)
        try:
            while rest:
                rest = rest[_write_some(self._fd, rest) :]
        except OSError as error:
            self._lost += 1
            self._is_torn = self._is_torn or len(rest) < size
            if not self._failing:
                self._failing = True
                self._report(f"cannot write {self._name}: {error.strerror}; lines are dropped until this works again")
        else:
            self._failing = self._is_torn = False

    def _report_dropped(self) -> None:
        dropped = self._overflowed + self._lost - self._reported
        if dropped:
            self._reported += dropped
            self._report(f"{dropped} lines of {self._name} were dropped, because they could not be written in time")


@contextmanager
def queued_stderr() -> Iterator[None]:
    """Let a thread write the text that this process writes to `sys.stderr`.

    So a warning, a traceback or a log line never blocks its writer and never fails. At the end of the block, wait at
    most one second for the last lines.
    """
    original = sys.stderr
    if original is None:
        yield
        return
    lines = LineWriter(original.fileno(), "standard error", report=report)
    sys.stderr = _LineStream(lines)
    try:
        yield
    finally:
        sys.stderr = original
        lines.close()


class _LineStream(io.TextIOBase):
    """A text stream that queues complete lines. Text after the last line break waits for the rest of its line."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines
        self._begun = ""

    def write(self, text: str) -> int:
        whole, line_break, rest = (self._begun + text).rpartition("\n")
        self._begun = rest[-_MAX_LINE_BYTES:]
        if line_break:
            self._lines.write(whole + line_break)
        return len(text)

    def writable(self) -> bool:
        return True


class _Reporter:
    """Writes a line to the standard error of the process, if this does not block; else it drops and counts the line."""

    def __init__(self) -> None:
        self.form: Callable[[str], str] = "async-downloads: {}\n".format  # makes a line of a message
        self._dropped = 0

    def __call__(self, text: str) -> None:
        line = self.form(text)
        if self._dropped:
            line = self.form(f"{self._dropped} messages were dropped") + line
        try:
            is_written = sys.__stderr__ is None or _write_nowait(sys.__stderr__.fileno(), line.encode())
        except (OSError, ValueError):  # the write failed, or standard error is closed
            is_written = False
        self._dropped = 0 if is_written else self._dropped + 1


report: Final = _Reporter()
"""Write a line to standard error if this does not block; else count it for the next report. It never fails."""


def print_nowait(text: str) -> None:
    """Write text to standard output if this does not block; else the text is lost. It never fails.

    It does not use the buffer of `sys.stdout`, because Python would try to write that again when the process ends.
    """
    with suppress(OSError, ValueError):
        if sys.stdout is not None:
            _write_nowait(sys.stdout.fileno(), text.encode(sys.stdout.encoding, "backslashreplace"))


def _write_nowait(fd: int, line: bytes) -> bool:
    """Write a short line if the descriptor takes it without waiting; return whether it was written."""
    with _nonblocking(fd) as own:
        if not _is_writable(own, 0):
            return False
        with suppress(BlockingIOError):
            return os.write(own, line) > 0
    return False


@contextmanager
def _nonblocking(fd: int) -> Iterator[int]:
    """Open a pipe again in non-blocking mode, because other processes share the mode of `fd` itself.

    Any other file is used unchanged: for it, `poll` is enough.
    """
    if not stat.S_ISFIFO(os.fstat(fd).st_mode) or not os.path.exists("/proc/self/fd"):
        yield fd
        return
    own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield own
    finally:
        os.close(own)


def _write_some(fd: int, data: bytes) -> int:
    """Write some of the data, at least one byte. Wait until the descriptor takes a byte."""
    while True:
        try:
            return os.write(fd, data)
        except BlockingIOError:  # another process that shares the pipe has made it non-blocking
            _is_writable(fd, None)


def _is_writable(fd: int, milliseconds: int | None) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(milliseconds))
