"""Idle connections: they are closed after the keep-alive timeout, and need no task at first."""

import asyncio
from pathlib import Path

import pytest
from conftest import Serve
from harness.process import other_tasks
from harness.served import hypercorn, idle_tasks
from harness.waiting import HANGING, eventually

from async_downloads.asgi import Downloads
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.hypercorn.idle import DeferredTask
from async_downloads.sources.directory import DirectoryStore

SHORT = 0.05  # seconds

pytestmark = pytest.mark.usefixtures("_fast", "clock")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small file."""
    (tmp_path / "small.txt").write_bytes(b"small")
    return tmp_path


@pytest.mark.parametrize("requests", [0, 1, 3])
async def test_an_idle_connection_is_closed(folder: Path, requests: int) -> None:
    async with hypercorn(Downloads(DirectoryStore(folder)), keep_alive=SHORT) as server:
        async with server.connected() as connection, asyncio.timeout(HANGING):
            for _ in range(requests):
                await connection.ask("/small.txt")
                assert (await connection.answer())[2] == b"small"
            assert await connection.reader.read() == b""
        await eventually(lambda: not idle_tasks())


async def test_a_busy_connection_is_not_closed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        passed = asyncio.Event()  # of more time than an idle connection is given
        asyncio.get_running_loop().call_later(DeferredTask._DELAY_SECONDS + 4 * SHORT, passed.set)
        await passed.wait()
        assert not idle_tasks()
        await send({"type": "http.response.body", "body": b"b"})

    async with hypercorn(app, keep_alive=SHORT) as server, server.connected() as connection:
        await connection.ask("/")
        assert (await connection.answer())[2] == b"ab"


async def test_no_task_is_created_between_quick_requests(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeferredTask, "_DELAY_SECONDS", HANGING)  # they follow each other sooner than that
    server = await serve(Downloads(DirectoryStore(folder)))
    async with server.connected() as connection:
        for _ in range(20):
            await connection.ask("/small.txt")
            await connection.answer()
            assert not idle_tasks()


async def test_the_next_request_stops_a_task_that_was_created(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeferredTask, "_DELAY_SECONDS", 0)
    server = await serve(Downloads(DirectoryStore(folder)))
    async with server.connected() as connection:
        for _ in range(5):
            await eventually(lambda: idle_tasks() == 1)
            await connection.ask("/small.txt")
            assert (await connection.answer())[2] == b"small"
        await eventually(lambda: idle_tasks() == 1)


async def test_a_connection_that_its_client_closes_leaves_no_task(folder: Path) -> None:
    async with hypercorn(Downloads(DirectoryStore(folder))) as server:
        async with server.connected() as connection:
            await connection.ask("/small.txt")
            await connection.answer()
            tasks = other_tasks()
        await eventually(lambda: len(other_tasks()) < len(tasks) and not idle_tasks())


async def test_a_server_that_ends_closes_idle_connections(folder: Path) -> None:
    async with hypercorn(Downloads(DirectoryStore(folder))) as server, server.connected() as connection:
        await connection.ask("/small.txt")
        await connection.answer()
        await eventually(idle_tasks)
        kept = connection
        assert idle_tasks() == 1
    assert not other_tasks()
    assert kept.reader.at_eof() or not idle_tasks()


async def test_stopping_a_task_that_has_not_started_does_nothing() -> None:
    task = DeferredTask()
    await task.stop()
    async with asyncio.TaskGroup() as group:
        ran = asyncio.Event()

        class _Group:
            _task_group = group

        async def run() -> None:
            ran.set()

        await task.restart(_Group(), run)
        await task.restart(_Group(), run)
        await ran.wait()
    await task.stop()
    await task.stop()
