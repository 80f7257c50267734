"""Where the site listens: addresses, sockets and TLS, for one process or for several."""

import asyncio
import errno
import os
import resource
import signal
import socket
import ssl
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final

from hypercorn.config import Config

from ..config import ServerSettings, Settings
from ..errors import DownloadError, SourceBusy
from ..site.stored import probe
from ..sources.database.urls import path_of
from .hypercorn import http1
from .hypercorn.http2 import bound_streams
from .hypercorn.install import _Config
from .supervisor import supervise
from .worker import SIGNALS, work

__all__ = ["CannotServe", "hold_signals", "listen", "run", "url_of"]


_BACKLOG: Final = 4096
_PROBING: Final = 5.0  # seconds
# Bytes the kernel takes beyond what is on its way. Else it takes megabytes and wakes the writer when a third of them
# have gone, which for a slow client is after longer than the stall limit; and ten thousand clients would use up the
# memory it has for TCP. Where files go out past TLS, `zero_copy` allows a fast client more.
_UNSENT: Final = {True: 512 * 1024, False: 96 * 1024}


class CannotServe(Exception):
    """The process cannot start; the message says why in one line."""


def run(settings: Settings, server: ServerSettings, announce: Callable[[Sequence[str]], None]) -> int:
    """Serve until told to stop, and return the exit code; `announce` is given the URLs, which answer from then on.

    `CannotServe` when an address is taken, a file cannot be read, or there is no such database.
    """
    config = _config(server)
    _probe(settings)
    _allow_many_descriptors()
    sockets: list[socket.socket] = []
    with ExitStack() as leftovers:
        for bind in server.bind:
            sockets.append(listen(bind, settings.stall_timeout, secure=config.ssl_enabled))
            leftovers.callback(sockets[-1].close)
            if bind.startswith("unix:"):
                leftovers.callback(Path(bind.removeprefix("unix:")).unlink, missing_ok=True)
        hold_signals()
        announce([url_of(sock, secure=config.ssl_enabled) for sock in sockets])
        config.bind = [f"fd://{sock.detach()}" for sock in sockets]  # Hypercorn closes them
        worker = partial(work, settings, server, config)
        return worker() if server.workers == 1 else supervise(worker, server.workers)


def _probe(settings: Settings) -> None:
    """See that the database is there, which takes at most some seconds, in a loop of its own.

    An SQLite database that cannot be read now never will be: a name is wrong, or `db init` was forgotten. But a server
    of databases is started, moved and restarted when it pleases: the rest of the site must not wait for it, nor a
    worker that is replaced meanwhile; requests for its files are refused until it is there.
    """
    try:
        asyncio.run(asyncio.wait_for(probe(settings), _PROBING))
    except ValueError as error:
        raise CannotServe(str(error)) from error
    except (DownloadError, TimeoutError) as error:
        reason = str(error) or f"the database does not answer within {_PROBING:g} s"
        if path_of(settings.database or "") and not isinstance(error, SourceBusy):
            raise CannotServe(reason) from error
        print(f"async-downloads: {reason}; serving without its files until it does", file=sys.stderr)  # noqa: T201


def hold_signals() -> None:
    """Have signals that come early wait until somebody heeds them.

    Threads that libraries begin afterwards hold them, too; one begun before would get the signal, and the process end.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _allow_many_descriptors() -> None:
    """Ask for as many connections and files as this process may have: systems begin with few."""
    with suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(bind: str, stall_timeout: float, *, secure: bool = False) -> socket.socket:
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
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT[secure])
            sock.listen(_BACKLOG)
        except (OSError, ValueError, OverflowError) as error:
            raise CannotServe(f"cannot listen on {bind}: {getattr(error, 'strerror', None) or error}") from error
        if_not_bound.pop_all()
    return sock


def _socket_for(bind: str) -> tuple[socket.socket, str | tuple[str, int] | None]:
    """Return a socket and the address to bind it to; one that was passed on is bound already."""
    number = bind.removeprefix("fd://")
    if number != bind and number.isdecimal():
        return socket.socket(fileno=int(number)), None
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


def _config(server: ServerSettings) -> Config:
    http1.install()
    bound_streams()
    config = _Config()
    config.backlog = _BACKLOG
    config.graceful_timeout = server.drain_timeout
    config.keep_alive_max_requests = 1_000_000
    config.loglevel = "WARNING"
    if server.certfile and server.keyfile:
        config.certfile, config.keyfile = os.fspath(server.certfile), os.fspath(server.keyfile)
        try:
            config.create_ssl_context()
        except OSError as error:
            reason = _tls_mistake(server.certfile, server.keyfile, error)
            raise CannotServe(f"cannot use {config.certfile} and {config.keyfile} for TLS: {reason}") from error
    elif server.certfile or server.keyfile:
        raise CannotServe("TLS needs both a certificate and its key")
    return config


def _tls_mistake(certfile: Path, keyfile: Path, error: OSError) -> str:
    """Say what is wrong with the files: OpenSSL tells its programmers."""
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    for flag, path, kind in (("--certfile", certfile, "certificate"), ("--keyfile", keyfile, "private key")):
        if f"{kind.upper()}-----".encode() not in path.read_bytes():
            return f"{flag} takes a {kind} in PEM, and there is none in {path}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return "one of them is damaged"
