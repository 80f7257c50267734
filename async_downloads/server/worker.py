"""One process that serves: its app, the signals that end it, and an end in good order.

SIGTERM or Ctrl-C begins the draining, and so does the closing of its terminal, or the death of the process that started
this one: running downloads go on for `drain_timeout` seconds at most, new requests are refused. A second signal, and it
ends at once. Hypercorn alone would wait for a client that has stalled, or cut off those that have not, depending on the
version of Python.
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

from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart

from ..config import ServerSettings, Settings
from ..site.app import create_app
from ..threads import raise_mmap_threshold
from .access_log import AccessLog
from .drain import DrainGate
from .hypercorn.loops import loop_factory
from .line_writer import LineWriter

__all__ = ["SIGNALS", "work"]


# `nohup` is for those who want it to outlive the terminal.
_HANGUP: Final = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, *_HANGUP)
_ONE_SIGNAL: Final = 0.5  # seconds: a terminal signals the whole group, and the parent passes it on once more
# As Python has it, ten thousand connections that come at once are looked through again and again, half a second each
# time, while everybody waits.
_COLLECTED: Final = (2000, 20, 50)
_LEAVING: Final = 2.0  # seconds that the database may take to let us go
_FLUSH: Final = 1.0  # seconds that the access log may take to be read at the end


def work(settings: Settings, server: ServerSettings, config: Config, lifeline: int | None = None) -> int:
    """Serve until told to end, or until the other end of the pipe `lifeline` is closed; return the exit code.

    To be called with `SIGNALS` blocked, so that one that comes early waits until it is heeded.
    """
    site = create_app(settings)
    app: Any = site
    gc.freeze()  # what is loaded by now stays: the collector need not look through it again
    gc.set_threshold(*_COLLECTED)
    raise_mmap_threshold()
    gate = DrainGate(app)
    with _logged(gate, server.access_log) as logged, asyncio.Runner(loop_factory=loop_factory(server.loop)) as runner:
        runner.run(_serve(logged, _Shutdown(gate, server.drain_timeout), config, lifeline, leave=partial(_leave, site)))
    return 0


async def _leave(site: Quart) -> None:
    """Have the site end, if it has begun: one that was told to end at once may not have."""
    if hasattr(site, "shutdown_event"):
        await site.shutdown()


@contextmanager
def _logged(gate: DrainGate, form: str) -> Iterator[Any]:
    """Write down what comes to the gate, also what does not pass it; at the end wait for the last line."""
    if form == "none":
        yield gate
        return
    lines = LineWriter(_descriptor(sys.stdout), complaints=_descriptor(sys.stderr))
    try:
        yield AccessLog(gate, form, write=lines.write)
    finally:
        lines.close(within=_FLUSH)


def _descriptor(stream: TextIO | None) -> int:
    """Return where a stream writes. One that the process was started without may be anything by now: write nowhere."""
    return stream.fileno() if stream else os.open(os.devnull, os.O_WRONLY)


class _Shutdown:
    """The way from a signal to the end."""

    def __init__(self, gate: DrainGate, drain_timeout: float) -> None:
        self._gate = gate
        self._drain_timeout = drain_timeout
        self._began = 0.0
        self.drained = gate.drained
        self.ended = asyncio.Event()

    def begin(self) -> None:
        """Drain."""
        if not self._gate.is_draining:
            loop = asyncio.get_running_loop()
            self._began = loop.time()
            self._gate.drain()
            loop.call_later(self._drain_timeout, self.ended.set)

    def heed(self) -> None:
        """Drain, or end at once when told once more."""
        if self._gate.is_draining and asyncio.get_running_loop().time() - self._began > _ONE_SIGNAL:
            self.ended.set()
        self.begin()


async def _serve(
    app: Any, ending: _Shutdown, config: Config, lifeline: int | None, *, leave: Callable[[], Awaitable[None]]
) -> None:
    asyncio.get_running_loop().set_exception_handler(_complain_unless_lost)
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=cast("Any", ending.drained)))
    serving.add_done_callback(lambda _: ending.ended.set())
    _listen_for_the_end(ending, lifeline)
    await ending.ended.wait()
    if serving.done():
        serving.result()
    await _drop_connections()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LEAVING):
            await leave()  # once more, if the lifespan has: when the time is up, nobody else does
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # it is ending, and nobody heeds another one


def _listen_for_the_end(ending: _Shutdown, lifeline: int | None) -> None:
    loop = asyncio.get_running_loop()
    if lifeline is not None:
        _when_readable(lifeline, ending.begin)
    for number in SIGNALS:
        loop.add_signal_handler(number, ending.heed)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _when_readable(fd: int, callback: Callable[[], None]) -> None:
    """Call back once: a pipe at its end stays readable."""
    loop = asyncio.get_running_loop()

    def once() -> None:
        loop.remove_reader(fd)
        callback()

    loop.add_reader(fd, once)


async def _drop_connections() -> None:
    """Cancel what is left until nothing is: a connection that is being closed waits again, for its client."""
    for _ in range(20):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.1)


def _complain_unless_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Take it quietly that a connection is gone.

    Either the kernel has given its client up (`TCP_USER_TIMEOUT`), which Hypercorn does not expect while it closes, or
    we have cancelled it, which asyncio tells as an error before Python 3.12.
    """
    if not isinstance(context.get("exception"), (OSError, asyncio.CancelledError)):
        loop.default_exception_handler(context)
