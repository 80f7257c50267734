"""Requests that are refused before the app: each has its line in the access log."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from harness.served import Server, http1
from harness.waiting import HANGING, eventually

from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.access_log import AccessLog
from async_downloads.server.http1.server import ConnectionLimits, Http1Server
from server.http1.conftest import echo
from server.http1.test_requests import GET, POST, statuses


class _LoggedServer:
    """A server that accepts one connection at a time, and its log."""

    def __init__(self) -> None:
        self.written = io.StringIO()
        self.log = AccessLog("json", write=self.written.write)
        self.server: Server

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in self.written.getvalue().splitlines()]


@pytest.fixture
async def logged() -> AsyncIterator[_LoggedServer]:
    """A server with an access log."""
    logged = _LoggedServer()
    limits = ConnectionLimits(max_connections=1)
    async with http1(echo, limits=limits, observers=[logged.log]) as logged.server:
        yield logged


@pytest.mark.parametrize(
    ("data", "status", "request_line"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, ("GET", "/", "1.1"), id="no host"),
        pytest.param(b"GET /a HTTP/2.0\r\n\r\n", 505, ("GET", "/a", "2.0"), id="another version"),
        pytest.param(b"GET /a HTTP/3\r\n\r\n", 400, ("GET", "/a", "3"), id="no minor version"),
        pytest.param(b"BREW /a HTTP/1.1\r\nHost: a\r\n\r\n", 501, ("BREW", "/a", "1.1"), id="unknown method"),
        pytest.param(b'\x00"\xff\n', 400, ("-", '\x00"\\xff', "-"), id="no text"),
        pytest.param(b"\x16\x03\x01" + b"a" * 300, 400, ("-", "\x16\x03\x01" + "a" * 197, "-"), id="TLS"),
        pytest.param(b"GET /" + b"a" * 20_000, 414, ("-", "GET /" + "a" * 195, "-"), id="long target"),
        pytest.param(
            b"GET /b HTTP/1.1\r\nA: " + b"a" * 70_000, 431, ("GET", "/b", "1.1"), id="long fields"
        ),
    ],
)  # fmt: skip
async def test_a_refused_request_is_logged_on_one_bounded_line(
    logged: _LoggedServer, data: bytes, status: int, request_line: tuple[str, str, str]
) -> None:
    assert statuses(await logged.server.exchange(data)) == [status]
    [record] = logged.records
    assert (record["method"], record["target"], record["version"]) == request_line
    assert (record["status"], record["client"], record["aborted"]) == (status, "127.0.0.1", False)
    assert len(logged.written.getvalue()) < 2000


@pytest.mark.parametrize("begin", [b"", b"1\r\na\r\n"])
async def test_a_request_whose_body_is_invalid_is_logged_once(logged: _LoggedServer, begin: bytes) -> None:
    async with logged.server.connected() as connection, asyncio.timeout(HANGING):
        connection.writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n" + begin)
        if begin:
            await eventually(lambda: any(each.cycle for each in logged.server.connections))
        connection.writer.write(b"x\r\n")
        assert statuses(await connection.reader.read()) == [400]
    await eventually(lambda: logged.records)
    [record] = logged.records
    assert (record["method"], record["target"]) == ("POST", "/")


async def test_a_connection_that_is_refused_is_logged(logged: _LoggedServer) -> None:
    async with logged.server.connected() as busy, asyncio.timeout(HANGING):
        await busy.ask("/", "Content-Length: 5", "Expect: 100-continue", method="POST")
        await busy.reader.readuntil(b"\r\n\r\n")
        assert statuses(await logged.server.exchange(b"")) == [503]
        busy.writer.write(b"hello" + GET)
        assert (await busy.read_response())[2] == b"hello"
    assert [(each["method"], each["target"]) for each in logged.records if each["status"] == 503] == [("-", "-")]


async def test_the_request_of_a_refused_client_that_has_left_is_not_run(caplog: pytest.LogCaptureFixture) -> None:
    """The client closed while it waited to be accepted: after the refusal its request can still be read."""
    requests: list[str] = []

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        requests.append(scope["path"])
        await echo(scope, receive, send)

    server = Http1Server(counting, ConnectionLimits(max_connections=0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(GET)
        accepted, _ = listener.accept()
        accepted.setblocking(False)
    await asyncio.get_running_loop().connect_accepted_socket(server.connection, accepted)
    await eventually(lambda: not server._connections)
    await server.abort()
    assert (requests, caplog.messages) == ([], [])
