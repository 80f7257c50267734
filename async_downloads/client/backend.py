"""Connections for httpcore that give whatever has come, on asyncio's own transports.

    kernel ──256 KiB──▶ transport ──data_received──▶ Incoming ──read──▶ httpcore, h11
                            ▲                            │
                            └── pause above 2 MiB held, resume at 512 KiB

The backend that httpcore brings reads 64 KiB at a time, cutting up what asyncio has read, and drives TLS by single
records: a third of the speed. `read` here does without a limit: it returns the next piece as the transport had it.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

import httpcore

from ..fileio import keep_memory
from .connecting import connected

__all__ = ["HELD_HIGH", "HELD_LOW", "AsyncioBackend"]

# Bytes held for a reader that is slower than the network. Above the one, nothing more is read; at the other it is
# again. A reader that writes 1 MiB to a disk finds work when it comes back, and a hundred of them stay in memory.
HELD_HIGH: Final = 2 * 1024 * 1024
HELD_LOW: Final = 512 * 1024


_Names = Mapping[type[Exception], type[Exception]]
_CONNECTING: Final[_Names] = {
    TimeoutError: httpcore.ConnectTimeout,  # first, since it is an OSError
    OSError: httpcore.ConnectError,
    UnicodeError: httpcore.ConnectError,  # a name that DNS cannot have
}
_READING: Final[_Names] = {TimeoutError: httpcore.ReadTimeout, OSError: httpcore.ReadError}
_WRITING: Final[_Names] = {TimeoutError: httpcore.WriteTimeout, OSError: httpcore.WriteError}
_EXTRA: Final = {
    "client_addr": "sockname",
    "server_addr": "peername",
}  # what httpcore calls what asyncio calls otherwise


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens connections on the running asyncio loop; any other loop is trio, and gets httpcore's own."""

    def __init__(self) -> None:
        keep_memory()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # here and below: httpcore names the arguments
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect within `timeout` seconds; raises ConnectError or ConnectTimeout of httpcore."""
        if not _on_asyncio():
            return await httpcore.TrioBackend().connect_tcp(host, port, timeout, local_address, socket_options)
        with _raised_as(_CONNECTING):
            async with asyncio.timeout(timeout):
                open_socket = await connected(host, port, local=local_address)
                transport, incoming = await asyncio.get_running_loop().create_connection(Incoming, sock=open_socket)
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return _Stream(transport, incoming)

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts to connect."""
        await (asyncio.sleep(seconds) if _on_asyncio() else httpcore.TrioBackend().sleep(seconds))


class Incoming(asyncio.Protocol):
    """What a connection has brought and nobody has read yet."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._ended = False
        self._error: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport
        self._tls: ssl.SSLObject | None = None

    def use(self, transport: asyncio.Transport) -> None:
        """Pause and resume this transport: at first the one of the socket, then the one that speaks TLS over it."""
        self._transport = transport
        self._tls = transport.get_extra_info("ssl_object")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to hold what comes."""
        self.use(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """Hold a piece, and have no more read when that is enough."""
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= HELD_HIGH and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Note that no more will come; the transport closes itself then."""
        self._end(None if self._is_told_of_the_end() else _cut())

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of whoever waits to read or to write."""
        self._end(exc or (_cut() if self._tls else None))
        self._writable.set()

    def pause_writing(self) -> None:
        """Make writers wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._writable.set()

    async def piece(self) -> bytes:
        """Return the next piece, waiting for it; empty at the end. OSError when the connection broke."""
        while not self._pieces:
            if self._ended:
                if self._error:
                    raise self._error
                return b""
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        data = self._pieces.popleft()
        self._held -= len(data)
        if self._paused and self._held <= HELD_LOW:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def drained(self) -> None:
        """Return when more may be written. OSError when the connection is gone."""
        await self._writable.wait()
        if self._error or self._transport.is_closing():
            raise self._error or ConnectionResetError("the connection is closed")

    @property
    def readable(self) -> bool:
        """Whether a read would not wait: on a connection that should be idle, a sign that it has ended."""
        return bool(self._pieces) or self._ended

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended, self._error = True, error
        self._wake()

    def _is_told_of_the_end(self) -> bool:
        """Whether the server says that this is the end. Over TLS a bare end may be somebody else's doing."""
        if not self._tls:
            return True
        try:
            return not self._tls.read(1)  # empty after its farewell, and nothing at all to be read after a bare end
        except ssl.SSLError:
            return False

    def _wake(self) -> None:
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)


class _Stream(httpcore.AsyncNetworkStream):
    """One connection, as httpcore wants it."""

    def __init__(self, transport: asyncio.Transport, incoming: Incoming) -> None:
        self._transport = transport
        self._incoming = incoming

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109
        with _raised_as(_READING):
            async with asyncio.timeout(timeout):
                return await self._incoming.piece()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with _raised_as(_WRITING):
            self._transport.write(buffer)
            async with asyncio.timeout(timeout):
                await self._incoming.drained()

    async def aclose(self) -> None:
        """Close without waiting for the other side: TLS would wait for its farewell, for seconds."""
        self._transport.abort()
        await asyncio.sleep(0)  # in which the transport closes its socket

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._secured(ssl_context, server_hostname, timeout)
        except BaseException:
            await self.aclose()
            raise

    async def _secured(self, context: ssl.SSLContext, name: str | None, limit: float | None) -> "_Stream":
        loop, incoming = asyncio.get_running_loop(), self._incoming
        with _raised_as(_CONNECTING):
            async with asyncio.timeout(limit):
                transport = await loop.start_tls(self._transport, incoming, context, server_hostname=name)
        if transport is None:  # the connection went in the same moment
            raise httpcore.ConnectError("the connection is closed")
        incoming.use(transport)
        return _Stream(transport, incoming)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._incoming.readable
        return self._transport.get_extra_info(_EXTRA.get(info, info))


def _cut() -> Exception:
    """Return what a body must not end with that is only over when the connection is (RFC 9112 §9.8)."""
    return ConnectionAbortedError("the connection was closed without the farewell of TLS")


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _raised_as(names: _Names) -> Iterator[None]:
    """Raise httpcore's exception for ours, with ours as its cause."""
    try:
        yield
    except tuple(names) as error:
        raise next(name for kind, name in names.items() if isinstance(error, kind))(str(error)) from error
