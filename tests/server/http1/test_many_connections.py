"""Thousands of connections or chunks at once: none of them may stop the others for long."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from harness.clock import Clock
from harness.served import Connection, Server
from harness.waiting import HANGING, eventually

from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.http1.server import ConnectionLimits
from async_downloads.server.http1.states import FLUSH_SECONDS, State
from server.http1.conftest import ServeHttp1, hello
from server.http1.test_limits import TICK, in_state, time_passes
from server.http1.test_requests import GET, POST, statuses
from server.sending import body, head, length


async def connect(stack: AsyncExitStack, server: Server, count: int) -> list[Connection]:
    """Open connections, and wait until the server has them all."""
    connections = [await stack.enter_async_context(server.connected()) for _ in range(count)]
    await eventually(lambda: len(server.connections) == count)
    return connections


@pytest.mark.parametrize("end", ["time out", "drain"])
async def test_connections_are_ended_in_several_turns_of_the_loop(greeting: Server, clock: Clock, end: str) -> None:
    assert greeting.http1
    async with AsyncExitStack() as stack, asyncio.timeout(HANGING):
        connections = await connect(stack, greeting, 200)
        if end == "drain":
            greeting.http1.drain()
        else:
            clock.forward(30 + TICK)
        seen = set()
        while greeting.connections:
            seen.add(len(greeting.connections))
            await asyncio.sleep(0)
        assert seen == {200, 136, 72, 8}
        assert [await each.reader.read() for each in connections] == [b""] * 200


async def test_at_most_64_connections_beyond_the_limit_keep_what_their_clients_do_not_read(
    serve_http1: ServeHttp1,
) -> None:
    server = await serve_http1(hello, limits=ConnectionLimits(max_connections=1))
    async with AsyncExitStack() as stack, asyncio.timeout(HANGING):
        for _ in range(80):
            await stack.enter_async_context(server.connected())
            await eventually(lambda: server.http1 and server.http1._idle)
            for each in server.connections:
                if not each.flow.transport.is_closing():
                    each.flow.transport.write(bytes(2**20))  # as if it were of a response
        await eventually(lambda: len(server.connections) == 1 + 64)


async def test_a_client_that_shuts_its_side_still_gets_a_refusal_that_it_reads_slowly(
    greeting: Server, clock: Clock
) -> None:
    async with greeting.connected() as connection, asyncio.timeout(HANGING):
        await in_state(greeting, State.IDLE)
        [held] = greeting.connections
        held.flow.transport.write(bytes(2**24))  # as if it were of a response before
        connection.writer.write(b"no request\r\n\r\n")
        await in_state(greeting, State.LINGERING)
        connection.writer.write_eof()
        await eventually(lambda: held.at_eof)
        await time_passes(greeting, clock, FLUSH_SECONDS / 2)
        assert statuses((await connection.reader.read())[-1000:]) == [400]


async def test_thousands_of_chunks_in_one_read_leave_other_tasks_their_turn(serve_http1: ServeHttp1) -> None:
    pieces: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            pieces.append(len(message["body"]))
            more = message["more_body"]
        await send(head(length(0)))
        await send(body(b""))

    server = await serve_http1(app)
    chunked = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + b"1\r\nx\r\n" * 50_000
    assert statuses(await server.exchange(chunked + b"0\r\n\r\n")) == [200]
    assert sum(pieces) == 50_000
    assert max(pieces) < 10_000


async def test_a_request_behind_thousands_of_chunks_is_responded_to(echoing: Server) -> None:
    chunks = b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    first = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    last = POST + b"Connection: close\r\nContent-Length: 1\r\n\r\ny"
    async with echoing.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(first + last)
        assert (await connection.read_response())[2] == b"x" * 20_000
        assert (await connection.read_response())[2] == b"y"


async def test_a_wrong_chunk_behind_thousands_is_400(echoing: Server) -> None:
    wrong = b"1\r\nx\r\n" * 20_000 + b"no size\r\n"
    received = await echoing.exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n" + wrong)
    assert statuses(received) == [400]


async def test_a_body_that_the_client_cuts_is_400(serve_http1: ServeHttp1) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    server = await serve_http1(app)
    received = await server.exchange(POST + b"Content-Length: 5\r\n\r\nhe", eof=True)
    assert statuses(received) == [400]


async def test_a_connection_that_is_made_while_the_server_closes_does_not_hold_it_up(serve_http1: ServeHttp1) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await hello(scope, receive, send)

    server = await serve_http1(app)
    async with server.connected() as busy, asyncio.timeout(HANGING):
        await busy.ask("/")
        await in_state(server, State.RUNNING)
        assert server.http1
        closing = asyncio.create_task(server.http1.close())
        await asyncio.sleep(0)
        assert statuses(await server.exchange(b"GET")) == [503]
        go_on.set()
        assert (await busy.read_response())[2] == b"hello"
        server.http1.drain()
        await closing


async def test_a_request_that_came_before_the_draining_is_responded_to(greeting: Server) -> None:
    assert greeting.http1
    async with greeting.connected() as idle, greeting.connected() as asking, asyncio.timeout(HANGING):
        await in_state(greeting, State.IDLE)
        await eventually(lambda: len(greeting.connections) == 2)
        asking.writer.write(GET)  # it is in the server's socket now, and not read yet
        greeting.http1.drain()
        closing = asyncio.create_task(greeting.http1.close())
        _, fields, content = await asking.read_response()
        assert (fields["Connection"], content) == ("close", b"hello")
        assert await idle.reader.read() == b""
        await closing
