"""Hypercorn's HTTP/1.1 with our classes: heads, bodies and the end of a connection, as a client sees them."""

import asyncio
import socket
import struct
from pathlib import Path

import h11
import pytest
from conftest import Serve
from harness.process import other_tasks
from harness.served import Connection
from harness.waiting import eventually
from hypercorn.config import Config
from test_servers import certificate as certificate  # noqa: PLC0414

from async_downloads.asgi import Downloads
from async_downloads.sending import Receive, Scope, Send
from async_downloads.sources.directory import DirectoryStore
from server.sending import app_that, body, head, length, unchunked

MIB = 1024 * 1024
_DATA_SEGMENTS_IN = 152  # where Linux has that in its `tcp_info`

pytestmark = pytest.mark.usefixtures("_fast")


def segments_of(connection: Connection) -> int:
    """Return how many TCP segments with data a client has received."""
    sock = connection.writer.get_extra_info("socket")
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("I", info, _DATA_SEGMENTS_IN)[0])


@pytest.mark.parametrize("name", ["small.txt", "nothing"])
async def test_a_small_response_is_one_tcp_segment(serve: Serve, tmp_path: Path, name: str) -> None:
    (tmp_path / "small.txt").write_bytes(b"small")
    server = await serve(Downloads(DirectoryStore(tmp_path)))
    async with server.connected() as connection:
        for number in range(1, 4):
            await connection.ask(f"/{name}")
            await connection.answer()
            assert segments_of(connection) == number


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_head_without_a_body_is_sent_alone(serve: Serve, tmp_path: Path, method: str) -> None:
    (tmp_path / "empty").touch()
    server = await serve(Downloads(DirectoryStore(tmp_path)))
    async with server.connected() as connection:
        for _ in range(2):
            await connection.ask("/empty", method=method)
            assert (await connection.head())[0] == 200


async def test_a_head_waits_for_the_body_and_later_parts_do_not_wait(serve: Serve) -> None:
    asked, taken = asyncio.Event(), asyncio.Event()

    async def answer(receive: Receive, send: Send) -> None:
        await send(head(length(10)))
        asked.set()
        await send(body(b"first", more=True))
        await taken.wait()
        await send(body(b"later"))

    server = await serve(app_that(answer))
    async with server.connected() as connection:
        await connection.ask("/")
        await asked.wait()
        await connection.head()
        assert await connection.reader.readexactly(5) == b"first"
        taken.set()
        assert await connection.reader.readexactly(5) == b"later"


async def test_if_an_app_returns_before_the_body_the_head_is_still_sent(serve: Serve) -> None:
    async def answer(receive: Receive, send: Send) -> None:
        await send(head(length(5), status=201))

    server = await serve(app_that(answer))
    async with server.connected() as connection:
        await connection.ask("/")
        assert (await connection.head())[0] == 201
        assert await connection.reader.read() == b""


async def test_an_app_that_sends_nothing_causes_500(serve: Serve) -> None:
    async def answer(receive: Receive, send: Send) -> None:
        pass

    server = await serve(app_that(answer))
    async with server.connected() as connection:
        await connection.ask("/")
        assert (await connection.answer())[0] == 500
        assert await connection.reader.read() == b""


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\nHost: a\r\nno field\r\n\r\n", b"\x16\x03\x01\r\n\r\n"])
async def test_an_invalid_request_gets_400_and_the_connection_closes(
    serve: Serve, tmp_path: Path, garbage: bytes
) -> None:
    server = await serve(Downloads(DirectoryStore(tmp_path)))
    async with server.connected() as connection:
        connection.writer.write(garbage)
        assert (await connection.answer())[0] == 400
        assert await connection.reader.read() == b""


