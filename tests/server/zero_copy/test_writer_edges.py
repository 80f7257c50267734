"""The edges of a zero-copy writer: the end of a file, the end of a mapping, and a closed socket."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import Serve
from harness.process import descriptors
from harness.waiting import eventually

from async_downloads.errors import SourceTruncated
from async_downloads.open_file import FileRegion, OpenFile
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.zero_copy.mapped_files import MappedFiles
from async_downloads.server.zero_copy.writer import ZeroCopyWriter, _UnsentLimit
from server.sending import mapped, sending
from server.zero_copy.test_writer_faults import rest

MIB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("_fast")


async def test_a_region_beyond_the_end_of_a_file_aborts_the_response(large: Path, content: bytes, serve: Serve) -> None:
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


async def test_missing_pages_of_a_mapping_are_an_error_and_not_a_signal(large: Path, content: bytes) -> None:
    mapped_files, file = MappedFiles(), OpenFile(str(large))
    reader, writer = socket.socketpair()
    with reader, writer:
        view = mapped_files.find(file, 5)
        assert view is not None
        assert os.write(writer.fileno(), view[:100]) == 100
        assert reader.recv(200) == content[5:105]
        os.truncate(large, 0)
        with pytest.raises(OSError, match="Bad address"):
            os.write(writer.fileno(), view[:100])
        del view
    assert mapped_files.find(file, 65 * MIB) is None, "where no segment can be mapped"
    file.close()
    await eventually(lambda: not mapped(large))


class Shrinking(OpenFile):
    """A file that is emptied right after the check of what is cached."""

    def is_cached(self, offset: int, count: int) -> bool:
        """Check, then shrink."""
        cached = super().is_cached(offset, count)
        os.truncate(f"/proc/self/fd/{self.fd}", 0)
        return cached


@pytest.mark.parametrize("offset", [0, 65 * MIB], ids=["in a segment", "where one would begin"])
async def test_a_file_that_shrinks_before_the_write_raises_source_truncated(large: Path, offset: int) -> None:
    with large.open("r+b") as writable:
        writable.truncate(offset + 4096)
        os.pwrite(writable.fileno(), bytes(4096), offset)
    async with _accepted() as writer:
        file = Shrinking(str(large))
        with pytest.raises(SourceTruncated):
            await ZeroCopyWriter(writer).send(FileRegion(file, offset, 4096))
        file.close()


@asynccontextmanager
async def _accepted() -> AsyncIterator[asyncio.StreamWriter]:
    """Yield the server's end of a connection."""
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    listening = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0)
    with socket.create_connection(listening.sockets[0].getsockname()):
        writer = await accepted
        yield writer
        writer.transport.abort()
        await asyncio.sleep(0)
    listening.close()
    await listening.wait_closed()


async def test_nothing_is_written_to_a_file_that_reuses_a_closed_sockets_number(large: Path) -> None:
    mine, other = socket.socketpair()
    with mine, other:
        async with _accepted() as writer:
            file = OpenFile(str(large))
            zero_copy, number = ZeroCopyWriter(writer), writer.get_extra_info("socket").fileno()
            writer.transport.abort()
            await eventually(lambda: number not in descriptors())
            os.dup2(mine.fileno(), number)
            with pytest.raises(ConnectionResetError):
                await zero_copy.send(FileRegion(file, 0, 100))
            os.close(number)
            file.close()
        mine.close()
        assert other.recv(1) == b""


async def test_a_waiting_send_ends_when_its_socket_is_closed(large: Path) -> None:
    file = OpenFile(str(large))
    async with _accepted() as writer:
        sending_all = asyncio.create_task(ZeroCopyWriter(writer).send(FileRegion(file, 0, 4 * MIB)))
        while not sending_all.done():
            await asyncio.sleep(0)
            writer.transport.abort()
        with pytest.raises(ConnectionResetError):
            await sending_all
    file.close()


async def test_an_app_that_never_receives_ends_when_the_connection_is_closed(serve: Serve, large: Path) -> None:
    server = await serve(sending(large, *((number * MIB, MIB) for number in range(4))))
    async with server.connected() as connection:
        await connection.ask("/", "Transfer-Encoding: chunked")
        await connection.head()
        connection.writer.write(b"no chunk\r\n")
        await eventually(lambda: not descriptors(large))


async def test_for_a_unix_socket_acknowledged_means_taken_by_the_socket(large: Path) -> None:
    mine, other = socket.socketpair()
    file = OpenFile(str(large))
    with other:
        _, writer = await asyncio.open_connection(sock=mine)
        zero_copy = ZeroCopyWriter(writer)
        sending_all = asyncio.create_task(zero_copy.send(FileRegion(file, 0, 4 * MIB)))
        await eventually(lambda: 0 < zero_copy.acknowledged() < 4 * MIB)
        assert zero_copy.acknowledged() == zero_copy.taken()
        writer.transport.abort()
        with pytest.raises(ConnectionResetError):
            await sending_all
    file.close()


async def test_acknowledged_bytes_are_counted_until_the_connection_is_closed() -> None:
    async with _accepted() as writer:
        zero_copy = ZeroCopyWriter(writer)
        writer.write(b"x" * 1000)
        await eventually(lambda: zero_copy.acknowledged() >= 1000)
        writer.transport.abort()
        assert zero_copy.acknowledged() == 0


async def test_a_file_that_has_grown_is_mapped_to_its_new_end(large: Path) -> None:
    mapped_files, file = MappedFiles(), OpenFile(str(large))
    large.write_bytes(b"x" * 5000)
    assert mapped_files.find(file, 0) is not None
    large.write_bytes(b"x" * 9000)
    assert mapped_files.find(file, 5001) is not None
    file.close()
    await eventually(lambda: not mapped(large))


async def test_one_turn_of_the_loop_writes_to_a_few_fast_clients_only(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ZeroCopyWriter, "_LARGE_WRITE_BYTES", 8192)
    monkeypatch.setattr(_UnsentLimit, "_FAST_BYTES", 1)
    file, taken = OpenFile(str(large)), [0]
    async with AsyncExitStack() as stack:
        writers = [ZeroCopyWriter(await stack.enter_async_context(_drained())) for _ in range(12)]
        for writer in writers:
            await writer.send(FileRegion(file, 0, 1))
        sending_all = [asyncio.create_task(writer.send(FileRegion(file, 0, 80 * 8192))) for writer in writers]
        while not all(each.done() for each in sending_all):
            taken.append(sum(writer.taken() for writer in writers))
            await asyncio.sleep(0)
        await asyncio.gather(*sending_all)
    steps = [after - before for before, after in pairwise(taken[1:])]
    assert 8192 < max(steps) <= 4 * 8192
    file.close()


@asynccontextmanager
async def _drained() -> AsyncIterator[asyncio.StreamWriter]:
    """Yield one end of a connection; the other end reads everything."""
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    listening = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0)
    reader, closing = await asyncio.open_connection(*listening.sockets[0].getsockname())
    writer = await accepted
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(reader.read(-1))
        yield writer
        writer.close()
        await taking
    closing.close()
    listening.close()
    await listening.wait_closed()
