"""Several worker processes that share the listening sockets, and the parent process that supervises them.

The parent replaces a worker that dies. If a worker dies within a second of its start, the next one would, too: then the
parent ends all of them.

    parent ── lifeline (write end) ──┐        No process writes to the pipe. When the parent ends, for whatever
    worker ── lifeline (read end) ───┤        reason, the kernel closes the write end; the workers read the end
    worker ── lifeline (read end) ───┘        of the pipe, and end.
"""

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from typing import Final, cast

from .line_writer import report
from .worker import SIGNALS

__all__ = ["supervise"]


_MIN_LIFE_SECONDS: Final = 1.0  # a worker that lives shorter is not replaced: it would be restarted without end


def supervise(work: Callable[[int], int], count: int) -> int:
    """Keep `count` worker processes running until a signal ends them; return the exit code.

    `work` gets the read end of a pipe that closes when this process ends. Call this with `SIGNALS` blocked.
    """
    read_end, write_end = os.pipe()
    workers = _Workers(work, read_end, write_end)
    try:
        for _ in range(count):
            workers.start()
        for number in SIGNALS:
            signal.signal(number, lambda *_: workers.end())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return workers.watch()
    finally:
        os.close(write_end)
        os.close(read_end)


class _Workers:
    """The running workers, keyed by the sentinel that becomes readable when one dies.

    States: supervising, then ending (after `end`, which a signal or a short-lived worker calls). The parent's main
    thread owns it; `end` also runs in that thread's signal handler.
    """

    def __init__(self, work: Callable[[int], int], read_end: int, write_end: int) -> None:
        self._work = work
        self._read_end = read_end
        self._write_end = write_end
        self._ending = False
        self._running: dict[int, tuple[BaseProcess, float]] = {}  # sentinel: process, start time

    def start(self) -> None:
        """Fork a worker. Signals stay blocked meanwhile; the worker unblocks them when its handlers are set."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        process = get_context("fork").Process(target=self._run)
        process.start()
        self._running[process.sentinel] = process, time.monotonic()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _run(self) -> None:
        os.close(self._write_end)  # a copy in the worker would keep the pipe open after the parent's death
        raise SystemExit(self._work(self._read_end))

    def end(self) -> None:
        """Send SIGTERM to all workers, and replace none from now on."""
        self._ending = True
        for process, _ in list(self._running.values()):
            process.terminate()

    def watch(self) -> int:
        """Replace workers that die; return the exit code when none is left."""
        exit_code = 0
        while self._running:
            for sentinel in connection.wait(list(self._running)):
                exit_code |= self._handle_death(cast("int", sentinel))
        return exit_code

    def _handle_death(self, sentinel: int) -> int:
        """Replace a dead worker, or end all, and report it; return the bit that it adds to the exit code."""
        process, started = self._running.pop(sentinel)
        process.join()  # the sentinel is readable a moment before the process has an exit code
        if self._ending:
            if process.exitcode:
                report(_describe_end(process))
            return int(bool(process.exitcode))
        if time.monotonic() - started < _MIN_LIFE_SECONDS:
            report(f"{_describe_end(process)} as soon as it was started: all workers end")
            self.end()
            return 1
        report(f"{_describe_end(process)}: a new worker replaces it")
        self.start()
        return 0


def _describe_end(process: BaseProcess) -> str:
    code = process.exitcode or 0
    end = f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"
    return f"worker {process.pid} {end}"
