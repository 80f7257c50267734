"""TLS handshakes that clients do not finish."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.served import Connection, Server
from harness.waiting import HANGING, eventually

from async_downloads.server.handshakes import Handshakes
from async_downloads.server.http1.server import ConnectionLimits, Http1Server
from server.http1.conftest import hello

LEAST = 64  # unfinished handshakes that there may be in any case


@dataclass(frozen=True, slots=True)
class _TlsServer(Server):
    handshakes: Handshakes | None = None
    client_context: ssl.SSLContext | None = None

    @property
    def unfinished(self) -> int:
        """The number of handshakes that are not finished."""
        assert self.handshakes
        return len(self.handshakes._running)

    async def get(self) -> bytes:
        """Return the response to a request over TLS."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.client_context)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return await reader.read()
        finally:
            writer.transport.abort()


@pytest.fixture
async def server(certificate: tuple[Path, Path]) -> AsyncIterator[_TlsServer]:
    """A server with room for one connection."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    http1 = Http1Server(hello, ConnectionLimits(max_connections=1))
    handshakes = Handshakes(http1.connection, context, http1.room)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listening = await asyncio.get_running_loop().create_server(handshakes.accepted, sock=listener)
    client_context = ssl.create_default_context(cafile=certificate[0])
    client_context.check_hostname = False
    try:
        yield _TlsServer(
            listener.getsockname()[1], tls=True, http1=http1, handshakes=handshakes, client_context=client_context
        )
    finally:
        listening.close()
        await handshakes.close()
        await http1.abort()


@asynccontextmanager
async def silent_clients(server: _TlsServer, count: int) -> AsyncIterator[list[Connection]]:
    """Connect clients one after another that send nothing."""
    async with AsyncExitStack() as clients:
        connected: list[Connection] = []
        while len(connected) < count:
            connected.append(await clients.enter_async_context(server.connected()))
            await eventually(lambda: server.unfinished >= min(len(connected), LEAST))
        yield connected


async def test_a_client_that_finishes_its_handshake_gets_a_response(server: _TlsServer) -> None:
    for _ in range(3):
        assert (await server.get()).endswith(b"hello")
    assert server.unfinished == 0


async def test_the_oldest_of_too_many_handshakes_is_ended_and_a_new_client_is_served(server: _TlsServer) -> None:
    async with silent_clients(server, LEAST + 2) as clients, asyncio.timeout(HANGING):
        for oldest in clients[:2]:
            assert await oldest.reader.read() == b""
        assert server.unfinished == LEAST
        assert (await server.get()).endswith(b"hello")
        assert not clients[-1].reader.at_eof()


@pytest.mark.parametrize("leave", ["close", "eof", "plain text"])
async def test_a_handshake_ends_when_its_client_leaves_or_speaks_no_tls(server: _TlsServer, leave: str) -> None:
    async with silent_clients(server, 1) as [client]:
        if leave == "close":
            client.writer.transport.abort()
        elif leave == "eof":
            client.writer.write_eof()
        else:
            client.writer.write(b"no handshake\r\n")
        await eventually(lambda: not server.unfinished)
    assert (await server.get()).endswith(b"hello")


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_client_that_speaks_plain_http_is_told_that_the_port_expects_https(
    server: _TlsServer, method: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"%s / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n%s" % (method, bytes(200_000)))
    async with asyncio.timeout(HANGING):
        response = await reader.read()
    writer.close()
    head, _, text = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nConnection: close" in head
    assert text == b"400 Bad Request: this port expects HTTPS. Use an address that begins with https://\n"
    await eventually(lambda: not server.unfinished)
    assert (await server.get()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_the_end_of_the_server_ends_unfinished_handshakes(server: _TlsServer) -> None:
    async with silent_clients(server, 3) as clients, asyncio.timeout(HANGING):
        assert server.handshakes
        await server.handshakes.close()
        assert [await each.reader.read() for each in clients] == [b""] * 3
        assert server.unfinished == 0
