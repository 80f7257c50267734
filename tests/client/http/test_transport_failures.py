"""Failures of the fast transport raise httpx's exceptions and leave no connection open."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from harness.ports import reserved_port
from harness.scripted import Connection, Script, hangs, head, scripted
from harness.waiting import HANGING, eventually

from async_downloads.client import download
from async_downloads.client.http.transport import new_client
from async_downloads.errors import RetriesExhausted
from client.http.test_transport import CHUNK, HEAD, Start, responds

_RESET = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _after(*chunks: bytes, reset: bool = False) -> Script:
    async def breaks(connection: Connection) -> None:
        await connection.request()
        await connection.send(*chunks)
        if reset:
            connection.reset()

    return breaks


@pytest.mark.parametrize(
    ("script", "raised"),
    [
        pytest.param(_after(), httpx.RemoteProtocolError, id="before the response"),
        pytest.param(_after(b"HTTP/1.1 200 OK\r\nContent-"), httpx.RemoteProtocolError, id="in the head"),
        pytest.param(_after(b"HTTPS? no\r\n\r\n"), httpx.RemoteProtocolError, id="another protocol"),
        pytest.param(_after(HEAD, CHUNK), httpx.RemoteProtocolError, id="in the body"),
        pytest.param(
            _after(head("Transfer-Encoding: chunked"), b"5\r\nhel"), httpx.RemoteProtocolError, id="in a chunk"
        ),
        pytest.param(_after(b"A: " + CHUNK * 4), httpx.RemoteProtocolError, id="a head without end"),
        pytest.param(hangs, httpx.ReadTimeout, id="silence"),
        pytest.param(_after(HEAD, CHUNK, reset=True), httpx.TransportError, id="reset"),
    ],
)
async def test_a_response_that_breaks_off_raises(
    script: Script, raised: type[Exception], client: httpx.AsyncClient, start: Start
) -> None:
    async with start(script) as server:
        with pytest.raises(raised) as caught:
            await client.get(server.url, timeout=httpx.Timeout(HANGING, read=0.1 if script is hangs else HANGING))
        assert str(caught.value.request.url) == server.url  # type: ignore[attr-defined]  # every httpx.RequestError


async def test_a_head_that_begins_must_soon_be_complete(
    client: httpx.AsyncClient, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drips(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await connection.send(b"A: b\r\n")
            await asyncio.sleep(0.01)

    monkeypatch.setattr("async_downloads.client.http.backend._HEAD_SECONDS", 0.1)
    async with start(drips) as server:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=HANGING)


async def test_a_reset_during_a_read_is_a_read_error(client: httpx.AsyncClient, start: Start) -> None:
    async with start(_endless) as server, client.stream("GET", server.url) as response:
        chunks = response.aiter_raw()
        await anext(chunks)
        [connection] = server.connections
        connection.writer.transport.get_extra_info("socket").setsockopt(*_RESET)
        connection.reset()
        with pytest.raises(httpx.ReadError):
            await _read(chunks)


async def test_an_end_without_close_notify_is_not_the_end_of_a_body(
    client: httpx.AsyncClient, certificate: tuple[Path, Path]
) -> None:
    cut = _after(head("Connection: close"), CHUNK, reset=True)
    async with scripted(cut, certificate=certificate) as server:
        with pytest.raises(httpx.ReadError, match="close_notify"):
            await client.get(server.url)


async def test_a_body_of_known_length_needs_no_close_notify(
    client: httpx.AsyncClient, certificate: tuple[Path, Path]
) -> None:
    async def curt(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Content-Length: 2"), b"ok")
        connection.reset()

    async with scripted(curt, certificate=certificate) as server:
        assert (await client.get(server.url)).text == "ok"


async def test_a_server_that_reads_nothing_is_a_write_timeout(client: httpx.AsyncClient, start: Start) -> None:
    async def deaf(connection: Connection) -> None:
        await connection.request()
        await asyncio.Event().wait()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield CHUNK

    async with start(deaf) as server:
        with pytest.raises(httpx.WriteTimeout):
            await client.post(server.url, content=endless(), timeout=httpx.Timeout(HANGING, write=0.1))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1:{port}/", id="refused"),
        pytest.param("https://127.0.0.1:{port}/", id="refused, TLS"),
        pytest.param(f"http://{'a' * 64}.invalid/", id="an impossible name"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_a_connect_error(url: str) -> None:
    with reserved_port() as port:
        async with new_client() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url.format(port=port))


async def test_a_certificate_of_an_unknown_issuer_is_refused(certificate: tuple[Path, Path]) -> None:
    async with scripted(responds, certificate=certificate) as server, new_client() as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await client.get(server.url)
        assert any(isinstance(error, ssl.SSLCertVerificationError) for error in _behind(caught.value))
        await eventually(lambda: server.gone == len(server.connections))


async def test_a_server_without_tls_is_a_connect_error(client: httpx.AsyncClient) -> None:
    async def plain(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with scripted(plain) as server:
        with pytest.raises(httpx.ConnectError):
            await client.get(server.url.replace("http:", "https:"))


async def test_a_handshake_that_takes_too_long_is_a_connect_timeout(client: httpx.AsyncClient) -> None:
    async with scripted(hangs) as server:
        with pytest.raises(httpx.ConnectTimeout):
            await client.get(server.url.replace("http:", "https:"), timeout=httpx.Timeout(HANGING, connect=0.1))
        await eventually(lambda: server.gone == len(server.connections))


async def _endless(connection: Connection) -> None:
    await connection.request()
    await connection.send(head("Connection: close"))
    while True:
        await connection.send(CHUNK)


async def _never_responds(connection: Connection) -> None:
    await connection.request()
    await connection.left()


async def _stops_in_the_body(connection: Connection) -> None:
    await connection.request()
    await connection.send(HEAD, CHUNK)
    await connection.left()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(_never_responds, id="waiting for the response"),
        pytest.param(_stops_in_the_body, id="waiting for the body"),
        pytest.param(_endless, id="in the body"),
    ],
)
async def test_a_cancelled_request_leaves_no_connection_open(
    script: Script, client: httpx.AsyncClient, start: Start
) -> None:
    async with start(script) as server:
        task = asyncio.create_task(client.get(server.url))
        await eventually(lambda: server.connections and server.connections[0].requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: server.gone)


async def test_a_cancelled_handshake_leaves_no_connection_open(client: httpx.AsyncClient) -> None:
    async with scripted(hangs) as server:
        task = asyncio.create_task(client.get(server.url.replace("http:", "https:")))
        await eventually(lambda: server.connections)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: server.gone)


async def test_closing_the_client_closes_idle_connections(client: httpx.AsyncClient, start: Start) -> None:
    async with start(responds) as server:
        await asyncio.gather(*(client.get(server.url) for _ in range(3)))
        await client.aclose()
        await eventually(lambda: server.gone == len(server.connections) == 3)


async def _read(chunks: AsyncIterator[bytes]) -> None:
    async for _ in chunks:
        pass


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and the errors that led to it; httpcore drops the cause but not the context."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x03"], ids=["at once", "in the middle of a record"])
async def test_a_connection_that_ends_in_the_handshake_is_reported_as_lost(
    sent: bytes, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    async def leaves(connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.send(sent)

    async with scripted(leaves) as server:
        with pytest.raises(RetriesExhausted, match="connection was lost"):
            await download(server.url.replace("http:", "https:"), tmp_path / "a", client=client, retries=1)
        assert len(server.connections) == 2
