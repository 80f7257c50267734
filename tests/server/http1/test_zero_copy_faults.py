"""Faults while a file goes from the page cache to the socket: clients that leave, and files that change."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from conftest import Serve
from harness.changes import append, cut, delete, empty, overwrite, overwrite_with_more, put_another
from harness.process import descriptors, other_tasks
from harness.served import Connection, Server
from harness.waiting import HANGING, eventually

from async_downloads.asgi import Downloads
from async_downloads.server.access_log import AccessLog
from async_downloads.sources.directory import DirectoryStore
from server.sending import ZERO_COPY, Recorded

MIB = 1024 * 1024

impatient = pytest.mark.parametrize("stall_timeout", [0.3])


@pytest.fixture
def stall_timeout() -> float:
    """The seconds that a client may take nothing; a test may override it."""
    return 60.0


@pytest.fixture
def log() -> list[str]:
    """The lines of the access log."""
    return []


@pytest.fixture
def app(large: Path, stall_timeout: float) -> Recorded:
    """The directory of the large file. Its mtime is old, so that a change has a different one."""
    large.read_bytes()
    os.utime(large, (1, 1))
    return Recorded(Downloads(DirectoryStore(large.parent), stall_timeout=stall_timeout))


@pytest.fixture
async def server(serve: Serve, app: Recorded, log: list[str]) -> AsyncIterator[Server]:
    """A logging server of the app. It has sent a response already, so that its own tasks exist."""
    server = await serve(app, observers=[AccessLog("text", write=log.append)])
    async with server.downloading("/nothing"):
        await eventually(lambda: log)
        log.clear()
        yield server


async def rest(connection: Connection) -> bytes:
    """Read until the server closes the connection."""
    async with asyncio.timeout(HANGING):
        return await connection.reader.read()


def logged(log: list[str]) -> int:
    """Return the bytes that the first line of the log counts."""
    return int(log[0].partition(" bytes")[0].split()[-1])


async def nothing_open(large: Path) -> None:
    """Check that the file is not open any more."""
    await eventually(lambda: not descriptors(large))


def reset(connection: Connection) -> None:
    sock = connection.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.writer.transport.abort()


def finish(connection: Connection) -> None:
    connection.writer.close()


@pytest.mark.parametrize("leave", [reset, finish])
@pytest.mark.parametrize("taken", [0, 100_000, 1_000_001])
async def test_of_a_client_that_leaves_in_the_middle_nothing_is_left(
    server: Server, large: Path, log: list[str], leave: Callable[[Connection], None], taken: int
) -> None:
    tasks, fds = other_tasks(), len(descriptors())
    async with server.downloading("/large.bin") as connection:
        await connection.reader.readexactly(taken)
        leave(connection)
        await eventually(lambda: log)
        await nothing_open(large)
    await eventually(lambda: other_tasks() <= tasks and len(descriptors()) <= fds)
    assert log[0].endswith("aborted\n")
    assert taken <= logged(log) < 4 * MIB


@impatient
async def test_of_a_client_that_stops_reading_nothing_is_left(
    server: Server, app: Recorded, large: Path, log: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with server.downloading("/large.bin") as connection:
        await eventually(lambda: log)
        assert caplog.messages == ["GET '/large.bin': the response is incomplete: the client read nothing for 0.3 s"]
        assert app.bytes_by(ZERO_COPY) < 4 * MIB
        assert len(await rest(connection)) < 4 * MIB
    await nothing_open(large)


@pytest.mark.parametrize("leave", [reset, finish])
async def test_of_clients_that_leave_with_more_requests_waiting_nothing_is_left(
    server: Server, large: Path, leave: Callable[[Connection], None]
) -> None:
    tasks, fds = other_tasks(), len(descriptors())
    async with AsyncExitStack() as clients:
        for _ in range(20):
            connection = await clients.enter_async_context(server.downloading("/large.bin"))
            await connection.ask("/large.bin")
            for _ in range(10):
                await asyncio.sleep(0)  # the server reads it
            leave(connection)
        await eventually(lambda: other_tasks() <= tasks)
        await nothing_open(large)
    await eventually(lambda: len(descriptors()) <= fds)


@impatient
@pytest.mark.usefixtures("clock")
async def test_a_slow_client_that_keeps_reading_gets_everything(server: Server, content: bytes) -> None:
    received = bytearray()
    async with server.downloading("/large.bin") as connection:
        while len(received) < len(content):
            pause = asyncio.Event()
            asyncio.get_running_loop().call_later(0.02, pause.set)
            await pause.wait()
            received += await connection.reader.read(64 * 1024)
    assert received == content


async def test_a_client_that_reads_in_small_pieces_gets_everything(
    server: Server, app: Recorded, content: bytes, log: list[str]
) -> None:
    received = bytearray()
    async with server.downloading("/large.bin") as connection:
        while len(received) < len(content):
            received += await connection.reader.readexactly(16 * 1024)
        await eventually(lambda: log)
    assert received == content
    assert f" 200 {len(content)} bytes whole " in log[0]
    assert log[0].endswith("complete\n")
    assert app.bytes_by(ZERO_COPY) == len(content) - 16 * 1024 - 4096


@pytest.mark.parametrize("change", [cut, empty, overwrite, overwrite_with_more])
@pytest.mark.parametrize("taken", [0, 100_000, 1_500_000, 3_700_000])
async def test_a_file_written_to_in_place_is_never_all_that_was_promised(
    server: Server,
    large: Path,
    content: bytes,
    log: list[str],
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Path], None],
    taken: int,
) -> None:
    async with server.downloading("/large.bin") as connection:
        assert await connection.reader.readexactly(taken) == content[:taken]
        change(large)
        received = await rest(connection)
    assert taken + len(received) < len(content)
    assert len(caplog.messages) == 1, "one line in the log"
    assert "GET '/large.bin': the response is incomplete: the file " in caplog.text
    assert log[0].endswith("aborted\n")
    await nothing_open(large)


@pytest.mark.parametrize("change", [append, put_another, delete])
@pytest.mark.parametrize("taken", [0, 1_500_000])
async def test_a_file_that_grows_or_is_replaced_arrives_as_it_was(
    server: Server, large: Path, content: bytes, change: Callable[[Path], None], taken: int
) -> None:
    async with server.downloading("/large.bin") as connection:
        received = await connection.reader.readexactly(taken)
        change(large)
        assert received + await connection.reader.readexactly(len(content) - taken) == content


async def test_appended_bytes_are_sent_to_the_next_request(server: Server, large: Path, content: bytes) -> None:
    async with server.connected() as connection:
        for appended in (b"", b"more", b"moremore"):
            await connection.ask("/large.bin")
            _, _, body = await connection.read_response()
            assert body == content + appended
            append(large)


async def test_a_response_has_one_version_while_the_file_is_replaced_repeatedly(server: Server, large: Path) -> None:
    async with server.connected() as connection:
        for number in range(40):
            large.with_name("next").write_bytes(bytes([number]) * (MIB + number))
            large.with_name("next").replace(large)
            await connection.ask("/large.bin")
            assert (await connection.read_response())[2] == bytes([number]) * (MIB + number)
