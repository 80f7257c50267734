"""Start serving: addresses, sockets and TLS, for one process or several."""

import asyncio
import errno
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Final

from ..client_address import MAX_PORT
from ..config import ServerSettings, Settings
from ..errors import DownloadError, SourceBusy
from ..site.access import check_access
from ..site.app import app_with_access
from ..site.stored import PREFIX, hidden_folder, probe
from ..sources.database.urls import path_of
from .acceptors import BACKLOG
from .addresses import urls_of
from .json_messages import log_as_json
from .line_writer import report
from .metrics import PAGE_SIZE
from .monitor import WorkersMonitor
from .shared_pages import SharedPages
from .supervisor import supervise
from .systemd import ServiceManager
from .tls import BadCertificate, tls_context
from .unix_socket import SocketFile, mode_of_new_files, remove_stale_socket
from .worker import SIGNALS, Listeners, work

__all__ = ["CannotServe", "hold_signals", "listen", "run", "run_app"]


_PROBE_SECONDS: Final = 5.0
_PORTS_TRIED: Final = 100  # to find a free one
# Bytes that the kernel buffers beyond those on their way to the client, with TLS and without. By default the kernel
# takes megabytes, and wakes the writer only when a third of them have been sent. With a slow client this takes longer
# than the stall timeout, and ten thousand clients would use up the kernel's memory for TCP. Without TLS,
# `http1.zero_copy` removes the limit for a fast client.
_UNSENT_BYTES: Final = {True: 512 * 1024, False: 96 * 1024}


class CannotServe(Exception):
    """The server cannot start; the message says why in one line."""


def run(settings: Settings, server: ServerSettings, announce: Callable[[Sequence[str]], None]) -> int:
    """Serve until a signal comes; return the exit code. `announce` gets the URLs as soon as clients can connect.

    Raises CannotServe if an address is in use, a file cannot be read, or the database does not exist.
    """
    try:
        access = check_access(settings)
    except (ValueError, OSError) as error:
        raise CannotServe(str(error)) from error
    _probe(settings)
    # A worker that replaces a dead one gets the users of the start: their file may be wrong in this moment.
    make_app = partial(app_with_access, settings, access)
    return run_app(make_app, server, announce, stall_timeout=settings.stall_timeout)


def run_app(
    make_app: Callable[[], Any],
    server: ServerSettings,
    announce: Callable[[Sequence[str]], None],
    *,
    stall_timeout: float,
) -> int:
    """Serve the ASGI app that `make_app` returns in each worker, as `run` serves the site.

    The kernel drops a client that acknowledges nothing for `stall_timeout` seconds. Raises CannotServe.
    """
    if server.access_log == "json":
        log_as_json()
    try:
        tls = tls_context(server)
    except BadCertificate as error:
        raise CannotServe(str(error)) from error
    _raise_descriptor_limit()
    with ExitStack() as cleanup:
        sockets = _listen_for_clients(server, stall_timeout, cleanup, secure=tls is not None)
        metrics = _listen_for_scrapers(server, stall_timeout, cleanup)
        hold_signals()
        announce([url for sock in sockets for url in urls_of(sock, secure=tls is not None)])
        pages, service = SharedPages(server.workers, PAGE_SIZE), ServiceManager.from_environment()
        worker = partial(work, make_app, server, Listeners(sockets, tls, metrics), pages, service)
        if server.workers == 1:
            return worker()
        monitor = WorkersMonitor(pages, service)
        return supervise(worker, server.workers, monitor, on_end=partial(_close_all, sockets))


