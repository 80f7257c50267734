"""The fast transport: what httpx promises, kept over connections of our own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from harness.scripted import Connection, Script, Scripted, head, scripted
from harness.waiting import eventually
from test_servers import certificate as certificate  # noqa: PLC0414

from async_downloads.client.http.transport import new_client

MIB = 1024 * 1024
PIECE = bytes(range(256)) * 256
PIECES = 40  # more than is held for a reader that does not read
WHOLE = head(f"Content-Length: {PIECES * len(PIECE)}")

Start = Callable[[Script], AbstractAsyncContextManager[Scripted]]


@pytest.fixture
def trusted(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """Trust in the servers of these tests."""
    return ssl.create_default_context(cafile=str(certificate[0]))


@pytest.fixture
async def client(trusted: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """A client that trusts them."""
    async with new_client(verify=trusted) as client:
        yield client


@pytest.fixture(params=["http", "https"])
def start(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Start:
    """Start such a server, for each of the schemes in turn."""
    return partial(scripted, certificate=certificate if request.param == "https" else None)


async def answers(connection: Connection) -> None:
    """Answer every request in full."""
    while True:
        await connection.request()
        await connection.send(WHOLE, *[PIECE] * PIECES)


async def in_chunks(connection: Connection) -> None:
    """Answer in chunks, without a length."""
    await connection.request()
    chunk = b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
    await connection.send(head("Transfer-Encoding: chunked"), *[chunk] * PIECES, b"0\r\n\r\n")
    await connection.left()


async def to_the_close(connection: Connection) -> None:
    """Answer without a length."""
    await connection.request()
    await connection.send(head("Connection: close"), *[PIECE] * PIECES)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answers, id="with a length"),
        pytest.param(in_chunks, id="in chunks"),
        pytest.param(to_the_close, id="until the connection ends"),
    ],
)
async def test_a_body_arrives_whole(script: Script, client: httpx.AsyncClient, start: Start) -> None:
    async with start(script) as server:
        assert (await client.get(server.url)).content == PIECE * PIECES


async def test_a_body_that_was_sent_is_answered(client: httpx.AsyncClient, start: Start) -> None:
    async def echoes(connection: Connection) -> None:
        await connection.request()
        await connection.send(head(f"Content-Length: {4 * MIB}"), await connection.reader.readexactly(4 * MIB))

    body = PIECE * (4 * MIB // len(PIECE))
    async with start(echoes) as server:
        assert (await client.post(server.url, content=body)).content == body


async def test_a_connection_is_used_again_after_a_body_was_read_to_its_end(
    client: httpx.AsyncClient, start: Start
) -> None:
    async with start(answers) as server:
        for _ in range(4):
            async with client.stream("GET", server.url) as response:
                assert sum([len(segment) async for segment in response.aiter_raw()]) == PIECES * len(PIECE)
        assert len(server.connections) == 1


async def test_a_connection_left_within_a_body_is_closed_at_once(client: httpx.AsyncClient, start: Start) -> None:
    async with start(answers) as server:
        async with client.stream("GET", server.url) as response:
            await anext(response.aiter_raw())
        await eventually(lambda: server.gone)
        assert (await client.get(server.url)).content == PIECE * PIECES
        assert len(server.connections) == 2


async def test_an_idle_connection_that_has_ended_is_not_used_again(client: httpx.AsyncClient, start: Start) -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Content-Length: 2"), b"ok")

    async with start(once) as server:
        for _ in range(3):
            response = await client.get(server.url)
            await eventually(partial(response.extensions["network_stream"].get_extra_info, "is_readable"))
        assert len(server.connections) == 3
        await client.aclose()  # over TLS the server waits for that


async def test_no_more_is_read_than_is_wanted(client: httpx.AsyncClient, start: Start) -> None:
    size, sent = 64 * MIB, 0
    stalled = asyncio.Event()

    async def watched(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        await connection.send(head(f"Content-Length: {size}"))
        while sent < size:
            connection.writer.write(PIECE)
            sent += len(PIECE)
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.writer.drain(), None if stalled.is_set() else 0.2)
                continue
            stalled.set()

    async with start(watched) as server, client.stream("GET", server.url) as response:
        await stalled.wait()
        assert sent < size / 2  # and most of that is in the kernel
        assert sum([len(segment) async for segment in response.aiter_raw()]) == size
