"""The time limits of connections, their greatest number, and their end."""

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest
from harness.clock import Clock
from harness.served import Server, http1
from harness.waiting import HANGING, eventually

from async_downloads.client_address import client_of
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.http1.server import ConnectionLimits
from async_downloads.server.http1.states import BODY_SECONDS, State
from server.http1.conftest import ServeHttp1, echo, hello
from server.http1.test_requests import GET, POST, statuses
from server.sending import body, head, length

LIMITS = ConnectionLimits(header_timeout=30, keep_alive=75, max_connections=4)
TICK = 1.5  # seconds: the server looks once a second


@pytest.fixture
async def server(serve_http1: ServeHttp1, clock: Clock) -> Server:
    """A server with few connections; it never reads a request's body."""
    return await serve_http1(hello, limits=LIMITS)


async def in_state(server: Server, state: State) -> None:
    """Wait until all connections of a server are in that state."""
    await eventually(lambda: server.connections and all(each._state is state for each in server.connections))


async def time_passes(server: Server, clock: Clock, seconds: float) -> None:
    """Put the clock forward, and wait until the server has looked at it."""
    assert server.http1
    before = server.http1.now
    clock.forward(seconds + TICK)
    await eventually(lambda: server.http1 and server.http1.now > before + seconds)


async def test_a_client_that_sends_nothing_is_closed_after_the_header_timeout(server: Server, clock: Clock) -> None:
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await in_state(server, State.IDLE)
        clock.forward(30 - TICK)
        await asyncio.sleep(0.01)
        assert not connection.reader.at_eof()
        clock.forward(2 * TICK)
        assert await connection.reader.read() == b""


async def test_a_head_that_comes_too_slowly_is_408(server: Server, clock: Clock) -> None:
    async with server.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(GET[:10])
        await in_state(server, State.HEAD)
        clock.forward(20)
        connection.writer.write(GET[10:20])  # this gives it no more time
        clock.forward(10 + TICK)
        assert statuses(await connection.reader.read()) == [408]


async def test_an_idle_connection_is_closed_after_the_keep_alive_time(server: Server, clock: Clock) -> None:
    async with server.connected() as connection:
        for _ in range(2):
            await connection.ask("/")
            assert (await connection.read_response())[2] == b"hello"
            clock.forward(75 - TICK)
        clock.forward(2 * TICK)
        assert await connection.reader.read() == b""


async def test_a_body_that_stops_is_408(serve_http1: ServeHttp1, clock: Clock) -> None:
    server = await serve_http1(echo, limits=LIMITS)
    async with server.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(POST + b"Content-Length: 5\r\n\r\nhe")
        await in_state(server, State.RUNNING)
        clock.forward(BODY_SECONDS + TICK)
        assert statuses(await connection.reader.read()) == [408]


