"""Several worker processes that share the listening sockets, and the parent process that supervises them.

The parent replaces a worker that dies. If workers die within one second after their start, it waits before it starts
the next one, from 0.1 s up to 30 s. It gives up only if each worker has ended with an error right after its start.

    parent ── lifeline (write end) ──┐        No process writes to this pipe. When the parent ends, for any reason,
    worker ── lifeline (read end) ───┤        the kernel closes the write end. The workers then read the end of the
    worker ── lifeline (read end) ───┘        pipe, and end, too.
"""

import itertools
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from typing import Final, NamedTuple, cast

from .line_writer import report
from .monitor import WorkersMonitor
from .worker import SIGNALS

__all__ = ["supervise"]


_MIN_LIFE_SECONDS: Final = 1.0  # if a worker ends sooner, the next one may end as soon
_MIN_PAUSE_SECONDS: Final = 0.1  # before the worker after a short-lived one is started; it doubles each time
_MAX_PAUSE_SECONDS: Final = 30.0
_SIGNAL_SECONDS: Final = 0.2  # how long a signal may go unnoticed while no worker runs
_WAIT_SECONDS: Final = 2.0  # the longest wait for a worker's end: a signal just before the wait does not end the wait


def supervise(
    work: Callable[[int, int], int], count: int, monitor: WorkersMonitor, *, on_end: Callable[[], None]
) -> int:
    """Keep `count` worker processes running until a signal ends them; return the exit code.

    `work` gets the read end of a pipe that closes when this process ends, and the number of the worker, from 0.
    `on_end` is called at the signal. It closes the listening sockets of this process, because no worker would accept
    connections that wait there. Call this function with `SIGNALS` blocked.
    """
    read_end, write_end = os.pipe()
    workers = _Workers(work, read_end, write_end, monitor)

    def end(*_: object) -> None:
        workers.end()
        on_end()

    try:
        workers.start(count)
        for number in SIGNALS:
            signal.signal(number, end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return workers.watch()
    finally:
        os.close(write_end)
        os.close(read_end)


class _Worker(NamedTuple):
    """A running worker, the time of its start, and the number of its page."""

    process: BaseProcess
    started: float
    number: int


class _Workers:
    """The running workers, by their sentinels, which become readable when a worker dies; and those to be started.

    States: supervising; ending, after a signal or if no worker can start. The main thread of the parent owns this
    object. `end` also runs in the signal handler of this thread.
    """

    def __init__(self, work: Callable[[int, int], int], read_end: int, write_end: int, monitor: WorkersMonitor) -> None:
        self._work = work
        self._read_end = read_end
        self._write_end = write_end
        self._monitor = monitor
        self._ending = False
        self._running: dict[int, _Worker] = {}  # by sentinels
        self._missing = 0  # workers to be started
        self._next_start = 0.0  # not before this time
        self._pause = 0.0  # seconds before the next start
        self._has_served = False  # whether any worker has started without an error

    def start(self, count: int) -> None:
        """Start `count` workers, but not before the pause after a short-lived worker is over."""
        self._missing += count
        while self._missing and not self._ending and time.monotonic() >= self._next_start:
            self._missing -= 1
            try:
                self._fork()
            except OSError as error:  # the system has no memory or no process number left
                self._missing += 1
                self._slow_down()
                report(f"cannot start a worker: {error.strerror}: trying again in {self._pause:g} s")

    def _fork(self) -> None:
        """Fork a worker. Signals are blocked meanwhile, and the worker unblocks them when it has set its handlers."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            used = {worker.number for worker in self._running.values()}
            number = next(number for number in itertools.count() if number not in used)
            self._monitor.reset(number)
            process = get_context("fork").Process(target=self._run, args=(number,))
            process.start()
            self._running[process.sentinel] = _Worker(process, time.monotonic(), number)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _run(self, number: int) -> None:
        os.close(self._write_end)  # a copy in the worker would keep the pipe open after the parent's death
        raise SystemExit(self._work(self._read_end, number))

    def end(self) -> None:
        """Send SIGTERM to all workers, and do not replace workers from now on."""
        self._ending = True
        self._monitor.stopping()
        for worker in list(self._running.values()):
            with suppress(OSError):
                worker.process.terminate()

    def watch(self) -> int:
        """Replace workers that die. When no worker is left, return the exit code."""
        exit_code = 0
        while self._running or (self._missing and not self._ending):
            timeout = _SIGNAL_SECONDS if self._missing else _WAIT_SECONDS
            for sentinel in connection.wait(list(self._running), self._monitor.wait_seconds(timeout)):
                exit_code |= self._handle_death(cast("int", sentinel))
            self.start(0)
            self._monitor.look(worker.number for worker in self._running.values())
        return exit_code

    def _handle_death(self, sentinel: int) -> int:
        """Replace a dead worker, or end, and report it; return the bit that it adds to the exit code."""
        process, started, number = self._running.pop(sentinel)
        self._monitor.reset(number)
        process.join()  # the sentinel is readable a moment before the process has an exit code
        failed = bool(process.exitcode)
        if self._ending:
            if failed:
                report(_describe_end(process))
            return int(failed)
        is_short = time.monotonic() - started < _MIN_LIFE_SECONDS
        self._has_served |= not is_short or (process.exitcode or 0) <= 0
        if not self._has_served and not self._running:
            report(f"{_describe_end(process)}: no worker can start")
            self._ending = True
            return 1
        self._replace(process, is_short=is_short)
        return 0

    def _replace(self, process: BaseProcess, *, is_short: bool) -> None:
        if is_short:
            self._slow_down()
            report(f"{_describe_end(process)} right after its start: a new worker replaces it in {self._pause:g} s")
        else:
            self._pause = 0.0
            report(f"{_describe_end(process)}: a new worker replaces it")
        self.start(1)

    def _slow_down(self) -> None:
        """Double the pause before the next start."""
        self._pause = min(max(2 * self._pause, _MIN_PAUSE_SECONDS), _MAX_PAUSE_SECONDS)
        self._next_start = time.monotonic() + self._pause


def _describe_end(process: BaseProcess) -> str:
    code = process.exitcode or 0
    end = f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"
    return f"worker {process.pid} {end}"
