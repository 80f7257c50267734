"""Several processes that share the listening sockets, and the one that looks after them.

A worker that dies is replaced, unless it died as soon as it was born: then the next would, too.

    parent ── lifeline (write end) ──┐        Nobody writes. When the parent is gone, however that
    worker ── lifeline (read end) ───┤        came, the workers read the end of the pipe, and end.
    worker ── lifeline (read end) ───┘
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from typing import Final, cast

from .worker import SIGNALS

__all__ = ["supervise"]


_STILLBORN: Final = 1.0  # seconds: what lives no longer would be started over and over


def supervise(work: Callable[[int], int], count: int) -> int:
    """Keep that many processes at work until a signal ends them; return the exit code.

    `work` is given the end of a pipe that is closed when this process is gone. Call this with `SIGNALS` blocked.
    """
    lifeline, held = os.pipe()
    workers = _Workers(work, lifeline, held)
    try:
        for _ in range(count):
            workers.start()
        for number in SIGNALS:
            signal.signal(number, lambda *_: workers.end())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return workers.watch()
    finally:
        os.close(held)
        os.close(lifeline)


class _Workers:
    """The processes that run, by what tells of their death."""

    def __init__(self, work: Callable[[int], int], lifeline: int, held: int) -> None:
        self._work = work
        self._lifeline = lifeline
        self._held = held
        self._ending = False
        self._running: dict[int, tuple[BaseProcess, float]] = {}

    def start(self) -> None:
        """Start one; signals wait meanwhile, in it until it heeds them."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        process = get_context("fork").Process(target=self._live)
        process.start()
        self._running[process.sentinel] = process, time.monotonic()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _live(self) -> None:
        os.close(self._held)  # else the worker itself would keep the pipe from its end
        sys.exit(self._work(self._lifeline))

    def end(self) -> None:
        """Tell all to end."""
        self._ending = True
        for process, _ in list(self._running.values()):
            process.terminate()

    def watch(self) -> int:
        """Replace those that die; return when none is left."""
        exit_code = 0
        while self._running:
            for sentinel in connection.wait(list(self._running)):
                exit_code |= self._bury(cast("int", sentinel))
        return exit_code

    def _bury(self, sentinel: int) -> int:
        """Do what the death of one asks for; return what it means for the exit code."""
        process, born = self._running.pop(sentinel)
        process.join()  # its end of the pipe is closed a moment before it has an exit code
        if self._ending:
            if process.exitcode:
                _say(_obituary(process))
            return int(bool(process.exitcode))
        if time.monotonic() - born < _STILLBORN:
            _say(f"{_obituary(process)} as soon as it was started: all end")
            self.end()
            return 1
        _say(f"{_obituary(process)}: another takes its place")
        self.start()
        return 0


def _obituary(process: BaseProcess) -> str:
    code = process.exitcode or 0
    end = f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"
    return f"worker {process.pid} {end}"


def _say(text: str) -> None:
    print(f"async-downloads: {text}", file=sys.stderr, flush=True)  # noqa: T201
