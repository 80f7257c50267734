"""The process that serves: sockets, workers, signals, and an end in good order.

SIGTERM or Ctrl-C begins the draining: running downloads go on for `drain_timeout` seconds at most, new requests are
refused. Once more, and it ends at once. Hypercorn alone would wait for a client that has stalled, or cut off those that
have not, depending on the version of Python.
"""

import asyncio
import errno
import os
import signal
import socket
import ssl
import stat
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any, Final, cast

from hypercorn.asyncio import serve
from hypercorn.config import Config

from ..config import ServerSettings, Settings
from ..semantics.dates import format_date
from .access_log import AccessLog
from .app import create_app
from .gate import Gate
from .loops import loop_factory

__all__ = ["CannotServe", "listen", "run", "url_of"]

_BACKLOG: Final = 4096
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_ONE_SIGNAL: Final = 0.5  # seconds: a terminal signals the whole group, and the parent passes it on once more


class CannotServe(Exception):
    """The process cannot start; the message says why in one line."""


def run(settings: Settings, server: ServerSettings, announce: Callable[[Sequence[str]], None]) -> int:
    """Serve until told to stop, and return the exit code; `announce` is given the URLs, which answer from then on.

    `CannotServe` when an address is taken, or a file cannot be read.
    """
    config = _config(server)
    sockets: list[socket.socket] = []
    with ExitStack() as leftovers:
        for bind in server.bind:
            sockets.append(listen(bind, settings.stall_timeout))
            leftovers.callback(sockets[-1].close)
            if bind.startswith("unix:"):
                leftovers.callback(Path(bind.removeprefix("unix:")).unlink, missing_ok=True)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # what comes early waits until somebody heeds it
        announce([url_of(sock, secure=config.ssl_enabled) for sock in sockets])
        config.bind = [f"fd://{sock.detach()}" for sock in sockets]  # Hypercorn closes them
        worker = partial(_work, settings, server, config)
        return worker() if server.workers == 1 else _supervise(worker, server.workers)


def listen(bind: str, stall_timeout: float) -> socket.socket:
    """Open the listening socket for `host:port`, `unix:path` or `fd://n`."""
    with ExitStack() as if_not_bound:
        try:
            sock, address = _socket_for(bind)
            if_not_bound.callback(sock.close)
            if address is not None:
                sock.bind(address)
            if sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
                # What is left in the kernel for a client that takes nothing: accepted connections inherit this.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_timeout * 1000))
            sock.listen(_BACKLOG)
        except (OSError, ValueError, OverflowError) as error:
            raise CannotServe(f"cannot listen on {bind}: {getattr(error, 'strerror', None) or error}") from error
        if_not_bound.pop_all()
    return sock


def _socket_for(bind: str) -> tuple[socket.socket, str | tuple[str, int] | None]:
    """Return a socket and the address to bind it to; one that was passed on is bound already."""
    if bind.startswith("fd://"):
        return socket.socket(fileno=int(bind.removeprefix("fd://"))), None
    if bind.startswith("unix:"):
        path = bind.removeprefix("unix:")
        _make_room(path)
        return socket.socket(socket.AF_UNIX), path
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError("expected host:port, unix:path or fd://n")
    host = host.strip("[]")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock, (host, int(port))


def _make_room(path: str) -> None:
    """Take away a socket that was left by a process that is gone, and nothing else."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            if not stat.S_ISSOCK(os.lstat(path).st_mode):  # connecting to any other file is refused, too
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            os.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def url_of(sock: socket.socket, *, secure: bool) -> str:
    """Return the URL under which a listening socket answers."""
    if sock.family == socket.AF_UNIX:
        return f"unix:{sock.getsockname()}"
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}/"


class _Config(Config):
    """Hypercorn's settings. It writes the date anew for each answer; a second's worth of answers can share it."""

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:  # noqa: ARG002
        return [(b"date", format_date(int(time.time())).encode("ascii"))]


def _config(server: ServerSettings) -> Config:
    config = _Config()
    config.backlog = _BACKLOG
    config.graceful_timeout = server.drain_timeout
    config.keep_alive_max_requests = 1_000_000
    config.loglevel = "WARNING"
    if server.certfile and server.keyfile:
        config.certfile, config.keyfile = os.fspath(server.certfile), os.fspath(server.keyfile)
        try:
            config.create_ssl_context()
        except (OSError, ssl.SSLError) as error:
            files = f"{config.certfile} and {config.keyfile}"
            raise CannotServe(f"cannot use {files} for TLS: {error.strerror or error}") from error
    elif server.certfile or server.keyfile:
        raise CannotServe("TLS needs both a certificate and its key")
    return config


def _supervise(worker: Callable[[], int], count: int) -> int:
    """Run that many processes; when one of them fails, end all."""
    context = get_context("fork")
    processes = [context.Process(target=_exit_with, args=(worker,)) for _ in range(count)]
    for process in processes:
        process.start()

    def pass_on(*_: object) -> None:
        for process in processes:
            process.terminate()

    for number in _SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    running = {process.sentinel: process for process in processes}
    exit_code = 0
    while running:
        for sentinel in connection.wait(list(running)):
            process = running.pop(cast("int", sentinel))
            process.join()  # its end of the pipe is closed a moment before it has an exit code
            if process.exitcode:
                exit_code = 1
                pass_on()
    return exit_code


def _exit_with(worker: Callable[[], int]) -> None:
    sys.exit(worker())


def _work(settings: Settings, server: ServerSettings, config: Config) -> int:
    with asyncio.Runner(loop_factory=loop_factory(server.loop)) as runner:
        runner.run(_serve(settings, server, config))
    return 0


async def _serve(settings: Settings, server: ServerSettings, config: Config) -> None:
    app: Any = create_app(settings)
    gate = Gate(app if server.access_log == "none" else AccessLog(app, server.access_log))
    serving = asyncio.create_task(serve(cast("Any", gate), config, shutdown_trigger=gate.drained))
    ended = asyncio.Event()
    serving.add_done_callback(lambda _: ended.set())
    _on_signals(gate, ended, server.drain_timeout)
    await ended.wait()
    if serving.done():
        serving.result()
    await _drop_connections()


def _on_signals(gate: Gate, ended: asyncio.Event, drain_timeout: float) -> None:
    loop, began = asyncio.get_running_loop(), 0.0

    def on_signal() -> None:
        nonlocal began
        if not gate.is_draining:
            began = loop.time()
            gate.drain()
            loop.call_later(drain_timeout, ended.set)
        elif loop.time() - began > _ONE_SIGNAL:
            ended.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


async def _drop_connections() -> None:
    """Cancel what is left until nothing is: a connection that is being closed waits again, for its client."""
    asyncio.get_running_loop().set_exception_handler(_complain_unless_cancelled)
    for _ in range(20):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.1)


def _complain_unless_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Take it quietly that a connection was cancelled, which asyncio tells as an error before Python 3.12."""
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)
