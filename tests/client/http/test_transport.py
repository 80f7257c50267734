"""The fast transport behaves as httpx documents it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

import httpx
import pytest
from harness.scripted import Connection, Script, Scripted, head
from harness.waiting import eventually

MIB = 1024 * 1024
CHUNK = bytes(range(256)) * 256
CHUNKS = 40  # more than the buffers hold for a reader that does not read
HEAD = head(f"Content-Length: {CHUNKS * len(CHUNK)}")

Start = Callable[[Script], AbstractAsyncContextManager[Scripted]]


async def responds(connection: Connection) -> None:
    """Respond to every request in full."""
    while True:
        await connection.request()
        await connection.send(HEAD, *[CHUNK] * CHUNKS)


async def in_chunks(connection: Connection) -> None:
    """Respond in the chunked coding."""
    await connection.request()
    chunk = b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK)
    await connection.send(head("Transfer-Encoding: chunked"), *[chunk] * CHUNKS, b"0\r\n\r\n")
    await connection.left()


async def to_the_close(connection: Connection) -> None:
    """Respond without a length."""
    await connection.request()
    await connection.send(head("Connection: close"), *[CHUNK] * CHUNKS)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(responds, id="with a length"),
        pytest.param(in_chunks, id="in chunks"),
        pytest.param(to_the_close, id="until the connection ends"),
    ],
)
async def test_a_body_arrives_complete(script: Script, client: httpx.AsyncClient, start: Start) -> None:
    async with start(script) as server:
        assert (await client.get(server.url)).content == CHUNK * CHUNKS


async def test_a_request_body_reaches_the_server(client: httpx.AsyncClient, start: Start) -> None:
    async def echoes(connection: Connection) -> None:
        await connection.request()
        await connection.send(head(f"Content-Length: {4 * MIB}"), await connection.reader.readexactly(4 * MIB))

    body = CHUNK * (4 * MIB // len(CHUNK))
    async with start(echoes) as server:
        assert (await client.post(server.url, content=body)).content == body


async def test_a_connection_is_reused_after_its_body_was_read_to_the_end(
    client: httpx.AsyncClient, start: Start
) -> None:
    async with start(responds) as server:
        for _ in range(4):
            async with client.stream("GET", server.url) as response:
                assert sum([len(segment) async for segment in response.aiter_raw()]) == CHUNKS * len(CHUNK)
        assert len(server.connections) == 1


async def test_a_connection_is_closed_if_the_reader_leaves_within_a_body(
    client: httpx.AsyncClient, start: Start
) -> None:
    async with start(responds) as server:
        async with client.stream("GET", server.url) as response:
            await anext(response.aiter_raw())
        await eventually(lambda: server.gone)
        assert (await client.get(server.url)).content == CHUNK * CHUNKS
        assert len(server.connections) == 2


async def test_an_idle_connection_that_the_server_closed_is_not_reused(client: httpx.AsyncClient, start: Start) -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Content-Length: 2"), b"ok")

    async with start(once) as server:
        for _ in range(3):
            response = await client.get(server.url)
            await eventually(partial(response.extensions["network_stream"].get_extra_info, "is_readable"))
        assert len(server.connections) == 3
        await client.aclose()  # over TLS the server waits until the client closes


async def test_a_paused_reader_stops_the_server(client: httpx.AsyncClient, start: Start) -> None:
    size, sent = 64 * MIB, 0
    stalled = asyncio.Event()

    async def watched(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        await connection.send(head(f"Content-Length: {size}"))
        while sent < size:
            connection.writer.write(CHUNK)
            sent += len(CHUNK)
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.writer.drain(), None if stalled.is_set() else 0.2)
                continue
            stalled.set()

    async with start(watched) as server, client.stream("GET", server.url) as response:
        await stalled.wait()
        assert sent < size / 2  # most of it is in the kernel's buffers
        assert sum([len(segment) async for segment in response.aiter_raw()]) == size
