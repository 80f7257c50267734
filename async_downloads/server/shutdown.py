"""The shutdown of a worker: a signal starts it, and the end of the time or a second signal completes it."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..config import ServerSettings
from .drain import DrainGate
from .line_writer import report
from .monitor import WorkerMonitor

__all__ = ["Shutdown", "exit_if_stuck"]


# One Ctrl-C arrives twice: the terminal sends it to the whole process group, and the parent sends it to its workers.
_SAME_SIGNAL_SECONDS: Final = 0.5
_START_SECONDS: Final = 2.0
_STUCK_SECONDS: Final = 2.0
_REPORT_SECONDS: Final = 0.2  # for the last line to be written
_AT_ONCE: Final = "(press Ctrl-C again or send SIGTERM again to stop at once)"


class Shutdown:
    """Decides when the process ends.

    serving ── first signal ──> retiring ── `drain_delay` is over ──> draining ──> ended
                                    └────────── a second signal ───────────────────┘

    The draining ends when the last response is sent, or after `drain_timeout`. If the app does not start within two
    seconds after the first signal, everything ends. `_serve` owns this object. Its methods run on the event loop.
    """

    def __init__(self, gate: DrainGate, monitor: WorkerMonitor, server: ServerSettings, *, name: str = "") -> None:
        self._gate = gate
        self._monitor = monitor
        self._delay = server.drain_delay
        self._timeout = server.drain_timeout
        self._name = name  # of one worker of several, before what it reports
        self._started: float | None = None  # when the first signal came, in the loop's time
        self.ended: asyncio.Event = asyncio.Event()

    def start(self) -> None:
        """Start the shutdown, if it has not started."""
        if self._started is not None:
            return
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        self._gate.retire()
        self._monitor.stopping()
        loop.call_later(_START_SECONDS, self._end_unless_open)
        if not self._delay:
            self._drain()
            return
        loop.call_later(self._delay, self._drain)
        report(f"{self._name}accepting connections for {self._delay:g} s before the shutdown {_AT_ONCE}")

    def _end_unless_open(self) -> None:
        if not self._gate.is_open:
            self.ended.set()

    def _drain(self) -> None:
        self._gate.drain()
        asyncio.get_running_loop().call_later(self._timeout, self.ended.set)
        if self._gate.running and self._timeout:
            report(f"{self._name}{_waiting_for(self._gate.running, self._timeout)}")

    def handle_signal(self) -> None:
        """Start the shutdown at the first signal; end at the second."""
        if self._started is not None and asyncio.get_running_loop().time() - self._started > _SAME_SIGNAL_SECONDS:
            self.ended.set()
        self.start()


def _waiting_for(downloads: int, seconds: float) -> str:
    running = "1 download is running" if downloads == 1 else f"{downloads:,} downloads are running"
    return f"{running}: waiting up to {seconds:g} s {_AT_ONCE}"


@contextmanager
def exit_if_stuck(code: int) -> Iterator[None]:
    """End the process with this exit code if the block does not end within two seconds.

    The block closes an event loop, which waits for all tasks and threads. A task of the app may ignore that it is
    cancelled, and a thread may wait for a disk that no longer responds.
    """
    timer = threading.Timer(_STUCK_SECONDS, _exit, (code,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _exit(code: int) -> None:
    report("a task or a thread of the app does not end: the process ends without it")
    time.sleep(_REPORT_SECONDS)
    os._exit(code)
