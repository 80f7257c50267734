"""One process that serves: its app, its signals, and its shutdown.

SIGTERM or Ctrl-C starts the shutdown, and so does the end of the terminal or of the parent process. From then on, the
response of `/-/ready` is 503. After `drain_delay` seconds the listening sockets are closed, and each connection closes
after its response. Running downloads then continue for at most `drain_timeout` seconds. A second signal ends the
process at once.
"""

import asyncio
import gc
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from ..config import ServerSettings
from ..threads import raise_mmap_threshold
from .acceptors import accepting
from .access_log import access_log
from .drain import DrainGate
from .http1.server import ConnectionLimits, Http1Server
from .lifespan import Lifespan, StartFailed
from .limits.limited_app import limited
from .line_writer import queued_stderr, report
from .loops import loop_factory
from .monitor import WorkerMonitor
from .proxies.forwarded_scope import ForwardedScope
from .proxies.trusted import TrustedProxies
from .request_observer import RequestObserver
from .shared_pages import SharedPages
from .shutdown import Shutdown, exit_if_stuck
from .systemd import ServiceManager
from .unhandled_errors import UnhandledErrors

__all__ = ["SIGNALS", "Listeners", "work"]


# `nohup` makes a process ignore SIGHUP, so that it continues after the end of its terminal.
_HANG_UP: Final = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, *_HANG_UP)
# With Python's default, the collector runs often while ten thousand connections arrive. Each run takes half a second,
# in which all requests wait.
_GC_THRESHOLDS: Final = (2000, 20, 50)
# A thread that computes, for example to draw a page, keeps the interpreter for this time. A request may wait for it
# several times, after each of its system calls, so Python's default of 0.005 s is too long.
_SWITCH_SECONDS: Final = 0.001
_MAX_CONNECTIONS: Final = 100_000  # a slow client takes up to 40 KB: 4 GB


class Listeners(NamedTuple):
    """The listening sockets of a worker, which it closes, and the settings of TLS.

    `metrics` is the listening socket for the metrics.
    """

    sockets: Sequence[socket.socket]
    tls: ssl.SSLContext | None
    metrics: socket.socket | None = None


def work(
    make_app: Callable[[], Any],
    server: ServerSettings,
    listeners: Listeners,
    pages: SharedPages,
    service: ServiceManager,
    lifeline: int | None = None,
    number: int = 0,
) -> int:
    """Serve until a signal comes, or until the write end of the pipe `lifeline` is closed; return the exit code.

    `number` is the number of this worker's page, and `lifeline` is None if this is the only worker. Call this function
    with `SIGNALS` blocked. A signal that comes early is then handled as soon as its handler is set.
    """
    app = make_app()
    _tune_process()
    gate = DrainGate(app)
    monitor = WorkerMonitor(pages, number, service, metrics=listeners.metrics, is_only_worker=lifeline is None)
    code, runner = 0, asyncio.Runner(loop_factory=loop_factory(server.loop))
    with queued_stderr(), access_log(server.access_log) as logs:
        observers = (*monitor.observers(), *logs)
        try:
            runner.run(_serve(gate, observers, monitor, server, listeners, lifeline))
        except StartFailed as error:
            report(f"the app cannot start: {error}")
            code = 1
        finally:
            with exit_if_stuck(code):
                runner.close()
    return code


def _tune_process() -> None:
    """Adapt Python and the C library to a server. Call this when the app is loaded."""
    gc.freeze()  # the objects loaded so far stay, so the collector need not visit them
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_SECONDS)
    raise_mmap_threshold()


async def _serve(
    gate: DrainGate,
    observers: Sequence[RequestObserver],
    monitor: WorkerMonitor,
    server: ServerSettings,
    listeners: Listeners,
    lifeline: int | None,
) -> None:
    asyncio.get_running_loop().set_exception_handler(UnhandledErrors())
    name = "" if lifeline is None else f"worker {os.getpid()}: "
    shutdown = Shutdown(gate, monitor, server, name=name)
    serving = asyncio.create_task(_serve_until_drained(gate, observers, monitor, server, listeners))
    serving.add_done_callback(lambda _: shutdown.ended.set())
    _watch_signals(shutdown, lifeline)
    await shutdown.ended.wait()
    serving.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        pass
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # the loop, which handles the signals, ends now


async def _serve_until_drained(
    gate: DrainGate,
    observers: Sequence[RequestObserver],
    monitor: WorkerMonitor,
    server: ServerSettings,
    listeners: Listeners,
) -> None:
    """Start the app, accept connections, and return after the last response. If it is cancelled, end everything."""
    app = limited(gate, server)
    lifespan = Lifespan(app)
    try:
        await lifespan.start()
        async with (
            monitor.serving_metrics(),
            _http1_server(app, observers, _limits(server), lifespan.state) as http1,
            accepting(http1, listeners.sockets, listeners.tls, proxy_protocol=server.proxy_protocol) as acceptors,
        ):
            gate.is_open = True
            with monitor.running(lambda: http1.limits.max_connections - http1.room(), lambda: gate.running):
                await gate.draining()
                await acceptors.close()
                http1.drain()
                await gate.drained()
                await http1.close()
    finally:
        await lifespan.stop()


@asynccontextmanager
async def _http1_server(
    app: Any, observers: Sequence[RequestObserver], limits: ConnectionLimits, state: dict[str, Any]
) -> AsyncIterator[Http1Server]:
    """Make the server. The end of the block ends the remaining connections."""
    forwarded = ForwardedScope(app, limits.trusted_proxies) if limits.trusted_proxies else app
    http1 = Http1Server(forwarded, limits, state=state, observers=observers)
    try:
        yield http1
    finally:
        await http1.abort()


def _limits(server: ServerSettings) -> ConnectionLimits:
    """Return the limits of connections. By default, half of the descriptors are for connections, and half for files."""
    most = server.max_connections
    if most is None:
        most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2, _MAX_CONNECTIONS)
    trusted = TrustedProxies(server.trusted_proxies)
    return ConnectionLimits(server.header_timeout, server.keep_alive, most, server.max_connections_per_client, trusted)


def _watch_signals(shutdown: Shutdown, lifeline: int | None) -> None:
    loop = asyncio.get_running_loop()
    if lifeline is not None:
        _call_when_readable(lifeline, shutdown.start)
    for number in SIGNALS:
        loop.add_signal_handler(number, shutdown.handle_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _call_when_readable(fd: int, callback: Callable[[], None]) -> None:
    """Call the callback once. A pipe whose write end is closed stays readable, so it is watched no longer."""
    loop = asyncio.get_running_loop()

    def once() -> None:
        loop.remove_reader(fd)
        callback()

    loop.add_reader(fd, once)
