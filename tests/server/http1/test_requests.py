"""Requests on one connection: their order, their bodies, and what keeps or closes the connection."""

import asyncio
import re

import pytest
from harness.served import Server
from harness.waiting import HANGING, eventually

from async_downloads.sending import Receive, Scope, Send
from server.http1.conftest import ServeHttp1, hello
from server.http1.test_request_head import REFUSED

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
KIB = 1024


def statuses(received: bytes) -> list[int]:
    """Return the status of each response in what was received."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d\d\d) ", received)]


async def test_a_response_has_its_fields_in_one_packet_with_its_body(greeting: Server) -> None:
    received = await greeting.exchange(LAST)
    date = rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n"
    expected = rb"HTTP/1\.1 200 OK\r\nContent-Length: 5\r\n" + date + rb"Connection: close\r\n\r\nhello"
    assert re.fullmatch(expected, received)


async def test_the_scope_says_what_was_asked_for(serve_http1: ServeHttp1) -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await hello(scope, receive, send)

    server = await serve_http1(app)
    async with server.connected() as connection:
        await connection.ask("http://b:80/a%C3%A9%2F?q=%20", "X-A: b", "Connection: close")
        await connection.read_response()
        client = connection.writer.get_extra_info("sockname")
    [scope] = scopes
    assert (scope["method"], scope["http_version"], scope["scheme"]) == ("GET", "1.1", "http")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/aé/", b"/a%C3%A9%2F", b"q=%20")
    assert scope["headers"] == [(b"host", b"b:80"), (b"x-a", b"b"), (b"connection", b"close")]
    assert (scope["client"], scope["server"]) == (client, ("127.0.0.1", server.port))


async def test_requests_sent_together_get_their_responses_in_order(echoing: Server) -> None:
    requests = b"".join(POST + b"Content-Length: 3\r\n\r\n%03d" % number for number in range(200))
    received = await echoing.exchange(requests + LAST)
    assert statuses(received) == [200] * 201
    assert [int(each) for each in re.findall(rb"\r\n\r\n(\d{3})", received)] == list(range(200))


async def test_chunked_requests_sent_together_get_their_responses_in_order(echoing: Server) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\n%d\r\n1\r\n!\r\n0\r\nTrailer: a\r\n\r\n"
    received = await echoing.exchange(b"".join(chunked % number for number in range(5)) + LAST)
    assert re.findall(rb"\r\n\r\n(\d!)", received) == [b"0!", b"1!", b"2!", b"3!", b"4!"]
    assert statuses(received) == [200] * 6


@pytest.mark.parametrize("step", [1, 7])
async def test_requests_may_come_in_pieces(echoing: Server, step: int) -> None:
    data = GET + POST + b"Content-Length: 5\r\n\r\nhello" + POST + b"Transfer-Encoding: chunked\r\n\r\n"
    data += b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" + LAST
    async with echoing.connected() as connection, asyncio.timeout(HANGING):
        for start in range(0, len(data), step):
            connection.writer.write(data[start : start + step])
            await asyncio.sleep(0)
        received = await connection.reader.read()
    assert (statuses(received), received.count(b"\r\n\r\nhello")) == ([200] * 4, 2)


async def test_what_is_pipelined_while_a_request_runs_is_not_read_without_end(serve_http1: ServeHttp1) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await hello(scope, receive, send)

    server = await serve_http1(app)
    async with server.connected() as connection:
        connection.writer.write(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * KIB) * 2000 + LAST)
        await eventually(lambda: any(not each.flow.reads for each in server.connections))
        [held] = server.connections
        assert len(held._input.waiting) < 512 * KIB
        go_on.set()
        async with asyncio.timeout(HANGING):
            received = await connection.reader.read()
    assert received.count(b"hello") == 2001


async def test_an_empty_line_before_a_request_is_ignored(greeting: Server) -> None:
    assert statuses(await greeting.exchange(b"\r\n" + GET + b"\r\n" + LAST)) == [200, 200]


@pytest.mark.parametrize(
    ("request_", "connection"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"close"),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"keep-alive"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"close"),
        (GET, None),
    ],
)
async def test_whether_the_connection_is_kept_is_said(
    greeting: Server, request_: bytes, connection: bytes | None
) -> None:
    received = await greeting.exchange(request_ if connection == b"close" else request_ + LAST)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    first = received.partition(b"\r\n\r\n")[0]
    assert re.findall(rb"Connection: (.+)", first) == ([connection] if connection else [])
    assert len(statuses(received)) == (1 if connection == b"close" else 2)


async def test_head_has_the_fields_alone(greeting: Server) -> None:
    received = await greeting.exchange(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + LAST)
    first, _, second = received.partition(b"\r\n\r\n")
    assert b"Content-Length: 5" in first
    assert second.startswith(b"HTTP/1.1 200 OK")


async def test_an_upgrade_is_ignored(greeting: Server) -> None:
    fields = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    received = await greeting.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + LAST)
    assert statuses(received) == [200, 200]


@pytest.mark.parametrize(("request_", "status"), REFUSED)
async def test_what_is_no_request_is_refused_and_nothing_behind_it_is_read(
    greeting: Server, request_: bytes, status: int
) -> None:
    received = await greeting.exchange(request_ + b"0\r\n\r\n" + GET)
    assert statuses(received) == [status]
    assert b"\r\nConnection: close\r\n" in received


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", id="bare LF"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\nC", id="a bare LF in a field"),
        pytest.param(b"\r\n\r\nGET ", id="two empty lines"),
    ],
)
async def test_what_cannot_become_a_request_is_refused_at_once(greeting: Server, data: bytes) -> None:
    assert statuses(await greeting.exchange(data)) == [400]


async def test_a_head_without_an_end_is_refused_when_it_is_too_long(greeting: Server) -> None:
    assert statuses(await greeting.exchange(b"GET /" + b"a" * 17 * KIB)) == [414]
    long = b"GET / HTTP/1.1\r\n" + b"A: %s\r\n" % (b"b" * 1000) * 66
    assert statuses(await greeting.exchange(long)) == [431]


@pytest.mark.parametrize("preface", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100)])
async def test_http_2_is_not_spoken_without_tls(greeting: Server, preface: bytes) -> None:
    assert statuses(await greeting.exchange(preface)) == [505]


async def test_an_empty_line_before_a_request_may_come_in_pieces(echoing: Server) -> None:
    async with echoing.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(b"\r")
        await eventually(lambda: any(each._input.in_head for each in echoing.connections))
        connection.writer.write(b"\n" + LAST)
        assert statuses(await connection.reader.read()) == [200]


async def test_an_app_that_changes_its_fields_does_not_change_the_next_request(serve_http1: ServeHttp1) -> None:
    seen: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(list(scope["headers"]))
        scope["headers"].append((b"x-added", b"1"))
        await hello(scope, receive, send)

    server = await serve_http1(app)
    async with server.connected() as connection:
        for _ in range(2):
            await connection.ask("/")
            await connection.read_response()
    assert seen == [seen[0]] * 2


@pytest.mark.parametrize("waits", [False, True])
async def test_no_task_is_left_of_a_request(serve_http1: ServeHttp1, waits: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if waits:
            await asyncio.sleep(0)
        await hello(scope, receive, send)

    server = await serve_http1(app)
    tasks = asyncio.all_tasks()
    async with server.connected() as connection:
        await connection.ask("/")
        await connection.read_response()
        await eventually(lambda: asyncio.all_tasks() <= tasks)