async def test_a_client_that_expects_100_gets_it(serve: Serve) -> None:
    async def answer(receive: Receive, send: Send) -> None:
        received = await receive()
        await send(head(length(5)))
        await send(body(received["body"]))

    server = await serve(app_that(answer))
    async with server.connected() as connection:
        await connection.ask("/", "Expect: 100-continue", "Content-Length: 5", method="POST")
        assert (await connection.head())[0] == 100
        connection.writer.write(b"12345")
        status, _, echoed = await connection.answer()
    assert (status, echoed) == (200, b"12345")


async def test_an_invalid_chunk_during_a_download_is_not_an_error_of_the_server(serve: Serve, large: Path) -> None:
    server = await serve(Downloads(DirectoryStore(large.parent)))
    async with server.connected() as connection:
        await connection.ask("/large.bin", "Transfer-Encoding: chunked")
        await connection.head()
        connection.writer.write(b"no chunk\r\n")
        assert len(await connection.reader.read()) < 4 * MIB
    await eventually(lambda: "_handle" not in _running())


async def test_an_invalid_chunk_before_the_response_gets_400_whatever_the_app_sends(serve: Serve) -> None:
    answered = asyncio.Event()

    async def answer(receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await send(head(length(5)))
        await send(body(b"12345"))
        answered.set()

    server = await serve(app_that(answer))
    async with server.connected() as connection:
        await connection.ask("/", "Transfer-Encoding: chunked", method="POST")
        connection.writer.write(b"no chunk\r\n")
        assert (await connection.answer())[0] == 400
        assert await connection.reader.read() == b""
        await answered.wait()


async def test_bytes_beyond_content_length_are_refused_and_not_sent(serve: Serve) -> None:
    refused: list[BaseException] = []

    async def answer(receive: Receive, send: Send) -> None:
        await send(head(length(5)))
        try:
            await send(body(b"123456"))
        except h11.LocalProtocolError as error:
            refused.append(error)

    server = await serve(app_that(answer))
    async with server.connected() as connection:
        await connection.ask("/")
        assert (await connection.head())[0] == 200
        assert await connection.reader.read() == b""
    assert "Too much data" in str(refused)


@pytest.mark.parametrize("pair", [tuple, list])
async def test_a_cached_head_is_framed_for_each_request(serve: Serve, pair: type) -> None:
    async def answer(receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [pair((b"x-own", b"1"))]})
        await send(body(b"hello"))

    server = await serve(app_that(answer))
    for _ in range(2):
        async with server.connected() as connection:
            await connection.ask("/")
            status, fields = await connection.head()
            assert (status, fields["X-Own"], fields["Transfer-Encoding"]) == (200, "1", "chunked")
            assert await unchunked(connection) == b"hello"
            connection.writer.write(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            status, fields = await connection.head()
            assert (status, fields["X-Own"], fields["Connection"]) == (200, "1", "close")
            assert "Transfer-Encoding" not in fields
            assert await connection.reader.read() == b"hello"


async def test_a_connection_closes_after_its_maximum_of_requests(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Config, "keep_alive_max_requests", 3)
    server = await serve(app_that(_hello))
    async with server.connected() as connection:
        for number in range(3):
            await connection.ask("/")
            _, fields, text = await connection.answer()
            assert (text, fields["Connection"]) == (b"hello", None if number < 2 else "close")
        assert await connection.reader.read() == b""


async def _hello(receive: Receive, send: Send) -> None:
    await send(head(length(5)))
    await send(body(b"hello"))


def _running() -> set[str]:
    """Return the names of the coroutines that this loop's tasks run."""
    return {task.get_coro().__qualname__ for task in other_tasks()}  # type: ignore[union-attr]


async def test_websockets_work_as_in_plain_hypercorn(serve: Serve) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        await send({"type": "websocket.close", "code": 1000})

    server = await serve(app)
    async with server.connected() as connection:
        key = ("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13")
        await connection.ask("/", "Connection: Upgrade", "Upgrade: websocket", *key)
        assert (await connection.head())[0] == 101
        assert await connection.reader.readexactly(11) == b"\x81\x05hello\x88\x02\x03\xe8"
