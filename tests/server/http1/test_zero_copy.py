"""Files that go from the page cache to the socket: every byte arrives, whatever the size, the range and the loop."""

import asyncio
import os
import socket
from pathlib import Path

import pytest
from conftest import Serve
from harness.cache import evict
from harness.process import descriptors
from harness.served import Connection, Server
from harness.waiting import eventually
from semantics import wire

from async_downloads.asgi import Downloads
from async_downloads.server.http1 import zero_copy
from async_downloads.server.http1.server import ConnectionLimits, Http1Server
from async_downloads.sources.directory import DirectoryStore
from server.sending import ZERO_COPY, Recorded, sending, unchunked

KIB, MIB = 1024, 1024 * 1024
WHOLE = 64 * KIB  # what goes in one piece, by way of a read
BEGUN = 16 * KIB  # what is read before the head of a larger response is sent
FAR = 2**32
TAIL = 4096  # the last bytes of a file are read, so that they can be checked


@pytest.fixture
def app(large: Path) -> Recorded:
    """The directory of the large file."""
    large.read_bytes()  # so that it is in the page cache
    return Recorded(Downloads(DirectoryStore(large.parent)))


@pytest.fixture
async def server(serve: Serve, app: Recorded) -> Server:
    """A server of the app."""
    return await serve(app)


async def get(connection: Connection, target: str, *fields: str) -> bytes:
    """Return the body of a successful response."""
    await connection.ask(target, *fields)
    status, _, body = await connection.read_response()
    assert status in {200, 206}
    return body


@pytest.mark.parametrize(
    "size", [0, 1, 4096, 32 * KIB, WHOLE, WHOLE + 1, MIB - 1, MIB, MIB + 1, MIB + TAIL, MIB + TAIL + 1, 4 * MIB]
)
async def test_a_file_of_any_size_arrives(
    server: Server, app: Recorded, large: Path, content: bytes, size: int
) -> None:
    os.truncate(large, size)
    async with server.connected() as connection:
        assert await get(connection, "/large.bin") == content[:size]
    assert app.bytes_by(ZERO_COPY) == (size - BEGUN - TAIL if size > WHOLE else 0)


@pytest.mark.parametrize(
    ("start", "count"),
    [
        pytest.param(1, 3 * MIB, id="odd"),
        pytest.param(4095, 3 * MIB + 1, id="before a page"),
        pytest.param(4097, WHOLE + 1, id="behind a page, short"),
        pytest.param(MIB - 7, MIB, id="over a mebibyte"),
        pytest.param(4 * MIB - WHOLE - 1, WHOLE + 1, id="to the end"),
    ],
)
async def test_a_range_arrives_wherever_it_begins(
    server: Server, app: Recorded, content: bytes, start: int, count: int
) -> None:
    async with server.connected() as connection:
        body = await get(connection, "/large.bin", f"Range: bytes={start}-{start + count - 1}")
    assert body == content[start : start + count]
    assert app.bytes_by(ZERO_COPY) == count - BEGUN - TAIL


async def test_a_range_beyond_32_bits_arrives(server: Server, app: Recorded, large: Path, content: bytes) -> None:
    sparse = large.with_name("sparse")
    with sparse.open("wb") as file:
        file.truncate(FAR + 2 * MIB)
        os.pwrite(file.fileno(), content[: 3 * MIB], FAR - MIB)
    async with server.connected() as connection:
        body = await get(connection, "/sparse", f"Range: bytes={FAR - 900_001}-{FAR + 1_000_000}")
    assert body == content[MIB - 900_001 : MIB + 1_000_001]
    assert app.bytes_by(ZERO_COPY) == len(body) - BEGUN - TAIL


async def test_a_part_that_goes_in_many_turns_arrives(
    server: Server, app: Recorded, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zero_copy, "_SLOW_BYTES", 5000)
    monkeypatch.setattr(zero_copy, "_FAST_BYTES", 5000)
    async with server.connected() as connection:
        assert await get(connection, "/large.bin") == content
    assert app.bytes_by(ZERO_COPY) == len(content) - BEGUN - TAIL


async def test_several_large_ranges_arrive_as_multipart(server: Server, app: Recorded, content: bytes) -> None:
    async with server.connected() as connection:
        await connection.ask("/large.bin", "Range: bytes=1-1500000,2000001-3500000,-300000")
        _, fields, body = await connection.read_response()
    assert [data for _, _, data in wire.parts(fields["Content-Type"], body)] == [
        content[1:1_500_001],
        content[2_000_001:3_500_001],
        content[-300_000:],
    ]
    assert app.bytes_by(ZERO_COPY) == 3_300_000 - BEGUN - 3 * TAIL