async def test_a_client_that_waits_for_100_has_no_limit_until_the_app_asks_for_the_body(
    serve_http1: ServeHttp1, clock: Clock
) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await echo(scope, receive, send)

    server = await serve_http1(app, limits=LIMITS)
    async with server.connected() as connection:
        connection.writer.write(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        await in_state(server, State.RUNNING)
        for _ in range(2):
            await time_passes(server, clock, BODY_SECONDS)
        go_on.set()
        assert statuses(await connection.reader.readuntil(b"\r\n\r\n")) == [100]
        await time_passes(server, clock, BODY_SECONDS)
        assert statuses(await connection.reader.read()) == [408]


async def test_an_app_may_take_its_time_over_a_body(serve_http1: ServeHttp1, clock: Clock) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await echo(scope, receive, send)

    server = await serve_http1(app, limits=LIMITS)
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/", "Content-Length: 500000", method="POST")
        connection.writer.write(bytes(500_000))
        await eventually(lambda: any(not each.flow.reads for each in server.connections))
        await time_passes(server, clock, BODY_SECONDS)
        go_on.set()
        assert len((await connection.read_response())[2]) == 500_000


async def test_a_body_that_the_app_did_not_take_has_one_time_limit_for_all_of_it(server: Server, clock: Clock) -> None:
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/", "Content-Length: 5", method="POST")
        await connection.read_response()
        await in_state(server, State.DISCARDING)
        clock.forward(BODY_SECONDS - TICK)
        connection.writer.write(b"1")
        await asyncio.sleep(0.01)
        clock.forward(2 * TICK)
        assert await connection.reader.read() == b""


async def test_a_client_that_sends_on_after_it_was_refused_is_dropped(server: Server, clock: Clock) -> None:
    async with server.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(b"no request\r\n\r\n")
        assert statuses(await connection.reader.read()) == [400]
        await in_state(server, State.LINGERING)
        connection.writer.write(GET)
        clock.forward(2 + TICK)
        await eventually(lambda: not server.connections)


async def test_a_client_that_does_not_take_its_last_response_is_dropped(
    serve_http1: ServeHttp1, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers: list[Server] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head(length(2**24), (b"connection", b"close")))
        [connection] = servers[0].connections
        monkeypatch.setattr(connection, "pause_writing", lambda: None)  # as if the client had taken everything
        await send(body(bytes(2**24)))

    server = await serve_http1(app, limits=LIMITS)
    servers.append(server)
    async with server.connected() as connection:
        await connection.ask("/")
        await eventually(lambda: any(each.flow.transport.is_closing() for each in server.connections))
        await time_passes(server, clock, 30)
        assert server.connections
        clock.forward(30 + TICK)
        await eventually(lambda: not server.connections)


async def test_a_refusal_that_the_client_has_not_taken_is_not_thrown_away(server: Server, clock: Clock) -> None:
    async with server.connected() as connection:
        await in_state(server, State.IDLE)
        [held] = server.connections
        held.flow.transport.write(bytes(2**24))  # like bytes of an earlier response
        connection.writer.write(b"no request\r\n\r\n")
        await in_state(server, State.LINGERING)
        await time_passes(server, clock, 2)
        assert statuses((await connection.reader.read())[-1000:]) == [400]


async def test_the_connection_that_is_idle_for_longest_makes_room_for_a_new_one(server: Server) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(HANGING):
        connections = [await stack.enter_async_context(server.connected()) for _ in range(4)]
        for connection in connections:
            await connection.ask("/")
            await connection.read_response()
        await connections[0].ask("/")
        await connections[0].read_response()
        newest = await stack.enter_async_context(server.connected())
        await newest.ask("/")
        assert (await newest.read_response())[2] == b"hello"
        assert await connections[1].reader.read() == b""
        for connection in (connections[0], *connections[2:]):
            await connection.ask("/")
            assert (await connection.read_response())[2] == b"hello"


async def test_when_all_connections_are_busy_a_new_one_is_503(serve_http1: ServeHttp1) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await hello(scope, receive, send)

    server = await serve_http1(app, limits=LIMITS)
    async with AsyncExitStack() as stack, asyncio.timeout(HANGING):
        connections = [await stack.enter_async_context(server.connected()) for _ in range(4)]
        for connection in connections:
            await connection.ask("/")
        await in_state(server, State.RUNNING)
        assert statuses(await server.exchange(GET)) == [503]
        go_on.set()
        for connection in connections:
            assert (await connection.read_response())[2] == b"hello"


async def test_a_client_with_too_many_connections_gets_429_until_one_is_closed(serve_http1: ServeHttp1) -> None:
    server = await serve_http1(hello, limits=ConnectionLimits(max_connections_per_client=2))
    async with server.connected(), asyncio.timeout(HANGING):
        async with server.connected():
            await eventually(lambda: len(server.connections) == 2)
            assert statuses(await server.exchange(GET)) == [429]
        await eventually(lambda: len(server.connections) == 1)
        async with server.connected() as connection:
            await connection.ask("/")
            assert (await connection.read_response())[2] == b"hello"


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_client_is_an_address_or_an_ipv6_network(host: str, client: str) -> None:
    assert client_of((host, 5)) == client


def test_clients_of_a_unix_socket_are_not_counted() -> None:
    assert client_of(None) is None
    assert client_of(("/run/a:b", None)) is None


def test_a_client_may_have_any_name() -> None:
    """Another server may copy any text into the scope."""
    assert client_of(("not:an:address", 5)) == "not:an:address"


async def test_a_server_that_drains_closes_idle_connections_now_and_the_others_after_their_response(
    serve_http1: ServeHttp1,
) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await go_on.wait()
        await hello(scope, receive, send)

    server = await serve_http1(app)
    assert server.http1
    async with server.connected() as idle, server.connected() as busy, asyncio.timeout(HANGING):
        await idle.ask("/")
        await idle.read_response()
        await busy.ask("/slow")
        await eventually(lambda: any(each.cycle for each in server.connections))
        server.http1.drain()
        closing = asyncio.create_task(server.http1.close())
        assert await idle.reader.read() == b""
        assert not closing.done()
        go_on.set()
        _, fields, content = await busy.read_response()
        assert (fields["Connection"], content) == ("close", b"hello")
        assert await busy.reader.read() == b""
        await closing


async def test_a_server_that_ends_does_not_wait_for_an_app_that_does_not(clock: Clock) -> None:
    stubborn = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(2):
            try:
                await stubborn.wait()
            except asyncio.CancelledError:
                clock.forward(2)

    async with AsyncExitStack() as clients:
        async with http1(app) as server:
            connection = await clients.enter_async_context(server.connected())
            await connection.ask("/")
            await in_state(server, State.RUNNING)
        assert await connection.reader.read() == b""
    stubborn.set()


async def test_a_connection_whose_response_began_before_the_draining_is_closed_after_it(
    serve_http1: ServeHttp1,
) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head(length(5)))
        await send(body(b"he", more=True))
        await go_on.wait()
        await send(body(b"llo"))

    server = await serve_http1(app)
    async with server.downloading("/") as connection, asyncio.timeout(HANGING):
        assert server.http1
        server.http1.drain()
        go_on.set()
        assert await connection.reader.read() == b"hello"


async def test_a_server_that_ends_does_not_wait_for_a_body_that_nobody_wants(server: Server) -> None:
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/", "Content-Length: 1000", method="POST")
        await connection.read_response()
        await in_state(server, State.DISCARDING)
        assert server.http1
        server.http1.drain()
        await server.http1.close()
        assert await connection.reader.read() == b""


async def test_beyond_64_refused_clients_further_ones_are_closed_without_a_response(
    serve_http1: ServeHttp1,
) -> None:
    server = await serve_http1(echo, limits=ConnectionLimits(max_connections=1))
    async with AsyncExitStack() as clients, asyncio.timeout(HANGING):
        busy = await clients.enter_async_context(server.connected())
        await busy.ask("/", "Content-Length: 5", method="POST")
        await in_state(server, State.RUNNING)
        received = []
        for _ in range(66):
            refused = await clients.enter_async_context(server.connected())
            with suppress(ConnectionResetError):
                received.append(await refused.reader.read())
        assert [statuses(each) for each in received if each] == [[503]] * 64
        busy.writer.write(b"hello")
        assert (await busy.read_response())[2] == b"hello"
