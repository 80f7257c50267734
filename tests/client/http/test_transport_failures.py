"""The fast transport when something goes wrong: exceptions of httpx, and nothing left open."""

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
from test_servers import certificate as certificate  # noqa: PLC0414

from async_downloads.client import download
from async_downloads.client.http.transport import new_client
from async_downloads.errors import RetriesExhausted
from client.http.test_transport import PIECE, WHOLE, Start, answers
from client.http.test_transport import client as client  # noqa: PLC0414
from client.http.test_transport import start as start  # noqa: PLC0414
from client.http.test_transport import trusted as trusted  # noqa: PLC0414

_RESET = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _after(*segments: bytes, reset: bool = False) -> Script:
    async def breaks(connection: Connection) -> None:
        await connection.request()
        await connection.send(*segments)
        if reset:
            connection.reset()

    return breaks


@pytest.mark.parametrize(
    ("script", "raised"),
    [
        pytest.param(_after(), httpx.RemoteProtocolError, id="before the answer"),
        pytest.param(_after(b"HTTP/1.1 200 OK\r\nContent-"), httpx.RemoteProtocolError, id="in the head"),
        pytest.param(_after(b"HTTPS? no\r\n\r\n"), httpx.RemoteProtocolError, id="another protocol"),
        pytest.param(_after(WHOLE, PIECE), httpx.RemoteProtocolError, id="in the body"),
        pytest.param(
            _after(head("Transfer-Encoding: chunked"), b"5\r\nhel"), httpx.RemoteProtocolError, id="in a chunk"
        ),
        pytest.param(_after(b"A: " + PIECE * 4), httpx.RemoteProtocolError, id="a head without end"),
        pytest.param(hangs, httpx.ReadTimeout, id="silence"),
        pytest.param(_after(WHOLE, PIECE, reset=True), httpx.TransportError, id="reset"),
    ],
)
async def test_an_answer_that_breaks_off_raises(
    script: Script, raised: type[Exception], client: httpx.AsyncClient, start: Start
) -> None:
    async with start(script) as server:
        with pytest.raises(raised) as caught:
            await client.get(server.url, timeout=httpx.Timeout(HANGING, read=0.1 if script is hangs else HANGING))
        assert str(caught.value.request.url) == server.url  # type: ignore[attr-defined]  # every httpx.RequestError


async def test_a_connection_reset_under_a_reader_is_a_read_error(client: httpx.AsyncClient, start: Start) -> None:
    async with start(_endless) as server, client.stream("GET", server.url) as response:
        segments = response.aiter_raw()
        await anext(segments)
        [connection] = server.connections
        connection.writer.transport.get_extra_info("socket").setsockopt(*_RESET)
        connection.reset()
        with pytest.raises(httpx.ReadError):
            await _read(segments)


async def test_an_end_without_the_farewell_of_tls_is_not_that_of_a_body(
    client: httpx.AsyncClient, certificate: tuple[Path, Path]
) -> None:
    cut = _after(head("Connection: close"), PIECE, reset=True)
    async with scripted(cut, certificate=certificate) as server:
        with pytest.raises(httpx.ReadError, match="farewell"):
            await client.get(server.url)


async def test_a_body_of_known_length_needs_no_farewell(
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
            yield PIECE

    async with start(deaf) as server:
        with pytest.raises(httpx.WriteTimeout):
            await client.post(server.url, content=endless(), timeout=httpx.Timeout(HANGING, write=0.1))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1:{port}/", id="refused"),
        pytest.param("https://127.0.0.1:{port}/", id="refused, TLS"),
        pytest.param(f"http://{'a' * 64}.invalid/", id="a name that cannot be"),
    ],
)
async def test_who_cannot_be_reached_is_a_connect_error(url: str) -> None:
    with reserved_port() as port:
        async with new_client() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url.format(port=port))


async def test_a_certificate_nobody_vouches_for_is_refused(certificate: tuple[Path, Path]) -> None:
    async with scripted(answers, certificate=certificate) as server, new_client() as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await client.get(server.url)
        assert any(isinstance(error, ssl.SSLCertVerificationError) for error in _behind(caught.value))
        await eventually(lambda: server.gone == len(server.connections))


async def test_a_server_without_tls_is_a_connect_error(trusted: ssl.SSLContext) -> None:
    async def plain(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with scripted(plain) as server, new_client(verify=trusted) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(server.url.replace("http:", "https:"))


async def test_a_handshake_that_takes_too_long_is_a_connect_timeout(trusted: ssl.SSLContext) -> None:
    async with scripted(hangs) as server, new_client(verify=trusted) as client:
        with pytest.raises(httpx.ConnectTimeout):
            await client.get(server.url.replace("http:", "https:"), timeout=httpx.Timeout(HANGING, connect=0.1))
        await eventually(lambda: server.gone == len(server.connections))


async def _endless(connection: Connection) -> None:
    await connection.request()
    await connection.send(head("Connection: close"))
    while True:
        await connection.send(PIECE)


async def _is_silent_after_the_request(connection: Connection) -> None:
    await connection.request()
    await connection.left()


async def _gets_stuck(connection: Connection) -> None:
    await connection.request()
    await connection.send(WHOLE, PIECE)
    await connection.left()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(_is_silent_after_the_request, id="waiting for the answer"),
        pytest.param(_gets_stuck, id="waiting for the body"),
        pytest.param(_endless, id="in the body"),
    ],
)
async def test_a_request_that_is_cancelled_leaves_nothing_open(
    script: Script, client: httpx.AsyncClient, start: Start
) -> None:
    async with start(script) as server:
        task = asyncio.create_task(client.get(server.url))
        await eventually(lambda: server.connections and server.connections[0].requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: server.gone)


async def test_a_handshake_that_is_cancelled_leaves_nothing_open(client: httpx.AsyncClient) -> None:
    async with scripted(hangs) as server:
        task = asyncio.create_task(client.get(server.url.replace("http:", "https:")))
        await eventually(lambda: server.connections)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: server.gone)


async def test_closing_the_client_closes_idle_connections(client: httpx.AsyncClient, start: Start) -> None:
    async with start(answers) as server:
        await asyncio.gather(*(client.get(server.url) for _ in range(3)))
        await client.aclose()
        await eventually(lambda: server.gone == len(server.connections) == 3)


async def _read(segments: AsyncIterator[bytes]) -> None:
    async for _ in segments:
        pass


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what led to it; httpcore takes the cause away, and leaves the context."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x03"], ids=["at once", "in the middle of a record"])
async def test_a_connection_that_ends_in_the_handshake_is_one_that_is_lost(
    said: bytes, trusted: ssl.SSLContext, tmp_path: Path
) -> None:
    async def leaves(connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.send(said)

    async with scripted(leaves) as server, new_client(verify=trusted) as client:
        with pytest.raises(RetriesExhausted, match="connection was lost"):
            await download(server.url.replace("http:", "https:"), tmp_path / "a", client=client, retries=1)
        assert len(server.connections) == 2
