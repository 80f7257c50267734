"""A long body that arrives faster than httpcore parses it is read from the connection itself, without a change."""

import asyncio
from collections.abc import Callable
from random import Random

import httpcore
import httpx
import pytest
from harness.scripted import Connection, Script, head
from harness.waiting import eventually

from async_downloads.client.http.transport import plain_length
from client.http.test_transport import MIB, Start

PARSED = 64 * 1024  # bytes that httpcore reads at once
BODY = Random(0).randbytes(16 * MIB)  # each part differs from all others
LENGTH = f"Content-Length: {len(BODY)}"


def _responds(*fields: str, body: bytes = BODY) -> Script:
    """Respond to every request with the body."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(head(*fields), body)

    return script


async def _backed_up(url: str, client: httpx.AsyncClient) -> tuple[bytes, int]:
    """Read a body more slowly than it arrives; return it and the size of its largest chunk."""
    chunks = []
    async with client.stream("GET", url) as response:
        async for chunk in response.aiter_raw():
            chunks.append(chunk)
            for _ in range(5):  # turns of the loop, in which the server sends more
                await asyncio.sleep(0)
    return b"".join(chunks), max(map(len, chunks))


async def test_a_fast_long_body_arrives_complete_and_in_larger_chunks(client: httpx.AsyncClient, start: Start) -> None:
    async with start(_responds(LENGTH)) as server:
        for _ in range(2):
            body, largest = await _backed_up(server.url, client)
            assert body == BODY
            assert largest > PARSED


async def test_the_connection_of_a_fast_long_body_is_closed_afterwards(client: httpx.AsyncClient, start: Start) -> None:
    async with start(_responds(LENGTH)) as server:
        await _backed_up(server.url, client)
        await eventually(lambda: server.gone == 1)
        assert (await client.get(server.url)).content == BODY
        assert len(server.connections) == 2


async def test_bytes_after_the_length_are_not_part_of_the_body(client: httpx.AsyncClient, start: Start) -> None:
    async with start(_responds(LENGTH, body=BODY + b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        body, largest = await _backed_up(server.url, client)
        assert body == BODY
        assert largest > PARSED


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(["Transfer-Encoding: chunked"], id="chunked"),
        pytest.param(["Transfer-Encoding: chunked", LENGTH], id="chunked, with a length that does not count"),
    ],
)
async def test_a_chunked_body_is_always_parsed(fields: list[str], client: httpx.AsyncClient, start: Start) -> None:
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    async with start(_responds(*fields, body=chunked)) as server:
        content, largest = await _backed_up(server.url, client)
        assert content == BODY
        assert largest <= PARSED
        assert not server.gone  # the connection can be reused


async def test_a_body_without_a_length_is_always_parsed(client: httpx.AsyncClient, start: Start) -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Connection: close"), BODY)

    async with start(once) as server:
        content, largest = await _backed_up(server.url, client)
        assert content == BODY
        assert largest <= PARSED


@pytest.mark.parametrize(
    ("version", "fields", "length"),
    [
        pytest.param("HTTP/1.1", [("Content-Length", "5")], 5, id="one length"),
        pytest.param("HTTP/1.0", [("content-length", "5")], 5, id="HTTP/1.0"),
        pytest.param("HTTP/2", [("content-length", "5")], 0, id="HTTP/2, which has frames"),
        pytest.param("HTTP/1.1", [], 0, id="no length"),
        pytest.param("HTTP/1.1", [("Content-Length", "5"), ("Content-Length", "5")], 0, id="two lengths"),
        pytest.param("HTTP/1.1", [("Content-Length", "5, 5")], 0, id="two lengths in one field"),
        pytest.param("HTTP/1.1", [("Content-Length", "+5")], 0, id="no length, but like one"),
        pytest.param("HTTP/1.1", [("Content-Length", "5"), ("TRANSFER-ENCODING", "chunked")], 0, id="chunks"),
    ],
)
def test_the_plain_length_is_known_for_http1_with_one_content_length(
    version: str, fields: list[tuple[str, str]], length: int
) -> None:
    response = httpcore.Response(200, headers=fields, extensions={"http_version": version.encode()})
    assert plain_length(response) == length


def _breaks(after: int, then: Callable[[Connection], object]) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(head(LENGTH), BODY[:after])
        if then(connection) is None:
            return
        await connection.left()

    return script


@pytest.mark.parametrize(
    ("then", "raised"),
    [
        pytest.param(lambda connection: connection.writer.close(), httpx.RemoteProtocolError, id="the connection ends"),
        pytest.param(lambda _: "silence", httpx.ReadTimeout, id="nothing more arrives"),
    ],
)
async def test_a_connection_that_breaks_in_a_fast_long_body_raises(
    then: Callable[[Connection], object], raised: type[Exception], client: httpx.AsyncClient, start: Start
) -> None:
    client.timeout = httpx.Timeout(60, read=0.5 if raised is httpx.ReadTimeout else 60)
    async with start(_breaks(14 * MIB, then)) as server:
        with pytest.raises(raised):
            await _backed_up(server.url, client)
        await eventually(lambda: server.gone)
