"""A long body that comes faster than it can be parsed: it is read from the connection itself, and is the same."""

import asyncio
from collections.abc import Callable

import httpcore
import httpx
import pytest
from harness.scripted import Connection, Script, head, scripted
from harness.waiting import eventually
from test_servers import certificate as certificate  # noqa: PLC0414

from async_downloads.client.http.backend import AsyncioBackend
from async_downloads.client.http.transport import plain_length
from client.http.test_transport import MIB, Start
from client.http.test_transport import client as client  # noqa: PLC0414
from client.http.test_transport import start as start  # noqa: PLC0414
from client.http.test_transport import trusted as trusted  # noqa: PLC0414

PARSED = 64 * 1024  # bytes that httpcore reads at once
BODY = b"".join(number.to_bytes(8, "big") for number in range(16 * MIB // 8))  # no part of it is like another
LENGTH = f"Content-Length: {len(BODY)}"


def _answers(*fields: str, body: bytes = BODY) -> Script:
    """Answer every request with the body, and wait for the next."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(head(*fields), body)

    return script


async def _backed_up(url: str, client: httpx.AsyncClient) -> tuple[bytes, int]:
    """Read a body more slowly than it comes; return it, and how long the longest segment was."""
    segments = []
    async with client.stream("GET", url) as response:
        async for segment in response.aiter_raw():
            segments.append(segment)
            for _ in range(5):  # turns of the loop, in which the server sends on
                await asyncio.sleep(0)
    return b"".join(segments), max(map(len, segments))


async def test_it_arrives_whole_and_in_longer_pieces(client: httpx.AsyncClient, start: Start) -> None:
    async with start(_answers(LENGTH)) as server:
        for _ in range(2):
            body, longest = await _backed_up(server.url, client)
            assert body == BODY
            assert longest > PARSED


async def test_its_connection_is_given_up_afterwards(client: httpx.AsyncClient, start: Start) -> None:
    async with start(_answers(LENGTH)) as server:
        await _backed_up(server.url, client)
        await eventually(lambda: server.gone == 1)
        assert (await client.get(server.url)).content == BODY
        assert len(server.connections) == 2


async def test_what_comes_after_it_is_no_part_of_it(client: httpx.AsyncClient, start: Start) -> None:
    async with start(_answers(LENGTH, body=BODY + b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        body, longest = await _backed_up(server.url, client)
        assert body == BODY
        assert longest > PARSED


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        pytest.param(["Transfer-Encoding: chunked"], b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), id="in chunks"),
        pytest.param(
            ["Transfer-Encoding: chunked", LENGTH],
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
            id="in chunks, with a length that does not count",
        ),
    ],
)
async def test_a_body_with_more_in_it_than_its_bytes_is_parsed(
    fields: list[str], body: bytes, client: httpx.AsyncClient, start: Start
) -> None:
    async with start(_answers(*fields, body=body)) as server:
        content, longest = await _backed_up(server.url, client)
        assert content == BODY
        assert longest <= PARSED
        assert not server.gone  # it can be used again


async def test_a_body_without_a_length_is_parsed(client: httpx.AsyncClient, start: Start) -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Connection: close"), BODY)

    async with start(once) as server:
        content, longest = await _backed_up(server.url, client)
        assert content == BODY
        assert longest <= PARSED


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
def test_a_body_is_plain_when_nothing_can_be_between_its_bytes(
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
        pytest.param(lambda connection: connection.writer.close(), httpx.RemoteProtocolError, id="that ends"),
        pytest.param(lambda _: "silence", httpx.ReadTimeout, id="that says nothing more"),
    ],
)
async def test_a_connection_that_breaks_in_it_raises(
    then: Callable[[Connection], object], raised: type[Exception], client: httpx.AsyncClient, start: Start
) -> None:
    client.timeout = httpx.Timeout(60, read=0.5 if raised is httpx.ReadTimeout else 60)
    async with start(_breaks(14 * MIB, then)) as server:
        with pytest.raises(raised):
            await _backed_up(server.url, client)
        await eventually(lambda: server.gone)


async def test_a_connection_that_is_closed_lets_go_of_who_reads_from_it() -> None:
    async with scripted(Connection.left) as server:
        stream = await AsyncioBackend().connect_tcp("127.0.0.1", server.port)
        reading = asyncio.create_task(stream.read(1))
        await eventually(lambda: server.connections)
        await stream.aclose()
        with pytest.raises(httpcore.ReadError):
            await reading
        assert stream.get_extra_info("is_readable")
        await stream.aclose()


async def test_what_httpcore_may_ask_of_a_connection_is_told() -> None:
    async with scripted(Connection.left) as server:
        stream = await AsyncioBackend().connect_tcp("127.0.0.1", server.port)
        client = stream.get_extra_info("socket")
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
        assert stream.get_extra_info("client_addr") == client.getsockname()
        assert stream.get_extra_info("ssl_object") is None
        assert stream.get_extra_info("something else") is None
        assert not stream.get_extra_info("is_readable")
        await stream.aclose()


async def test_a_connection_on_which_a_write_was_cancelled_is_closed() -> None:
    async def deaf(_: Connection) -> None:
        await asyncio.Event().wait()

    async with scripted(deaf) as server:
        stream = await AsyncioBackend().connect_tcp("127.0.0.1", server.port)
        sending = asyncio.create_task(stream.write(bytes(64 * MIB)))
        await asyncio.sleep(0)  # in which it sends what can be sent, and waits
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        with pytest.raises(httpcore.WriteError):
            await stream.write(b"what would follow the half of the other")
