"""The edges of sendfile: the end of a file, a file system without sendfile, and a closed socket."""

import asyncio
import errno
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from harness.process import descriptors
from harness.waiting import eventually

from async_downloads.errors import SourceError, SourceTruncated
from async_downloads.open_file import FileRegion, OpenFile
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.http1 import zero_copy
from async_downloads.server.http1.flow_control import FlowControl
from async_downloads.server.http1.zero_copy import SendfileTurns, ZeroCopyWriter
from server.http1.test_zero_copy_faults import rest
from server.sending import sending

MIB = 1024 * 1024


class Owner(asyncio.Protocol):
    """The server's end of a connection, which has a writer and nothing else."""

    client: socket.socket

    def __init__(self, turns: SendfileTurns) -> None:
        self.turns = turns

    def connection_made(self, transport: Any) -> None:
        """Make the writer."""
        self.flow = FlowControl(transport)
        self.writer = ZeroCopyWriter(self.flow, self.turns)

    def pause_writing(self) -> None:
        """Report it."""
        self.flow.pause()

    def resume_writing(self) -> None:
        """Report it."""
        self.flow.resume()

    def connection_lost(self, error: Exception | None) -> None:
        """Report it."""
        self.flow.lose()
        self.writer.lose()


def receive_all(client: socket.socket, count: int) -> None:
    """Take that many bytes."""
    while count:
        count -= len(client.recv(min(count, 64 * 1024)))


@asynccontextmanager
async def accepted(turns: SendfileTurns | None = None, *, family: int = socket.AF_INET) -> AsyncIterator[Owner]:
    """Hold the server's end of a connection whose client reads nothing."""
    loop = asyncio.get_running_loop()
    turns = turns or SendfileTurns(loop)
    if family == socket.AF_UNIX:
        mine, other = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            other = socket.create_connection(listener.getsockname())
            mine, _ = listener.accept()
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)  # by itself it grows to megabytes
    mine.setblocking(False)
    with other:
        transport, owner = await loop.connect_accepted_socket(lambda: Owner(turns), mine)
        owner.client = other
        yield owner
        transport.abort()
        await eventually(lambda: owner.flow.lost)


async def test_a_region_beyond_the_end_of_a_file_breaks_the_response_off(
    large: Path, content: bytes, serve: Serve
) -> None:
    failed: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await sending(large, (4 * MIB - 300_000, 300_001))(scope, receive, send)
        except SourceTruncated as error:
            failed.append(error)

    server = await serve(app)
    async with server.downloading("/") as connection:
        assert await rest(connection) == b"493e1\r\n" + content[-300_000:]
    assert str(failed) == str([SourceTruncated(f"the file ended at byte {4 * MIB}")])


class Shrinking(OpenFile):
    """A file that becomes empty right after `is_cached`."""

    def is_cached(self, offset: int, count: int) -> bool:
        """Return whether the bytes are cached, then shrink the file."""
        is_cached = super().is_cached(offset, count)
        os.truncate(f"/proc/self/fd/{self.fd}", 0)
        return is_cached


async def test_a_file_that_shrinks_before_it_is_sent_is_said_to_be_truncated(large: Path) -> None:
    async with accepted() as owner:
        file = Shrinking(str(large))
        with pytest.raises(SourceTruncated):
            await owner.writer.send(FileRegion(file, 0, 4096))
        file.close()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ESPIPE, errno.ENOSYS])
async def test_a_file_system_without_sendfile_is_read(
    serve: Serve, large: Path, content: bytes, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "sendfile", refuse)
    server = await serve(sending(large, (5, 3 * MIB)))
    async with server.downloading("/") as connection:
        assert await connection.reader.readexactly(3 * MIB + 8) == b"300000\r\n" + content[5 : 5 + 3 * MIB]


