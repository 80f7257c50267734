"""Other servers and other protocols: Granian, which sends files by itself, and HTTP/2 over TLS."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from h2.connection import H2Connection
from h2.events import DataReceived
from harness.ports import reserved_port
from harness.process import descriptors
from harness.served import Server, hypercorn
from harness.waiting import HANGING, eventually

from async_downloads.asgi import Downloads
from async_downloads.sources.directory import DirectoryStore

PIECE = 32 * 1024

_RECORDING_APP = """
import json
from async_downloads import DirectoryStore, Downloads

downloads = Downloads(DirectoryStore({root!r}))


async def app(scope, receive, send):
    kinds = []

    async def note(message):
        kinds.append(message["type"])
        await send(message)

    await downloads(scope, receive, note)
    if scope["type"] == "http":
        with open({record!r}, "a") as record:
            print(json.dumps(kinds), file=record)
"""


@dataclass(frozen=True, slots=True)
class Granian:
    """A running Granian, and the record of the messages of its app."""

    server: Server
    process: subprocess.Popen[bytes]
    record: Path

    def said(self) -> list[set[str]]:
        """Return the kinds of messages of each response."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [{kind.removeprefix("http.response.") for kind in json.loads(line)} for line in lines]

    def descriptors(self, path: Path) -> int:
        """Return how many descriptors of the file the server has."""
        workers = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(len(descriptors(path, pid=int(pid))) for pid in workers)


@pytest.fixture
async def granian(tmp_path: Path, large: Path) -> AsyncIterator[Granian]:
    """A Granian that serves the directory of the large file."""
    root, record = tmp_path / "root", tmp_path / "record"
    root.mkdir()
    large.rename(root / "large.bin")
    (tmp_path / "recording.py").write_text(_RECORDING_APP.format(root=str(root), record=str(record)))
    with reserved_port() as port:
        process = _serving(tmp_path, port)
        try:
            await eventually(lambda: _listens(port))
            yield Granian(Server(port), process, record)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _serving(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(
        [*command, "--workers", "1", "recording:app"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path[1:]])},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


async def test_granian_is_given_the_path_of_a_whole_file(granian: Granian, content: bytes, tmp_path: Path) -> None:
    async with httpx.AsyncClient(base_url=granian.server.url, timeout=HANGING) as client:
        for _ in range(3):
            response = await client.get("/large.bin")
            assert (response.status_code, response.content == content) == (200, True)
            assert response.headers["content-length"] == str(len(content))
    await eventually(lambda: granian.said() == [{"start", "pathsend"}] * 3)
    await eventually(lambda: not granian.descriptors(tmp_path / "root" / "large.bin"))


async def test_granian_is_given_the_bytes_of_a_range(granian: Granian, content: bytes) -> None:
    async with httpx.AsyncClient(base_url=granian.server.url, timeout=HANGING) as client:
        response = await client.get("/large.bin", headers={"Range": "bytes=1000000-2999999"})
        head = await client.head("/large.bin")
    assert (response.status_code, response.content == content[1_000_000:3_000_000]) == (206, True)
    assert (head.headers["content-length"], head.content) == (str(len(content)), b"")
    await eventually(lambda: granian.said() == [{"start", "body"}] * 2)


async def test_a_file_replaced_while_granian_sends_it_is_sent_as_it_was(
    granian: Granian, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "root" / "large.bin"
    async with granian.server.downloading("/large.bin") as connection:
        path.with_name("new").write_bytes(b"new")
        path.with_name("new").replace(path)
        assert await connection.reader.readexactly(len(content)) == content
    async with granian.server.connected() as connection:
        await connection.ask("/large.bin")
        assert (await connection.read_response())[2] == b"new"


async def test_when_the_clients_of_granian_leave_nothing_stays_open(
    granian: Granian, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "root" / "large.bin"
    async with AsyncExitStack() as clients:
        for _ in range(20):
            await clients.enter_async_context(granian.server.downloading("/large.bin"))
        assert granian.descriptors(path)
    await eventually(lambda: not granian.descriptors(path))


@pytest.fixture
async def hypercorn_with_tls(large: Path, certificate: tuple[Path, Path]) -> AsyncIterator[Server]:
    """A Hypercorn with TLS, which speaks HTTP/2."""
    async with hypercorn(Downloads(DirectoryStore(large.parent)), certificate=certificate) as server:
        yield server


@pytest.fixture
async def http2(hypercorn_with_tls: Server, certificate: tuple[Path, Path]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of HTTP/2."""
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    url = hypercorn_with_tls.url
    async with httpx.AsyncClient(base_url=url, verify=trusted, http2=True, timeout=HANGING) as client:
        yield client


async def test_responses_over_http2_are_the_same(http2: httpx.AsyncClient, content: bytes) -> None:
    whole = await http2.get("/large.bin")
    part = await http2.get("/large.bin", headers={"Range": "bytes=5-9", "If-Range": whole.headers["etag"]})
    same = await http2.get("/large.bin", headers={"If-None-Match": whole.headers["etag"]})
    head, absent = await http2.head("/large.bin"), await http2.get("/nothing")
    assert {response.http_version for response in (whole, part, same, head, absent)} == {"HTTP/2"}
    assert (whole.status_code, whole.content == content) == (200, True)
    assert (part.status_code, part.content) == (206, content[5:10])
    assert (same.status_code, head.status_code, absent.status_code) == (304, 200, 404)


async def test_over_http2_many_downloads_share_a_connection(http2: httpx.AsyncClient, content: bytes) -> None:
    ranges = [f"bytes={start}-{start + 99_999}" for start in range(0, 2_000_000, 100_000)]
    responses = await asyncio.gather(*(http2.get("/large.bin", headers={"Range": value}) for value in ranges))
    assert b"".join(response.content for response in responses) == content[:2_000_000]


async def test_a_download_that_is_reset_over_http2_leaves_nothing(
    hypercorn_with_tls: Server, large: Path, certificate: tuple[Path, Path]
) -> None:
    server = hypercorn_with_tls
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    trusted.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusted)
    client = H2Connection()
    client.initiate_connection()
    client.send_headers(1, _request("GET", "/large.bin", server), end_stream=True)
    writer.write(client.data_to_send())
    while not any(isinstance(event, DataReceived) for event in client.receive_data(await reader.read(PIECE))):
        writer.write(client.data_to_send())
    assert descriptors(large)
    client.reset_stream(1)
    writer.write(client.data_to_send())
    await eventually(lambda: not descriptors(large))
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


def _request(method: str, path: str, server: Server) -> list[tuple[str, str]]:
    """Return the pseudo-fields of a request (RFC 9113 §8.3.1)."""
    return [(":method", method), (":path", path), (":scheme", "https"), (":authority", f"127.0.0.1:{server.port}")]
