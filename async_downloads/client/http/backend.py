"""Connections for httpcore straight on the socket: what the kernel has is read in one go, and TLS is OpenSSL's alone.

    plain   kernel ──recv──▶ bytes
    TLS     kernel ──OpenSSL──▶ record, record, record... ──▶ bytes

The backend that httpcore brings reads through asyncio's streams, which hold, cut up and copy what comes, and carries
each record of TLS to OpenSSL and back itself: a third of the speed.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

import httpcore

from ...threads import raise_mmap_threshold
from .happy_eyeballs import connected

__all__ = ["AsyncioBackend"]


T = TypeVar("T")
_Names = Mapping[type[Exception], type[Exception]]
_CONNECTING: Final[_Names] = {
    TimeoutError: httpcore.ConnectTimeout,  # first, since it is an OSError
    OSError: httpcore.ConnectError,
    UnicodeError: httpcore.ConnectError,  # a name that DNS cannot have
}
_READING: Final[_Names] = {TimeoutError: httpcore.ReadTimeout, OSError: httpcore.ReadError}
_WRITING: Final[_Names] = {TimeoutError: httpcore.WriteTimeout, OSError: httpcore.WriteError}
_RECORD: Final = 16 * 1024  # bytes, the most that one has (RFC 8446 §5.1)
_LATER: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)  # what came is not a whole record, or none can be sent


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens connections on the running asyncio loop; any other loop is trio, and gets httpcore's own."""

    def __init__(self) -> None:
        raise_mmap_threshold()

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
        with map_socket_errors(_CONNECTING):
            async with asyncio.timeout(timeout):
                open_socket = await connected(host, port, local=local_address)
            try:
                for option in ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), *(socket_options or ())):
                    open_socket.setsockopt(*option)
            except BaseException:
                open_socket.close()
                raise
        return _Stream(open_socket)

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts to connect."""
        await (asyncio.sleep(seconds) if _on_asyncio() else httpcore.TrioBackend().sleep(seconds))


class _Stream(httpcore.AsyncNetworkStream):
    """One connection, as httpcore wants it, over a socket that does not block."""

    def __init__(self, open_socket: socket.socket) -> None:
        self._socket = open_socket
        self._source = _Source(open_socket)
        self._waiting: set[asyncio.Future[None]] = set()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Return what has come, waiting for the first byte of it; empty at the end."""
        await asyncio.sleep(0)  # should there always be something to read, others have their turn all the same
        with map_socket_errors(_READING):
            return await self._done(partial(self._source, max_bytes), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        left = memoryview(buffer)
        try:
            with map_socket_errors(_WRITING):
                while left:
                    left = left[await self._done(partial(self._socket.send, left), timeout, sends=True) :]
        except asyncio.CancelledError:
            await self.aclose()  # what others send over it would follow the half of this
            raise

    async def aclose(self) -> None:
        """Close without waiting for the other side: TLS would wait for its farewell, for seconds."""
        loop, number = asyncio.get_running_loop(), self._socket.fileno()
        if number >= 0:
            loop.remove_reader(number)
            loop.remove_writer(number)
        self._socket.close()
        for ready in self._waiting:
            _set(ready)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            with map_socket_errors(_CONNECTING):
                # Some releases of Python have OpenSSL take an end without a farewell for one with it.
                ssl_context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
                secure = ssl_context.wrap_socket(
                    self._socket,
                    server_hostname=server_hostname,
                    do_handshake_on_connect=False,
                    suppress_ragged_eofs=False,
                )
                self._socket, self._source = secure, _Secure(secure)
                await self._done(secure.do_handshake, timeout)
        except BaseException:
            await self.aclose()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "socket":
                return self._socket
            case "ssl_object":
                return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
            case "client_addr":
                return self._socket.getsockname()
            case "server_addr":
                return self._socket.getpeername()
            case "is_readable":
                return self._source.readable
        return None

    async def _done(self, step: Callable[[], T], seconds: float | None, *, sends: bool = False) -> T:
        """Do what may have to wait for the other side. TimeoutError when that takes too long."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return step()
                except BlockingIOError:
                    to_send = sends
                except _LATER as error:  # TLS may have to send in order to read, and the reverse
                    to_send = isinstance(error, ssl.SSLWantWriteError)
                await self._ready(to_send=to_send)

    async def _ready(self, *, to_send: bool) -> None:
        """Wait until the socket can be written to, or read from, or is closed."""
        loop, number = asyncio.get_running_loop(), self._socket.fileno()
        add, remove = (loop.add_writer, loop.remove_writer) if to_send else (loop.add_reader, loop.remove_reader)
        ready = loop.create_future()
        self._waiting.add(ready)
        add(number, _set, ready)
        try:
            await ready
        finally:
            self._waiting.discard(ready)
            if self._socket.fileno() >= 0:  # else the number may be somebody else's by now
                remove(number)


class _Source:
    """Reads from a plain socket."""

    def __init__(self, open_socket: socket.socket) -> None:
        self._socket = open_socket

    def __call__(self, size: int) -> bytes:
        return self._socket.recv(size)

    @property
    def readable(self) -> bool:
        """Whether a read would not wait: on a connection that should be idle, a sign that it has ended."""
        if self._socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))


class _Secure(_Source):
    """Reads by TLS, record by record, as many as have come; what ends them is for the next time.

    An end without the farewell of TLS is an error: it may be somebody else's doing, and must not be taken for that of a
    body which is over when the connection is (RFC 9112 §9.8).
    """

    def __init__(self, secure: ssl.SSLSocket) -> None:
        super().__init__(secure)
        self._secure = secure
        self._ended = False
        self._error: OSError | None = None

    def __call__(self, size: int) -> bytes:
        records: list[bytes] = []
        came = 0
        try:
            while came < size and not self._ended:
                record = self._socket.recv(min(size - came, _RECORD))
                records.append(record)
                came += len(record)
                self._ended = not record
        except _LATER:
            if not came:
                raise
        except OSError as error:
            self._ended, self._error = True, _cut() if _is_cut(error) else error
        if self._error and not came:
            raise self._error
        return b"".join(records)

    @property
    def readable(self) -> bool:
        """Whether a read would not wait."""
        return self._ended or self._secure.pending() > 0 or super().readable


def _is_cut(error: OSError) -> bool:
    """Whether TLS has met with an end without a farewell; not every release of Python has an exception for it."""
    return isinstance(error, ssl.SSLEOFError) or getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING"


def _cut() -> OSError:
    return ConnectionAbortedError("the connection was closed without the farewell of TLS")


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def map_socket_errors(names: _Names) -> Iterator[None]:
    """Raise httpcore's exception for ours, with ours as its cause."""
    try:
        yield
    except tuple(names) as error:
        raise next(name for kind, name in names.items() if isinstance(error, kind))(str(error)) from error
