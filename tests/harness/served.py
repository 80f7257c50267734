"""Real servers in the test's own loop, and a client that reads at a given speed."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http.client import parse_headers
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import Framework

from async_downloads.server.http1.connection import Connection as ServerConnection
from async_downloads.server.http1.server import ConnectionLimits, Http1Server
from async_downloads.server.http2.negotiation import Negotiation
from async_downloads.server.lifespan import Lifespan
from async_downloads.server.request_observer import RequestObserver
from harness.asgi import App
from harness.waiting import HANGING

__all__ = ["Connection", "Server", "http1", "http2", "hypercorn", "served"]

# The kernel's buffers hold megabytes by default. With small ones a test file can be small, too.
_BUFFER = 32 * 1024


@dataclass(frozen=True, slots=True)
class Connection:
    """A client's connection that sends and reads raw bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, target: str, *fields: str, method: str = "GET") -> None:
        """Send a request; each field is a whole line."""
        lines = (f"{method} {target} HTTP/1.1", "Host: localhost", *fields, "", "")
        self.writer.write("\r\n".join(lines).encode("latin-1"))
        await self.writer.drain()

    async def head(self) -> tuple[int, Message]:
        """Read the status and fields of a response with the standard library's parser."""
        status, _, lines = (await self.reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        return int(status.split()[1]), parse_headers(BytesIO(lines))

    async def read_response(self) -> tuple[int, Message, bytes]:
        """Read a whole response that has a Content-Length."""
        status, fields = await self.head()
        return status, fields, await self.reader.readexactly(int(fields["Content-Length"]))


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a server."""

    port: int
    tls: bool = False
    http1: Http1Server | None = None  # if it runs in this process

    @property
    def url(self) -> str:
        """The URL without a path."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """Open a connection. At the end of the block the client leaves without reading the rest."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=_BUFFER)
        try:
            yield Connection(reader, writer)
        finally:
            writer.transport.abort()

    @property
    def connections(self) -> set[ServerConnection]:
        """The server's ends of all connections, if it runs in this process."""
        assert self.http1 is not None
        return cast("set[ServerConnection]", self.http1._connections)

    async def exchange(self, data: bytes, *, eof: bool = False) -> bytes:
        """Send bytes, with `eof` also the end of our side; return all that comes until the server closes."""
        async with self.connected() as connection, asyncio.timeout(HANGING):
            connection.writer.write(data)
            if eof:
                connection.writer.write_eof()
            return await connection.reader.read()

    @asynccontextmanager
    async def downloading(self, target: str) -> AsyncIterator[Connection]:
        """Begin a download and read only its head."""
        async with self.connected() as connection:
            await connection.ask(target)
            await connection.head()
            yield connection


@asynccontextmanager
async def hypercorn(
    app: App, *, certificate: tuple[Path, Path] | None = None, keep_alive: float = HANGING
) -> AsyncIterator[Server]:
    """Serve an app with Hypercorn until the end of the block; close connections idle for `keep_alive` seconds."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)  # what it accepts has the same
    port = listener.getsockname()[1]
    stop = asyncio.Event()
    config = _config(listener.detach(), certificate)
    config.keep_alive_timeout = keep_alive
    config.graceful_timeout = HANGING
    serving = asyncio.create_task(serve(cast("Framework", app), config, shutdown_trigger=stop.wait))
    try:
        yield Server(port, tls=certificate is not None)
    finally:
        stop.set()
        async with asyncio.timeout(HANGING):
            await serving


@asynccontextmanager
async def served(
    app: App, *, certificate: tuple[Path, Path] | None = None, observers: Sequence[RequestObserver] = ()
) -> AsyncIterator[Server]:
    """Start an app, and serve it as `serve` does until the end of the block."""
    lifespan = Lifespan(app)
    await lifespan.start()
    try:
        async with http1(app, certificate=certificate, observers=observers) as server:
            yield server
    finally:
        await lifespan.stop()


@asynccontextmanager
async def http2(
    app: App,
    certificate: tuple[Path, Path],
    *,
    limits: ConnectionLimits | None = None,
    observers: Sequence[RequestObserver] = (),
) -> AsyncIterator[Server]:
    """Serve an app as `serve --http2` does until the end of the block, when every connection is dropped."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    server = Http1Server(app, limits or ConnectionLimits(), observers=observers)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening = await asyncio.get_running_loop().create_server(partial(Negotiation, server), sock=listener, ssl=tls)
    try:
        yield Server(listener.getsockname()[1], tls=True, http1=server)
    finally:
        listening.close()
        await server.abort()


@asynccontextmanager
async def http1(
    app: App,
    *,
    certificate: tuple[Path, Path] | None = None,
    limits: ConnectionLimits | None = None,
    **options: Any,
) -> AsyncIterator[Server]:
    """Serve an app as `serve` does until the end of the block, when every connection is dropped."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)  # what it accepts has the same
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if tls and certificate:
        tls.load_cert_chain(*certificate)
    server = Http1Server(app, limits or ConnectionLimits(), **options)
    listening = await asyncio.get_running_loop().create_server(server.connection, sock=listener, ssl=tls)
    try:
        yield Server(listener.getsockname()[1], tls=certificate is not None, http1=server)
    finally:
        listening.close()
        await server.abort()


def _config(fd: int, certificate: tuple[Path, Path] | None) -> Config:
    config = Config()
    config.bind = [f"fd://{fd}"]
    config.errorlog = logging.getLogger("hypercorn under test")
    if certificate:
        config.certfile, config.keyfile = map(str, certificate)
    return config