def _close_all(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _listen_for_clients(
    server: ServerSettings, stall_timeout: float, cleanup: ExitStack, *, secure: bool
) -> list[socket.socket]:
    """Open a listening socket for each address."""
    sockets: list[socket.socket] = []
    for bind in server.bind:
        no_ipv4 = _has_ipv4_twin(bind, server.bind)
        sockets.append(listen(bind, stall_timeout, secure=secure, unix_mode=server.unix_mode, no_ipv4=no_ipv4))
        cleanup.callback(sockets[-1].close)
        if bind.startswith("unix:"):
            cleanup.callback(SocketFile(bind.removeprefix("unix:")).remove)
    return sockets


def _listen_for_scrapers(server: ServerSettings, stall_timeout: float, cleanup: ExitStack) -> socket.socket | None:
    """Open the listening socket for the metrics, and print their URL. Return None if no metrics are wanted."""
    if server.metrics_bind is None:
        return None
    sock = listen(server.metrics_bind, stall_timeout)
    cleanup.callback(sock.close)
    report(f"metrics are at {', '.join(url + 'metrics' for url in urls_of(sock, secure=False))}")
    return sock


def _probe(settings: Settings) -> None:
    """Check for at most five seconds, in a separate event loop, that the database can be read.

    Raises CannotServe if an SQLite database cannot be read: then its name is wrong, or the user has forgotten `db
    init`, and waiting would not help. A PostgreSQL server may start later. The rest of the site does not wait for it,
    and requests for its files get a 503 until it responds.
    """
    if hidden := hidden_folder(settings):
        raise CannotServe(f"{hidden} has the same URL as the files of the database, /{PREFIX}: rename it")
    try:
        asyncio.run(asyncio.wait_for(probe(settings), _PROBE_SECONDS))
    except ValueError as error:
        raise CannotServe(str(error)) from error
    except (DownloadError, TimeoutError) as error:
        reason = str(error) or f"the database does not respond within {_PROBE_SECONDS:g} s"
        if path_of(settings.database or "") and not isinstance(error, SourceBusy):
            raise CannotServe(reason) from error
        report(f"{reason}; serving without its files until the database responds")


def hold_signals() -> None:
    """Block the signals that end the server, until a worker has set its handlers.

    Call this before a library starts a thread, because threads inherit the block. If a thread did not block a signal,
    it would receive the signal, and the process would end without a shutdown.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _raise_descriptor_limit() -> None:
    """Raise the limit of open connections and files to what the system allows; the default is often 1,024."""
    with suppress(OSError, ValueError):
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


def _has_ipv4_twin(bind: str, binds: Sequence[str]) -> bool:
    """Return whether another address is `0.0.0.0` with the same port. `[::]` would also bind it, and find it in use."""
    host, _, port = bind.rpartition(":")
    return host == "[::]" and f"0.0.0.0:{port}" in binds


def listen(
    bind: str,
    stall_timeout: float,
    *,
    secure: bool = False,
    unix_mode: int | None = None,
    no_ipv4: bool = False,
) -> socket.socket:
    """Open the listening socket for `host:port`, `unix:path` or `fd://n`.

    The kernel drops a client that acknowledges nothing for `stall_timeout` seconds. `secure` means that TLS is used.
    `unix_mode` are the permissions of the file of a UNIX socket; if it is None, they come from the umask. With
    `no_ipv4`, a socket of `[::]` accepts no IPv4 clients. Raises CannotServe if this fails; if the port is in use, the
    message names a free port.
    """
    with ExitStack() as if_not_bound:
        try:
            sock, address = _socket_for(bind)
            if_not_bound.callback(sock.close)
            if no_ipv4:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if address is not None:
                with mode_of_new_files(unix_mode):
                    sock.bind(address)
            if sock.family != socket.AF_UNIX:
                _limit_unsent(sock, stall_timeout, secure=secure)
            sock.listen(BACKLOG)
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CannotServe(f"cannot listen on {bind}: {reason}{_port_hint(bind, error)}") from error
        if_not_bound.pop_all()
    return sock


def _limit_unsent(sock: socket.socket, stall_timeout: float, *, secure: bool) -> None:
    """Limit what the kernel buffers, and for how long. Accepted connections inherit these options."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_timeout * 1000))  # milliseconds
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES[secure])


def _socket_for(bind: str) -> tuple[socket.socket, str | tuple[str, int] | None]:
    """Return a socket and the address to bind it to; None for an inherited socket, which is already bound."""
    number = bind.removeprefix("fd://")
    if number != bind and number.isdecimal():
        return socket.socket(fileno=int(number)), None
    if bind.startswith("unix:"):
        path = bind.removeprefix("unix:")
        if not path:
            raise ValueError("expected a path after unix:")
        remove_stale_socket(path)
        return socket.socket(socket.AF_UNIX), path
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError("expected host:port, unix:path or fd://n")
    host = host.strip("[]")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock, (host, int(port))


def _port_hint(bind: str, error: Exception) -> str:
    """Return a hint that names a free port, if the port is in use or needs privileges; else an empty text."""
    host, _, port = bind.rpartition(":")
    if not port.isdecimal():
        return ""
    if isinstance(error, PermissionError):
        return " (a port below 1024 may need root: use -p 8000)"
    return _free_port_hint(host, port) if getattr(error, "errno", None) == errno.EADDRINUSE else ""


def _free_port_hint(host: str, port: str) -> str:
    last = min(int(port) + _PORTS_TRIED, MAX_PORT)
    free = next(filter(partial(_is_free, host), range(int(port) + 1, last + 1)), None)
    return f" (port {free} is free)" if free else ""


def _is_free(host: str, port: int) -> bool:
    with suppress(OSError):
        sock, address = _socket_for(f"{host}:{port}")
        with sock:
            sock.bind(address or "")
            return True
    return False
