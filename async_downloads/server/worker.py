"""One process that serves: its app, its signals, and its shutdown.

SIGTERM or Ctrl-C starts the draining. So does the end of its terminal, or of the parent process. Then running downloads
continue for at most `drain_timeout` seconds, and new requests are refused. A second signal ends the process at once.
Hypercorn alone would wait for stalled clients, or cut off active ones, depending on the version of Python.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, TextIO, cast

from quart import Quart

from ..config import ServerSettings, Settings
from ..site.app import create_app
from ..threads import raise_mmap_threshold
from .access_log import AccessLog
from .drain import DrainGate
from .hypercorn.install import Config, serve
from .hypercorn.loops import loop_factory
from .line_writer import LineWriter

__all__ = ["SIGNALS", "work"]


# `nohup` sets SIGHUP to be ignored: then the server outlives its terminal.
_HANG_UP: Final = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, *_HANG_UP)
# One Ctrl-C arrives twice: the terminal signals the whole process group, and the parent passes the signal on.
_SAME_SIGNAL_SECONDS: Final = 0.5
# With Python's default the collector runs again and again while ten thousand connections arrive at once. Each run takes
# half a second, and all requests wait for it.
_GC_THRESHOLDS: Final = (2000, 20, 50)
_CLOSE_SECONDS: Final = 2.0  # for the site to close, mainly its database connections
_FLUSH_SECONDS: Final = 1.0  # for the last lines of the access log to be read


def work(settings: Settings, server: ServerSettings, config: Config, lifeline: int | None = None) -> int:
    """Serve until a signal comes, or until the write end of the pipe `lifeline` is closed; return the exit code.

    Call this with `SIGNALS` blocked: a signal that comes early is then delivered when its handler is set.
    """
    site = create_app(settings)
    gc.freeze()  # the objects loaded by now stay, so the collector need not visit them
    gc.set_threshold(*_GC_THRESHOLDS)
    raise_mmap_threshold()
    gate = DrainGate(site)
    with _logged(gate, server.access_log) as app, asyncio.Runner(loop_factory=loop_factory(server.loop)) as runner:
        runner.run(_serve(app, _Shutdown(gate, server.drain_timeout), config, lifeline, close=partial(_close, site)))
    return 0


async def _close(site: Quart) -> None:
    """Shut the site down if it has started; after a very early signal it has not."""
    if hasattr(site, "shutdown_event"):
        await site.shutdown()


@contextmanager
def _logged(gate: DrainGate, form: str) -> Iterator[Any]:
    """Put the access log around the gate, so that it logs refused requests, too; at the end flush it."""
    if form == "none":
        yield gate
        return
    lines = LineWriter(_descriptor(sys.stdout), complaints=_descriptor(sys.stderr))
    try:
        yield AccessLog(gate, form, write=lines.write)
    finally:
        lines.close(within=_FLUSH_SECONDS)


def _descriptor(stream: TextIO | None) -> int:
    """Return a stream's descriptor, or /dev/null if the process has no such stream: another file has its number now."""
    return stream.fileno() if stream else os.open(os.devnull, os.O_WRONLY)


class _Shutdown:
    """Decides when the process ends.

    States: serving; draining, from the first signal on; ended, when the time for draining is over, at a second signal,
    or when Hypercorn has returned. `_serve` owns it; its methods run on the event loop.
    """

    def __init__(self, gate: DrainGate, drain_timeout: float) -> None:
        self._gate = gate
        self._drain_timeout = drain_timeout
        self._started = 0.0  # the draining, in the loop's time
        self.drained = gate.drained
        self.ended = asyncio.Event()

    def start(self) -> None:
        """Start to drain, if that has not happened."""
        if not self._gate.is_draining:
            loop = asyncio.get_running_loop()
            self._started = loop.time()
            self._gate.drain()
            loop.call_later(self._drain_timeout, self.ended.set)

    def handle_signal(self) -> None:
        """Start to drain at the first signal; end at the second."""
        if self._gate.is_draining and asyncio.get_running_loop().time() - self._started > _SAME_SIGNAL_SECONDS:
            self.ended.set()
        self.start()


async def _serve(
    app: Any, shutdown: _Shutdown, config: Config, lifeline: int | None, *, close: Callable[[], Awaitable[None]]
) -> None:
    asyncio.get_running_loop().set_exception_handler(_ignore_lost_connections)
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=cast("Any", shutdown.drained)))
    serving.add_done_callback(lambda _: shutdown.ended.set())
    _watch_signals(shutdown, lifeline)
    await shutdown.ended.wait()
    if serving.done():
        serving.result()
    await _cancel_all_tasks()
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await close()  # the lifespan has not closed it if the time for draining was over; closing twice is harmless
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # the loop that handles signals ends now


def _watch_signals(shutdown: _Shutdown, lifeline: int | None) -> None:
    loop = asyncio.get_running_loop()
    if lifeline is not None:
        _call_when_readable(lifeline, shutdown.start)
    for number in SIGNALS:
        loop.add_signal_handler(number, shutdown.handle_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _call_when_readable(fd: int, callback: Callable[[], None]) -> None:
    """Call back once: a pipe whose write end is closed stays readable."""
    loop = asyncio.get_running_loop()

    def once() -> None:
        loop.remove_reader(fd)
        callback()

    loop.add_reader(fd, once)


async def _cancel_all_tasks() -> None:
    """Cancel the tasks of open connections, again while any is left: a cancelled one waits for its client to close."""
    for _ in range(20):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.1)


def _ignore_lost_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report an unhandled exception, unless it means that a connection is lost.

    Hypercorn does not expect OSError while it closes a connection; the kernel causes one when it drops a client
    (`TCP_USER_TIMEOUT`). Before Python 3.12 asyncio reports the tasks that we cancel, too.
    """
    if not isinstance(context.get("exception"), (OSError, asyncio.CancelledError)):
        loop.default_exception_handler(context)