async def test_a_connection_serves_one_download_after_another(server: Server, content: bytes) -> None:
    async with server.connected() as connection:
        for start in range(5):
            await connection.ask("/large.bin", method="HEAD")
            assert int((await connection.head())[1]["Content-Length"]) == len(content)
            assert await get(connection, "/large.bin", f"Range: bytes={start}-") == content[start:]


async def test_pipelined_requests_get_responses_in_order(server: Server, content: bytes) -> None:
    async with server.connected() as connection:
        for start in range(5):
            await connection.ask("/large.bin", f"Range: bytes={start}-{start + MIB}")
        for start in range(5):
            assert (await connection.read_response())[2] == content[start : start + MIB + 1]


async def test_many_clients_at_once_get_their_own_bytes(server: Server, content: bytes) -> None:
    async def one(start: int) -> bool:
        async with server.connected() as connection:
            return (
                await get(connection, "/large.bin", f"Range: bytes={start}-{start + MIB}")
                == (content[start : start + MIB + 1])
            )

    assert all(await asyncio.gather(*(one(start * 50_001) for start in range(50))))


@pytest.mark.parametrize(("version", "field"), [("1.0", "Accept: */*"), ("1.1", "Connection: close")])
async def test_a_response_that_closes_the_connection_is_complete(
    server: Server, content: bytes, version: str, field: str
) -> None:
    async with server.connected() as connection:
        connection.writer.write(f"GET /large.bin HTTP/{version}\r\nHost: a\r\n{field}\r\n\r\n".encode())
        await connection.head()
        assert await connection.reader.read(-1) == content


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["TCP", "unix"])
def test_both_loops_and_both_kinds_of_sockets_send_everything(
    large: Path, content: bytes, kind: str, family: socket.AddressFamily
) -> None:
    large.read_bytes()
    factory = pytest.importorskip("uvloop").new_event_loop if kind == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_twice_from(large, content, family))


async def _twice_from(path: Path, content: bytes, family: socket.AddressFamily) -> None:
    """Serve two clients; the second leaves in the middle."""
    with socket.socket(family) as listener:
        listener.bind(str(path.with_name("s")) if family == socket.AF_UNIX else ("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        app = Recorded(Downloads(DirectoryStore(path.parent)))
        http1 = Http1Server(app, ConnectionLimits())
        listening = await asyncio.get_running_loop().create_server(http1.connection, sock=listener.dup())
    for whole in (True, False):
        opening = asyncio.open_unix_connection(address) if isinstance(address, str) else None
        connection = Connection(*await (opening or asyncio.open_connection(*address)))
        await connection.ask("/large.bin")
        await connection.head()
        received = await connection.reader.readexactly(len(content) if whole else 300_000)
        assert received == content[: len(received)]
        connection.writer.transport.abort()
    await eventually(lambda: not descriptors(path))
    assert app.bytes_by(ZERO_COPY) >= len(content) - BEGUN - TAIL
    listening.close()
    await http1.abort()


async def test_what_only_the_disk_has_is_brought_into_the_cache_and_arrives_as_regions(
    server: Server, app: Recorded, large: Path, content: bytes
) -> None:
    evict(large)
    async with server.connected() as connection:
        assert await get(connection, "/large.bin") == content
    assert app.bytes_by(ZERO_COPY) == len(content) - BEGUN - TAIL


@pytest.mark.parametrize("size", [500_000, 4_000_000])
async def test_a_region_that_is_not_cached_is_read_and_arrives(
    serve: Serve, large: Path, content: bytes, size: int
) -> None:
    server = await serve(sending(large, *((offset, size) for offset in range(0, 4_000_000, size))))
    evict(large)
    async with server.connected() as connection:
        await connection.ask("/")
        await connection.head()
        assert await unchunked(connection) == content[:4_000_000]


async def test_a_file_that_cannot_be_mapped_is_read_and_arrives(serve: Serve) -> None:
    version = Path("/proc/version")
    text = version.read_bytes()
    server = await serve(sending(version, (0, 10), (10, len(text) - 10)))
    async with server.connected() as connection:
        await connection.ask("/")
        await connection.head()
        assert await unchunked(connection) == text
