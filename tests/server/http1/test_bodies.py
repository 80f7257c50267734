"""Bodies of requests: their arrival, and bodies that the app does not take."""

import asyncio

import pytest
from harness.served import Server
from harness.waiting import HANGING, eventually

from async_downloads.sending import Receive, Scope, Send
from server.http1.conftest import ServeHttp1, content_of, hello
from server.http1.test_requests import GET, KIB, LAST, POST, statuses
from server.sending import body, head


async def test_a_client_that_waits_for_100_gets_it_when_the_app_wants_the_body(echoing: Server) -> None:
    async with echoing.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/", "Content-Length: 5", "Expect: 100-continue", "Connection: close", method="POST")
        assert await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.writer.write(b"hello")
        assert (await connection.read_response())[2] == b"hello"


async def test_a_client_that_sends_without_waiting_gets_no_100(echoing: Server) -> None:
    received = await echoing.exchange(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello" + LAST)
    assert statuses(received) == [200, 200]


async def test_an_empty_body_that_has_come_with_its_head_is_not_asked_for(echoing: Server) -> None:
    chunked = b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n"
    assert statuses(await echoing.exchange(POST + chunked + LAST)) == [200, 200]


async def test_a_client_whose_body_is_not_wanted_gets_no_100_and_the_connection_is_closed(greeting: Server) -> None:
    received = await greeting.exchange(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert statuses(received) == [200]
    assert b"Connection: close" in received


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_large_body_arrives_at_the_pace_of_the_app(echoing: Server, content: bytes, framing: str) -> None:
    fields = {"length": b"Content-Length: %d" % len(content), "chunked": b"Transfer-Encoding: chunked"}[framing]
    data = content if framing == "length" else b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    received = await echoing.exchange(POST + b"Connection: close\r\n" + fields + b"\r\n\r\n" + data)
    assert received.partition(b"\r\n\r\n")[2] == content


async def test_a_body_that_the_app_does_not_take_is_not_read_without_end(serve_http1: ServeHttp1) -> None:
    go_on, got = asyncio.Event(), bytearray()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        got.extend(await content_of(receive))
        await hello(scope, receive, send)

    server = await serve_http1(app)
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/", f"Content-Length: {8 * KIB * KIB}", "Connection: close", method="POST")
        connection.writer.write(bytes(8 * KIB * KIB))
        await eventually(lambda: any(not each.flow.reads for each in server.connections))
        [held] = server.connections
        assert held.cycle
        assert held.cycle.content_bytes < 512 * KIB
        go_on.set()
        assert (await connection.read_response())[2] == b"hello"
    assert len(got) == 8 * KIB * KIB


async def test_the_rest_of_a_short_body_is_thrown_away_and_the_connection_goes_on(greeting: Server) -> None:
    async with greeting.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/", "Content-Length: 100000", method="POST")
        assert (await connection.read_response())[1]["Connection"] is None
        connection.writer.write(bytes(100_000) + LAST)
        assert (await connection.read_response())[2] == b"hello"


@pytest.mark.parametrize("framing", [b"Content-Length: 4000000", b"Transfer-Encoding: chunked"])
async def test_the_response_to_a_long_body_is_not_lost_when_the_connection_is_closed(
    greeting: Server, framing: bytes
) -> None:
    async with greeting.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(POST + framing + b"\r\n\r\n")
        status, fields, content = await connection.read_response()
        assert (status, fields["Connection"], content) == (200, "close", b"hello")
        connection.writer.write(b"1" * 1_000_000)
        await connection.writer.drain()
        assert await connection.reader.read() == b""


async def test_a_chunked_body_that_is_none_is_refused(echoing: Server) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    for bad in (b"x\r\n", b"1\r\nab\r\n0\r\n\r\n", b"1\nb\n0\n\n\r\n"):
        assert statuses(await echoing.exchange(chunked + bad + GET)) == [400]
    async with echoing.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(chunked)
        await eventually(lambda: any(each.cycle for each in echoing.connections))
        connection.writer.write(b"x\r\n")
        assert statuses(await connection.reader.read()) == [400]


async def test_a_body_that_breaks_after_the_response_ends_the_connection(serve_http1: ServeHttp1) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head())
        await send(body(b"a", more=True))
        await content_of(receive)
        await send(body())

    server = await serve_http1(app)
    async with server.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        await connection.reader.readuntil(b"1\r\na\r\n")
        connection.writer.write(b"x\r\n")
        assert await connection.reader.read() == b""


async def test_an_invalid_chunk_after_the_response_closes_the_connection_without_a_second_response(
    serve_http1: ServeHttp1,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await hello(scope, receive, send)

    server = await serve_http1(app)
    async with server.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        assert (await connection.read_response())[2] == b"hello"
        connection.writer.write(b"x\r\n")
        assert await connection.reader.read() == b""
