"""The handshakes of TLS and of the PROXY protocol, with limits for their number and their time."""

import asyncio
import os
import socket
import ssl
from asyncio import sslproto
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from .plain_http import refuse_plain_http

__all__ = ["Handshakes"]


_HANDSHAKE_SECONDS: Final = 10.0  # in which a client must do its part of a handshake
_SETTLE_SECONDS: Final = 0.1  # at the end of the server
_SHUTDOWN_SECONDS: Final = 5.0  # in which a client must confirm the end of TLS
_LEAST: Final = 64  # unfinished handshakes, even if there is no room for more connections
_RECORD_BYTES: Final = 16 * 1024  # the longest TLS record


class Handshakes:
    """Makes the connections of one event loop that begin with a PROXY header, with TLS, or with both.

        accepted ──> PROXY header ──> TLS handshake ──client finishes it──> connection of `make_protocol`
                          └───────────────┴──10 s have passed, or it is the oldest of too many──> closed

    A client that sends plain HTTP to a port with TLS gets a 400 before its connection is closed.

    asyncio's own server with `ssl` does not count unfinished handshakes and cannot end one: clients that connect and
    send nothing would use up the descriptors. Here `room` returns how many handshakes are allowed. Each one is a task,
    which ends when the connection is made. `preamble` reads the bytes before TLS, and its result is the argument of
    `make_protocol`; without `preamble` there is no argument. To close the connection, `preamble` raises OSError. The
    worker owns this object.
    """

    def __init__(
        self,
        make_protocol: Callable[..., asyncio.Protocol],
        context: ssl.SSLContext | None,
        room: Callable[[], int],
        *,
        preamble: Callable[[socket.socket], Awaitable[object]] | None = None,
    ) -> None:
        # asyncio allocates a buffer of this size for each accepted connection; the default is 256 KiB.
        sslproto.SSLProtocol.max_size = _RECORD_BYTES
        self._make_protocol = make_protocol
        self._tls = _tls_options(context) if context else {}
        self._preamble = preamble
        self._room = room
        self._running: dict[asyncio.Task[None], None] = {}  # the oldest first

    def accepted(self) -> asyncio.Protocol:
        """Make the protocol of an accepted connection, for `loop.create_server` without `ssl`."""
        return _Accepted(self._start)

    async def settled(self) -> None:
        """Wait 0.1 s for the unfinished handshakes, because their clients may already have sent requests."""
        if self._running:
            await asyncio.wait(list(self._running), timeout=_SETTLE_SECONDS)

    async def close(self) -> None:
        """End all unfinished handshakes."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self, sock: socket.socket) -> None:
        if len(self._running) >= max(self._room(), _LEAST):
            oldest = next(iter(self._running))
            del self._running[oldest]
            oldest.cancel()
        task = asyncio.get_running_loop().create_task(self._finish(sock))
        self._running[task] = None
        task.add_done_callback(lambda _: self._end(task, sock))

    async def _finish(self, sock: socket.socket) -> None:
        make_protocol = self._make_protocol
        if self._preamble is not None:
            make_protocol = partial(make_protocol, await self._preamble(sock))
        async with asyncio.timeout(_HANDSHAKE_SECONDS):
            if self._tls:
                await refuse_plain_http(sock)
            await asyncio.get_running_loop().connect_accepted_socket(make_protocol, sock, **self._tls)

    def _end(self, task: "asyncio.Task[None]", sock: socket.socket) -> None:
        self._running.pop(task, None)
        if task.cancelled() or isinstance(task.exception(), OSError):  # the client has left, or uses another protocol
            sock.close()


def _tls_options(context: ssl.SSLContext) -> dict[str, Any]:
    seconds = {"ssl_handshake_timeout": _HANDSHAKE_SECONDS, "ssl_shutdown_timeout": _SHUTDOWN_SECONDS}
    return {"ssl": context, **seconds}


class _Accepted(asyncio.Protocol):
    """Takes the socket from its transport before a byte is read, so that another transport can use the socket."""

    def __init__(self, start: Callable[[socket.socket], None]) -> None:
        self._start = start

    def connection_made(self, transport: Any) -> None:
        accepted = transport.get_extra_info("socket")
        sock = None
        try:
            sock = socket.socket(fileno=os.dup(accepted.fileno()))
            sock.setblocking(False)
        finally:
            transport.abort()  # closes the transport's own descriptor; the connection stays open
        self._start(sock)
