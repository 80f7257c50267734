"""Clients that leave, shut their side, or take nothing."""

import asyncio

import pytest
from harness.clock import Clock
from harness.served import Server
from harness.waiting import HANGING, eventually

from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.http1.connection import Connection
from server.http1.conftest import ServeHttp1, content_of
from server.http1.test_requests import GET, KIB, POST, statuses
from server.sending import body, head, length


@pytest.mark.parametrize("count", [1, 5])
async def test_a_client_that_has_shut_its_side_gets_all_responses(echoing: Server, count: int) -> None:
    received = await echoing.exchange(GET * count, eof=True)
    assert statuses(received) == [200] * count


async def test_a_client_that_shuts_its_side_within_a_head_or_a_body_gets_nothing(greeting: Server) -> None:
    assert await greeting.exchange(GET[:-2], eof=True) == b""
    assert await greeting.exchange(b"", eof=True) == b""


async def test_a_client_that_shuts_its_side_in_the_middle_of_a_response_gets_the_rest(serve_http1: ServeHttp1) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(head(length(4)))
        await send(body(b"ab", more=True))
        await go_on.wait()
        await send(body(b"cd"))

    server = await serve_http1(app)
    async with server.downloading("/") as connection, asyncio.timeout(HANGING):
        connection.writer.write_eof()
        await eventually(lambda: all(each.at_eof for each in server.connections))
        go_on.set()
        assert await connection.reader.read() == b"abcd"


async def test_an_app_that_listens_has_time_for_a_client_that_has_shut_its_side(serve_http1: ServeHttp1) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await eventually(lambda: all(each.at_eof for each in server.connections))
        content = await content_of(receive)
        async with asyncio.TaskGroup() as tasks:  # as Quart handles a request
            responding = tasks.create_task(respond(content, send))
            assert (await receive())["type"] == "http.disconnect"
            responding.cancel()

    async def respond(content: bytes, send: Send) -> None:
        await asyncio.sleep(0)
        await send(head(length(len(content))))
        await send(body(content))

    server = await serve_http1(app)
    request = POST + b"Content-Length: 5\r\n\r\nhello"
    received = await server.exchange(request * 2, eof=True)
    assert statuses(received) == [200, 200]
    assert received.endswith(b"hello")


@pytest.mark.parametrize("leave", ["abort", "write_eof"])
async def test_an_app_that_listens_is_told_that_the_client_may_have_left(
    serve_http1: ServeHttp1, clock: Clock, leave: str
) -> None:
    client_left = asyncio.Event()
    kinds: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kinds.extend([(await receive())["type"], (await receive())["type"]])
        client_left.set()

    server = await serve_http1(app)
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/")
        await eventually(lambda: any(each.cycle for each in server.connections))
        getattr(connection.writer.transport, leave)()
        await eventually(lambda: all(each.cycle and each.cycle._doubt for each in server.connections))
        clock.forward(2)
        await client_left.wait()
    assert kinds == ["http.request", "http.disconnect"]


async def test_a_response_that_sends_nothing_more_ends_when_the_client_has_left(
    serve_http1: ServeHttp1, clock: Clock
) -> None:
    go_on, client_left = asyncio.Event(), asyncio.Event()

    async def events(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head())
        await send(body(b"first ", more=True))
        await receive()
        waiting = asyncio.ensure_future(receive())
        await go_on.wait()
        await send(body(b"second", more=True))
        assert (await waiting)["type"] == "http.disconnect"
        client_left.set()

    server = await serve_http1(events)
    async with server.connected() as connection:
        await connection.ask("/")
        connection.writer.write_eof()
        await eventually(lambda: any(each.cycle and each.cycle._doubt for each in server.connections))
        go_on.set()
        await connection.reader.readuntil(b"second")
        clock.forward(60)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        clock.forward(55)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not client_left.is_set()
        clock.forward(5)
        await eventually(client_left.is_set)


async def test_a_client_that_has_shut_its_side_may_read_slowly(serve_http1: ServeHttp1, clock: Clock) -> None:
    content = bytes(16 * KIB * KIB)
    kinds: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def watch() -> None:
            while kinds[-1:] != ["http.disconnect"]:
                kinds.append((await receive())["type"])

        watching = asyncio.create_task(watch())
        await send(head(length(len(content))))
        await send(body(content, more=True))
        watching.cancel()
        await send(body(b""))

    server = await serve_http1(app)
    async with server.downloading("/") as connection:
        connection.writer.write_eof()
        await eventually(lambda: any(each.cycle and each.cycle._doubt for each in server.connections))
        [cycle] = [each.cycle for each in server.connections if each.cycle]
        for _ in range(3):
            await connection.reader.readexactly(4 * KIB * KIB)
            clock.forward(60)
            await eventually(
                lambda: all(
                    each.cycle and each.cycle._doubt and each.cycle._doubt.when() > clock.time()
                    for each in server.connections
                )
            )
        assert len(await connection.reader.read()) == 4 * KIB * KIB
    assert kinds == ["http.request"]
    await eventually(lambda: cycle._doubt is not None and cycle._doubt.cancelled())


async def test_an_app_that_sends_on_is_told_by_an_error(serve_http1: ServeHttp1) -> None:
    raised: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head())
        try:
            while True:
                await send(body(bytes(64 * KIB), more=True))
        except OSError as error:
            raised.append(error)
            raise

    server = await serve_http1(app)
    async with server.downloading("/"):
        pass
    await eventually(lambda: raised)
    assert isinstance(raised[0], ConnectionError)


async def test_a_client_that_reads_nothing_makes_send_wait(serve_http1: ServeHttp1) -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(head())
        while True:
            await send(body(bytes(16 * KIB), more=True))
            sent += 16 * KIB

    server = await serve_http1(app)
    async with server.connected() as connection:
        await connection.ask("/")
        await eventually(lambda: any(each.flow.paused for each in server.connections))
        [held] = server.connections
        assert held.flow.transport.get_write_buffer_size() < 64 * KIB
        assert sent < 16 * KIB * KIB


async def test_a_server_knows_no_connection_any_more_when_all_have_left(greeting: Server) -> None:
    assert greeting.http1
    async with greeting.connected(), greeting.connected():
        await eventually(lambda: len(greeting.connections) == 2)
        assert {type(each) for each in greeting.http1._idle} == {Connection}
    await eventually(lambda: not greeting.connections)
    assert not greeting.http1._idle
