"""Connections for httpcore directly on sockets. One read takes all bytes that the kernel has, and OpenSSL does TLS.

    plain   kernel ──recv──▶ bytes
    TLS     kernel ──OpenSSL──▶ record, record, record... ──▶ bytes

httpcore's own backend reads through asyncio's streams, which buffer, split and copy the bytes, and which pass each TLS
record to OpenSSL and back. That reaches a third of this speed.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeVar

import httpcore
from aiohappyeyeballs import start_connection

from ...threads import raise_mmap_threshold
from .errors import CONNECTING, READING, WRITING, map_socket_errors
from .head_mending import HeadMender
from .readers import INCOMPLETE, PlainReader, TlsReader

__all__ = ["AsyncioBackend"]


T = TypeVar("T")
_HEAD_SECONDS: Final = 30.0  # from the first bytes of a head to its end; the wait for the first byte may be longer
_NEXT_ADDRESS_SECONDS: Final = 0.25  # RFC 8305 §5: how long an address without a response delays the next one


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections on the running asyncio loop.

    `family` limits the addresses of servers. `interface` is the name of a network interface or one of its addresses.
    """

    def __init__(self, family: int = socket.AF_UNSPEC, interface: str | None = None) -> None:
        raise_mmap_threshold()
        self._family = family
        self._device = interface if interface in {name for _, name in socket.if_nameindex()} else None
        self._local_address = interface if self._device is None else None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # here and below: httpcore names the arguments
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that accepts, within `timeout` seconds (RFC 8305, Happy Eyeballs).

        Raises httpcore's ConnectError or ConnectTimeout.
        """
        local_address = local_address or self._local_address
        with map_socket_errors(CONNECTING):
            async with asyncio.timeout(timeout):
                connection = await start_connection(
                    await _resolve(host, port, self._family),
                    local_addr_infos=await _resolve(local_address, 0, self._family) if local_address else None,
                    happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS,
                    socket_factory=self._socket,
                )
            try:
                for option in ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), *(socket_options or ())):
                    connection.setsockopt(*option)
            except BaseException:
                connection.close()
                raise
        return _Stream(connection)

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """Return a socket for an address, bound to the chosen interface if there is one."""
        connection = socket.socket(*address[:3])
        try:
            if self._device:
                connection.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, self._device.encode())
        except BaseException:
            connection.close()
            raise
        return connection


_BIND_TO_DEVICE: Final = getattr(socket, "SO_BINDTODEVICE", 25)  # only Linux has it; other systems raise OSError


async def _resolve(host: str, port: int, family: int = socket.AF_UNSPEC) -> list[tuple[Any, ...]]:
    """Return the addresses of a host. The zone of an address follows "%25" in a URL (RFC 6874), otherwise "%"."""
    name = host.replace("%25", "%") if ":" in host else host
    return await asyncio.get_running_loop().getaddrinfo(name, port, family=family, type=socket.SOCK_STREAM)


class _Stream(httpcore.AsyncNetworkStream):
    """One connection over a non-blocking socket. httpcore's pool owns it.

        plain ──start_tls──▶ TLS        `_socket` is then an SSLSocket, and `_receive` reads records
          └───────aclose──────┴──▶ closed   each waiting read or write wakes up and fails

    A read and a write may wait at the same time. A cancelled write closes the connection.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._receive = PlainReader(connection)
        self._waiting: set[asyncio.Future[None]] = set()
        self._mender = HeadMender()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Return up to `max_bytes` bytes as soon as some have arrived; b"" at the end of the connection."""
        await asyncio.sleep(0)  # otherwise no other task runs while the socket always has bytes
        with map_socket_errors(READING):
            received = await self._retry(partial(self._receive, max_bytes), timeout)
            if not self._mender.expects:
                return self._mender.add(received)
            async with asyncio.timeout(_HEAD_SECONDS):
                while not (mended := self._mender.add(received)) and received:
                    received = await self._retry(partial(self._receive, max_bytes), timeout)
            return mended

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send all of `buffer`."""
        left = memoryview(buffer)
        self._mender.expect()
        try:
            with map_socket_errors(WRITING):
                while left:
                    left = left[await self._retry(partial(self._socket.send, left), timeout, sends=True) :]
        except asyncio.CancelledError:
            await self.aclose()  # otherwise the next request would follow the first half of this one
            raise

    async def aclose(self) -> None:
        """Close at once. Waiting for the server's TLS close_notify could take seconds."""
        loop, fd = asyncio.get_running_loop(), self._socket.fileno()
        if fd >= 0:
            loop.remove_reader(fd)
            loop.remove_writer(fd)
        self._socket.close()
        for ready in self._waiting:
            _wake(ready)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """Do the TLS handshake within `timeout` seconds. Raises httpcore's ConnectError or ConnectTimeout."""
        try:
            with map_socket_errors(CONNECTING):
                # Some Python releases set this option. It hides that a connection ended without close_notify.
                ssl_context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
                secure = ssl_context.wrap_socket(
                    self._socket,
                    server_hostname=server_hostname and server_hostname.partition("%")[0],
                    do_handshake_on_connect=False,
                    suppress_ragged_eofs=False,
                )
                self._socket, self._receive, self._mender = secure, TlsReader(secure), HeadMender()
                await self._retry(secure.do_handshake, timeout)
        except BaseException:
            await self.aclose()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return the property of the connection with this name in httpcore; None if the name is unknown."""
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
                return self._mender.has_surplus or self._receive.is_readable
        return None

    async def _retry(self, step: Callable[[], T], seconds: float | None, *, sends: bool = False) -> T:
        """Repeat a socket call until it succeeds without waiting. Raises TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return step()
                except BlockingIOError:
                    to_send = sends
                except INCOMPLETE as error:  # TLS may have to send in order to read, and the reverse
                    to_send = isinstance(error, ssl.SSLWantWriteError)
                await self._wait_until_ready(to_send=to_send)

    async def _wait_until_ready(self, *, to_send: bool) -> None:
        """Wait until the socket is writable or readable, or is closed."""
        loop, fd = asyncio.get_running_loop(), self._socket.fileno()
        add, remove = (loop.add_writer, loop.remove_writer) if to_send else (loop.add_reader, loop.remove_reader)
        ready = loop.create_future()
        self._waiting.add(ready)
        add(fd, _wake, ready)
        try:
            await ready
        finally:
            self._waiting.discard(ready)
            if self._socket.fileno() >= 0:  # after a close, another socket may have this number
                remove(fd)


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
