"""Downloads of a plain Quart view on a real Hypercorn, with and without `init_app`."""

import asyncio
import inspect
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, cast

import pytest
from harness.asgi import App
from harness.clock import Clock
from harness.process import descriptors, other_tasks
from harness.served import Connection, Server, hypercorn
from harness.waiting import HANGING, eventually
from quart import Quart, Response
from quart.asgi import ASGIHTTPConnection

from async_downloads import send_file
from async_downloads.errors import DownloadError, SourceChanged
from async_downloads.quart import DownloadConnection
from quart_api.apps import exchange, quart_app
from quart_api.conftest import CONTENT

MIB: Final = 1024 * 1024


@pytest.fixture
def huge(tmp_path: Path, content: bytes) -> Path:
    """A file of 20 MiB, more than all buffers between server and client can hold."""
    path = tmp_path / "huge.bin"
    path.write_bytes(content * 5)
    return path


@pytest.fixture
def app(huge: Path, with_init: bool) -> Quart:
    """An app that sends the file."""

    async def view() -> Response:
        return await send_file("huge.bin")

    return quart_app(huge.parent, view, with_init=with_init)


@pytest.fixture
async def server(app: Quart) -> AsyncIterator[Server]:
    """The app on Hypercorn."""
    async with hypercorn(cast("App", app)) as server:
        yield server


async def rest(connection: Connection) -> bytes:
    """Read until the server closes the connection."""
    async with asyncio.timeout(HANGING):
        return await connection.reader.read()


async def test_a_file_of_20_mib_arrives_whole(server: Server, huge: Path) -> None:
    async with server.connected() as connection:
        await connection.ask("/")
        status, fields, body = await connection.read_response()
    assert (status, fields["Content-Length"], body) == (200, str(20 * MIB), huge.read_bytes())


async def test_a_range_arrives_and_the_connection_goes_on(server: Server, huge: Path) -> None:
    async with server.connected() as connection:
        for first, last in ((5 * MIB, 6 * MIB), (19 * MIB, 20 * MIB - 1)):
            await connection.ask("/", f"Range: bytes={first}-{last}")
            status, fields, body = await connection.read_response()
            assert (status, fields["Content-Range"]) == (206, f"bytes {first}-{last}/{20 * MIB}")
            assert body == huge.read_bytes()[first : last + 1]


async def test_head_has_the_length_and_no_body(server: Server, huge: Path) -> None:
    async with server.connected() as connection:
        await connection.ask("/", method="HEAD")
        status, fields = await connection.head()
        await connection.ask("/", "Range: bytes=0-4")
        _, _, body = await connection.read_response()
    assert (status, fields["Content-Length"], body) == (200, str(20 * MIB), huge.read_bytes()[:5])
    await eventually(lambda: not descriptors(huge))


async def test_a_connection_goes_on_after_a_304(server: Server) -> None:
    async with server.connected() as connection:
        await connection.ask("/", method="HEAD")
        _, known = await connection.head()
        await connection.ask("/", f"If-None-Match: {known['ETag']}")
        status, fields = await connection.head()
        await connection.ask("/", "Range: bytes=0-4")
        assert (await connection.read_response())[0] == 206
    assert (status, fields["ETag"], fields["Content-Type"]) == (304, known["ETag"], None)


async def test_when_the_file_is_truncated_the_connection_is_closed_short(server: Server, huge: Path) -> None:
    async with server.downloading("/") as connection:
        os.truncate(huge, MIB)
        assert len(await rest(connection)) <= MIB
        await eventually(lambda: not descriptors(huge))


async def test_the_connection_of_a_client_that_stops_reading_is_closed(
    app: Quart, server: Server, huge: Path, clock: Clock
) -> None:
    app.config["DOWNLOAD_STALL_TIMEOUT"] = 10

    def is_dropped() -> bool:
        clock.forward(0.1)
        return not descriptors(huge)

    async with server.downloading("/") as connection:
        assert descriptors(huge)
        await eventually(is_dropped)
        assert len(await rest(connection)) < 20 * MIB


