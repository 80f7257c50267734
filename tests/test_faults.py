"""Faults while a file is sent, on a real server: each fault that real servers had is a test here."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import count, takewhile
from pathlib import Path

import pytest
from conftest import Serve
from harness.asgi import App
from harness.changes import append, cut, delete, empty, overwrite, overwrite_with_more, put_another
from harness.process import descriptors, no_descriptors_left, other_tasks
from harness.served import Connection, Server
from harness.waiting import HANGING, eventually

from async_downloads.asgi import Downloads
from async_downloads.sending import Receive, Scope, Send
from async_downloads.sources.directory import DirectoryStore

PIECE = 32 * 1024


class Watched:
    """An app that counts its requests in progress."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        self.running += scope["type"] == "http"
        try:
            await self._app(scope, receive, send)
        finally:
            self.running -= scope["type"] == "http"


pytestmark = pytest.mark.usefixtures("clock")

impatient = pytest.mark.parametrize("stall_timeout", [0.3])


@pytest.fixture
def stall_timeout() -> float:
    """The seconds for which a client may take nothing; a test may override it."""
    return 60.0


@pytest.fixture
def app(large: Path, stall_timeout: float) -> Watched:
    """The files beside the large one."""
    (large.parent / "small.txt").write_bytes(b"small")
    os.utime(large, (1, 1))  # a change is in another tick of the clock
    return Watched(Downloads(DirectoryStore(large.parent), stall_timeout=stall_timeout))


@pytest.fixture
async def server(serve: Serve, app: Watched) -> AsyncIterator[Server]:
    """The app on a server that has already responded once, so that all its own tasks are there."""
    server = await serve(app)
    async with server.downloading("/small.txt"):
        await eventually(lambda: not app.running)
        yield server


async def rest(connection: Connection) -> bytes:
    """Read until the server closes the connection."""
    async with asyncio.timeout(HANGING):
        return await connection.reader.read()


async def nothing_left(app: Watched, large: Path, tasks: set["asyncio.Task[object]"], fds: int) -> None:
    """Check that no descriptor and no task, and so no work, is left of any download."""
    await eventually(lambda: not app.running and not descriptors(large))
    await eventually(lambda: other_tasks() <= tasks and len(descriptors()) <= fds)


@pytest.mark.parametrize("count", [1, 300])
async def test_when_clients_leave_in_the_middle_nothing_is_left(
    app: Watched, server: Server, large: Path, count: int
) -> None:
    tasks, fds = other_tasks(), len(descriptors())
    async with AsyncExitStack() as clients:
        for _ in range(count):
            await clients.enter_async_context(server.downloading("/large.bin"))
        assert app.running == count
        assert len(descriptors(large)) == 1, "all downloads of one file share a descriptor"
    await nothing_left(app, large, tasks, fds)


async def test_clients_that_leave_before_the_response_leave_nothing_open(
    app: Watched, server: Server, large: Path
) -> None:
    tasks, fds = other_tasks(), len(descriptors())
    async with AsyncExitStack() as clients:
        for _ in range(20):
            connection = await clients.enter_async_context(server.connected())
            await connection.ask("/large.bin")
    await nothing_left(app, large, tasks, fds)


@impatient
async def test_the_connection_of_a_client_that_stops_reading_is_closed_and_the_file_is_freed(
    app: Watched, server: Server, large: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks, fds = other_tasks(), len(descriptors())
    async with server.downloading("/large.bin"):
        await eventually(lambda: not app.running and not descriptors(large))
        assert caplog.messages == ["GET '/large.bin': the response is incomplete: the client read nothing for 0.3 s"]
    await nothing_left(app, large, tasks, fds)


@impatient
async def test_while_clients_stall_others_are_served(server: Server) -> None:
    async with AsyncExitStack() as clients:
        for _ in range(20):
            await clients.enter_async_context(server.downloading("/large.bin"))
        async with server.connected() as connection:
            await connection.ask("/small.txt")
            _, _, body = await connection.read_response()
    assert body == b"small"


@impatient
async def test_a_download_that_is_slow_but_goes_on_is_completed_long_after_the_stall_limit(
    server: Server, content: bytes
) -> None:
    loop, received = asyncio.get_running_loop(), bytearray()
    async with server.downloading("/large.bin") as connection:
        began = loop.time()
        while len(received) < len(content):
            received += await connection.reader.readexactly(PIECE)
            await asyncio.sleep(0.012)  # the client's own pace, which is what the test is about
    assert received == content
    assert loop.time() - began > 1.5


@pytest.mark.parametrize("change", [cut, empty, overwrite, overwrite_with_more])
async def test_a_file_written_to_while_it_is_sent_is_closed_short_and_logged_once(
    app: Watched,
    server: Server,
    large: Path,
    content: bytes,
    change: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with server.downloading("/large.bin") as connection:
        change(large)
        received = await rest(connection)
    assert len(received) < len(content)
    assert content.startswith(received) or "overwrite" in change.__name__, "a region is checked after it was sent"
    assert len([line for line in caplog.messages if "GET '/large.bin': the response is incomplete: " in line]) == 1
    await eventually(lambda: not app.running and not descriptors(large))


@pytest.mark.parametrize("change", [put_another, append, delete])
async def test_a_file_replaced_appended_to_or_deleted_while_it_is_sent_is_sent_as_it_was(
    server: Server, large: Path, content: bytes, change: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with server.connected() as connection:
        await connection.ask("/large.bin")
        _, fields = await connection.head()
        begun = await connection.reader.readexactly(PIECE)
        change(large)
        assert int(fields["Content-Length"]) == len(content)
        assert begun + await connection.reader.readexactly(len(content) - PIECE) == content
        await connection.ask("/large.bin", method="HEAD")
        status, fields = await connection.head()
    assert status == (200 if large.exists() else 404)
    assert not large.exists() or int(fields["Content-Length"]) == large.stat().st_size
    assert not caplog.messages


async def test_while_a_file_is_being_replaced_every_response_is_of_one_version(server: Server, large: Path) -> None:
    done = asyncio.Event()
    loop, tags = asyncio.get_running_loop(), dict[str, int]()

    def exchange() -> None:
        for number in takewhile(lambda number: number < 600 or len(tags) < 2, count()):
            path = large.with_name("next")
            path.write_bytes(bytes([number % 256]) * (1 + number * 500))
            path.replace(large.with_name("changing"))
        loop.call_soon_threadsafe(done.set)

    exchanging = loop.run_in_executor(None, exchange)
    await eventually(large.with_name("changing").exists)
    async with server.connected() as connection:
        while not done.is_set():
            await connection.ask("/changing")
            status, fields, body = await connection.read_response()
            assert (status, len(set(body))) == (200, 1)
            assert tags.setdefault(fields["ETag"], len(body)) == len(body)
    await exchanging


async def test_without_descriptors_the_response_is_503_with_retry_after_and_then_the_file(
    server: Server, large: Path, content: bytes
) -> None:
    async with server.connected() as connection:
        for _ in range(2):
            await eventually(lambda: not descriptors(large))  # otherwise another file may get its number
            with no_descriptors_left():
                await connection.ask("/large.bin")
                status, fields, _ = await connection.read_response()
            assert (status, fields["Retry-After"]) == (503, "1")
            await connection.ask("/large.bin")
            status, _, body = await connection.read_response()
            assert (status, body == content) == (200, True)
