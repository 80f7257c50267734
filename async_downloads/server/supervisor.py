"""Several worker processes that share the listening sockets, and the parent process that supervises them.

The parent replaces a worker that dies. If workers die within a second of their start, it waits before it starts the
next one, from 0.1 s up to 30 s. It gives up only if no worker has ever started: each has ended with an error at once.

    parent ── lifeline (write end) ──┐        No process writes to the pipe. When the parent ends, for whatever
    worker ── lifeline (read end) ───┤        reason, the kernel closes the write end; the workers read the end
    worker ── lifeline (read end) ───┘        of the pipe, and end.
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


_MIN_LIFE_SECONDS: Final = 1.0  # if a worker lives shorter, the next one may die as soon
_MIN_PAUSE_SECONDS: Final = 0.1  # before the worker after a short-lived one is started; it doubles each time
_MAX_PAUSE_SECONDS: Final = 30.0
_SIGNAL_SECONDS: Final = 0.2  # how long a signal may go unnoticed while no worker runs
_WAIT_SECONDS: Final = 2.0  # for a worker to die: a signal just before the wait does not end it


def supervise(
    work: Callable[[int, int], int], count: int, monitor: WorkersMonitor, *, on_end: Callable[[], None]
) -> int:
    """Keep `count` worker processes running until a signal ends them; return the exit code.

    `work` gets the read end of a pipe that closes when this process ends, and the number of the worker, from 0.
    `on_end` is called at the signal. It closes the listening sockets of this process: no worker could accept what would
    wait there. Call this with `SIGNALS` blocked.
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
    """A running worker, when it was started, and which page it writes."""

    process: BaseProcess
    started: float
    number: int


class _Workers:
    """The running workers, keyed by the sentinel that becomes readable when one dies, and those to be started.

    States: supervising, then ending (after `end`, which a signal calls, or if no worker can start). The parent's main
    thread owns it; `end` also runs in that thread's signal handler.
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
        self._has_served = False  # a worker has not ended with an error at its start

    def start(self, count: int) -> None:
        """Start `count` workers, as soon as the pause after a short-lived one is over."""
        self._missing += count
        while self._missing and not self._ending and time.monotonic() >= self._next_start:
            self._missing -= 1
            try:
                self._fork()
            except OSError as error:  # the system has no memory or no process number left
                self._missing += 1
                self._slow_down()
                report(f"a worker cannot be started: {error.strerror}: trying again in {self._pause:g} s")

    def _fork(self) -> None:
        """Fork a worker. Signals stay blocked meanwhile; the worker unblocks them when its handlers are set."""
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
        """Send SIGTERM to all workers, and replace none from now on."""
        self._ending = True
        self._monitor.stopping()
        for worker in list(self._running.values()):
            with suppress(OSError):
                worker.process.terminate()

    def watch(self) -> int:
        """Replace workers that die; return the exit code when none is left."""
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
            report(f"{_describe_end(process)} as soon as it was started: a new worker replaces it in {self._pause:g} s")
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