async def test_when_clients_leave_in_the_middle_nothing_is_left(server: Server, huge: Path) -> None:
    async with server.connected() as staying:
        await staying.ask("/", "Range: bytes=0-4")
        await staying.read_response()
        tasks, fds = other_tasks(), len(descriptors())
        async with AsyncExitStack() as clients:
            for _ in range(20):
                await clients.enter_async_context(server.downloading("/"))
            assert len(descriptors(huge)) == 20
        await eventually(lambda: not descriptors(huge))
        await eventually(lambda: other_tasks() <= tasks and len(descriptors()) <= fds)


async def test_a_download_may_take_longer_than_the_time_for_a_response(app: Quart, server: Server, huge: Path) -> None:
    app.config["RESPONSE_TIMEOUT"] = limit = 0.005
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(HANGING), server.connected() as connection:
        await connection.ask("/")
        began = clock()
        _, _, body = await connection.read_response()
    assert clock() - began > limit, "otherwise the test proves nothing"
    assert body == huge.read_bytes()


async def test_a_stream_may_take_longer_than_the_time_for_a_response(with_init: bool) -> None:
    begun, going_on = asyncio.Event(), asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"begun, "
        begun.set()
        await going_on.wait()
        yield b"ended"

    async def view() -> Response:
        return await send_file(chunks(), mimetype="text/plain")

    asked = asyncio.create_task(exchange(quart_app(Path("/"), view, with_init=with_init, RESPONSE_TIMEOUT=1e-6)))
    async with asyncio.timeout(HANGING):
        await begun.wait()
        going_on.set()
        assert (await asked).body == b"begun, ended"


async def test_a_broken_download_is_an_error_for_the_server_to_log(
    huge: Path, caplog: pytest.LogCaptureFixture, app: Quart, server: Server
) -> None:
    async with server.downloading("/") as connection:
        os.truncate(huge, MIB)
        await rest(connection)
    await eventually(lambda: not descriptors(huge))
    assert [record.levelno for record in caplog.records if record.levelno >= logging.WARNING] == [logging.ERROR]


async def test_a_broken_download_raises_its_own_error_with_init_app(huge: Path, app: Quart, with_init: bool) -> None:
    @app.after_request
    async def truncate(response: Response) -> Response:
        os.truncate(huge, MIB)
        return response

    with pytest.raises((DownloadError, ExceptionGroup)) as raised:
        await app.test_client().get("/")
    assert raised.type is SourceChanged or not with_init  # Quart's own connection may raise a group


async def small() -> Response:
    return await send_file(CONTENT, mimetype="text/plain")


def test_quart_still_has_the_method_that_init_app_replaces() -> None:
    assert list(inspect.signature(ASGIHTTPConnection._send_response).parameters) == ["self", "send", "response"]


async def test_with_init_app_a_small_download_goes_out_in_one_message() -> None:
    """This shows that Quart still calls the method that `init_app` replaces: Quart's own loop sends two messages."""
    made = {flag: await exchange(quart_app(Path("/"), small, with_init=flag)) for flag in (True, False)}
    assert (made[True].chunks, made[False].chunks) == ([CONTENT], [CONTENT, b""])


async def test_a_response_that_is_no_download_is_sent_by_quart_itself() -> None:
    async def view() -> Any:
        return "text"

    made = await exchange(quart_app(Path("/"), view, with_init=True))
    assert made.chunks == [b"text", b""]


class Renamed(DownloadConnection):
    """The connection in a version of Quart that calls another method in place of `_send_response`."""

    _send_response = ASGIHTTPConnection._send_response


@pytest.mark.parametrize(
    ("field", "status", "span"),
    [
        pytest.param("", 200, slice(None), id="whole"),
        pytest.param("bytes=3-2999999", 206, slice(3, 3_000_000), id="range"),
        pytest.param("bytes=-3", 206, slice(-3, None), id="small range"),
    ],
)
async def test_downloads_are_right_without_the_method(
    large: Path, content: bytes, field: str, status: int, span: slice
) -> None:
    async def view() -> Response:
        return await send_file("large.bin")

    app = quart_app(large.parent, view, with_init=True)
    app.asgi_http_class = Renamed
    made = await exchange(app, *((("Range", field),) if field else ()))
    assert (made.status, made.body) == (status, content[span])
    assert descriptors(large) == {}