async def test_where_there_is_no_sendfile_a_file_that_ends_too_soon_is_truncated(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", refuse)
    file = OpenFile(str(large))
    async with accepted() as owner:
        with pytest.raises(SourceTruncated, match=str(4 * MIB)):
            await owner.writer.send(FileRegion(file, 4 * MIB - 1000, 1001))
    file.close()


async def test_a_disk_that_fails_is_an_error_of_the_source(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    large.read_bytes()
    monkeypatch.setattr(os, "sendfile", fail)
    file = OpenFile(str(large))
    async with accepted() as owner:
        with pytest.raises(SourceError, match="Input/output error"):
            await owner.writer.send(FileRegion(file, 0, 1000))
        assert not owner.flow.transport.is_closing()
    file.close()


async def test_a_client_that_is_gone_ends_the_connection(large: Path) -> None:
    large.read_bytes()
    file = OpenFile(str(large))
    async with accepted() as owner:
        owner.client.close()  # it has read nothing, so its system responds to the next segment with a reset
        with pytest.raises(ConnectionResetError):
            await owner.writer.send(FileRegion(file, 0, 4 * MIB))
        assert owner.flow.transport.is_closing()
    file.close()


async def test_nothing_is_written_to_what_has_got_the_number_of_a_closed_socket(large: Path) -> None:
    mine, other = socket.socketpair()
    with mine, other:
        file = OpenFile(str(large))
        async with accepted() as owner:
            number = owner.flow.transport.get_extra_info("socket").fileno()
            owner.flow.transport.abort()
            await eventually(lambda: number not in descriptors())
            os.dup2(mine.fileno(), number)
            with pytest.raises(ConnectionResetError):
                await owner.writer.send(FileRegion(file, 0, 100))
            assert owner.writer.acknowledged() == 0
            os.close(number)
        file.close()
        mine.close()
        assert other.recv(1) == b""


async def test_a_send_that_waits_ends_when_its_socket_is_closed(large: Path) -> None:
    file = OpenFile(str(large))
    async with accepted() as owner:
        sending_all = asyncio.create_task(owner.writer.send(FileRegion(file, 0, 4 * MIB)))
        await eventually(lambda: owner.turns.ready._callbacks)
        owner.flow.transport.abort()
        with pytest.raises(ConnectionResetError):
            await sending_all
        assert not owner.turns.ready._callbacks
    file.close()


async def test_an_app_that_never_listens_is_told_when_the_connection_is_closed(serve: Serve, large: Path) -> None:
    server = await serve(sending(large, *((number * MIB, MIB) for number in range(4))))
    async with server.connected() as connection:
        await connection.ask("/", "Transfer-Encoding: chunked")
        await connection.head()
        connection.writer.write(b"no chunk\r\n")
        await eventually(lambda: not descriptors(large))


async def test_of_a_unix_socket_what_the_socket_has_taken_counts_as_acknowledged(large: Path) -> None:
    file = OpenFile(str(large))
    async with accepted(family=socket.AF_UNIX) as owner:
        sending_all = asyncio.create_task(owner.writer.send(FileRegion(file, 0, 4 * MIB)))
        await eventually(lambda: 0 < owner.writer.acknowledged() < 4 * MIB)
        assert owner.writer.acknowledged() == owner.writer.taken()
        owner.flow.transport.abort()
        with pytest.raises(ConnectionResetError):
            await sending_all
    file.close()


async def test_what_the_client_has_taken_is_counted_until_the_connection_is_closed() -> None:
    async with accepted() as owner:
        owner.flow.transport.write(b"x" * 1000)
        await eventually(lambda: owner.writer.acknowledged() >= 1000)
        owner.flow.transport.abort()
        assert owner.writer.acknowledged() == 0


async def test_a_slow_client_has_a_limit_in_the_kernel_and_a_fast_one_has_none(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.read_bytes()
    file = OpenFile(str(large))
    async with accepted() as owner:
        sock = owner.flow.transport.get_extra_info("socket")

        def limit() -> int:
            return int(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT))

        monkeypatch.setattr(zero_copy._UnsentLimit, "_PAUSE_SECONDS", 0)  # any wait makes a client slow
        monkeypatch.setattr(zero_copy._UnsentLimit, "_CALM_BYTES", 1)
        await owner.writer.send(FileRegion(file, 0, 1000))
        assert limit() == -1
        sending_all = asyncio.create_task(owner.writer.send(FileRegion(file, 0, 4 * MIB)))
        await eventually(lambda: owner.turns.ready._callbacks)
        while limit() == -1:
            await asyncio.to_thread(owner.client.recv, 64 * 1024)
        assert limit() == 96 * 1024
        owner.flow.transport.abort()
        with pytest.raises(ConnectionResetError):
            await sending_all
    file.close()


@pytest.mark.parametrize(
    ("seconds", "before", "after"),
    [(0.004, 4 * MIB, 2 * MIB), (0.004, MIB // 2, MIB // 2), (0.0001, MIB, 2 * MIB), (0.0015, MIB, MIB)],
)
async def test_a_call_that_takes_long_is_halved_and_a_short_one_doubled(
    seconds: float, before: int, after: int
) -> None:
    turns = SendfileTurns(asyncio.get_running_loop())
    turns.call_bytes = before
    turns.called(before, seconds)
    assert turns.call_bytes == after
    turns.ready.close()


async def test_a_region_is_sent_by_the_event_loop_and_its_task_wakes_once(large: Path) -> None:
    large.read_bytes()
    file = OpenFile(str(large))
    async with accepted() as owner:
        sending_all = owner.writer.send(FileRegion(file, 0, 4 * MIB))
        future = sending_all.send(None)
        assert isinstance(future, asyncio.Future)
        await asyncio.to_thread(receive_all, owner.client, 4 * MIB)
        await eventually(future.done)
        with pytest.raises(StopIteration):
            sending_all.send(None)
    file.close()


async def test_a_wait_for_other_clients_makes_no_client_slow(large: Path) -> None:
    large.read_bytes()
    file = OpenFile(str(large))
    async with accepted() as owner:
        limit, ready = owner.writer._limit, owner.turns.ready
        sending_all = asyncio.create_task(owner.writer.send(FileRegion(file, 0, 4 * MIB)))
        await eventually(lambda: ready._callbacks)
        push, now = ready._callbacks[owner.writer._fd], time.monotonic()
        calm = list[int]()
        for ready_at in (now - 1000, now + 1000):  # it had room before it was full; it had none for a long time
            push(ready_at)
            calm.append(limit._calm)
        assert calm == [owner.writer.taken(), 0]
        await asyncio.to_thread(receive_all, owner.client, 4 * MIB)
        await sending_all
    file.close()
