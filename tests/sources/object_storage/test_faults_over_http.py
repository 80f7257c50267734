"""What clients get over HTTP from a store that misbehaves: a status, or a response that is closed short."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from conftest import Serve
from harness.scripted import scripted
from harness.served import Server

from async_downloads.asgi import Downloads
from async_downloads.sources.object_storage import ObjectStore
from sources.object_storage.faulty_s3 import DATA, FaultyS3


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> AsyncIterator[Server]:
    """A server of a store that misbehaves."""
    async with scripted(FaultyS3()) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{address.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield await serve(Downloads(ObjectStore.from_url("s3://bucket")))


@pytest.mark.parametrize(
    ("key", "status", "retry_after"),
    [
        ("missing", 404, None),
        ("unlisted", 404, None),
        ("forbidden", 403, None),
        ("busy", 503, "1"),
        *((key, 502, None) for key in ("moved", "expired", "endless", "no-size", "odd-range", "no-content-range")),
    ],
)
async def test_an_error_of_the_store_has_its_status(
    server: Server, key: str, status: int, retry_after: str | None
) -> None:
    async with server.connected() as connection:
        await connection.ask(f"/{key}")
        found, fields, body = await connection.read_response()
    assert (found, fields["Retry-After"]) == (status, retry_after)
    assert b"bucket" not in body


@pytest.mark.parametrize(
    ("key", "start", "size"),
    [("empty", 0, 0), ("one-chunk", 0, 65536), ("one-chunk", 65535, 65536), ("two-chunks", 65536, 131072)],
)
async def test_an_object_that_fills_its_chunks_is_sent_to_its_end(
    server: Server, key: str, start: int, size: int
) -> None:
    async with server.connected() as connection:
        await connection.ask(f"/{key}", f"Range: bytes={start}-")
        status, _, body = await connection.read_response()
    assert (status, body) == (206 if size else 200, DATA[start:size])


async def test_a_coded_object_is_sent_as_it_is_stored(server: Server) -> None:
    async with server.connected() as connection:
        await connection.ask("/coded")
        status, fields, body = await connection.read_response()
    assert (status, fields["Content-Encoding"], body) == (200, "gzip", DATA)


_CUT = ("replaced", "replaced-later", "gone-later", "forbidden-later", "busy-later", "cut")


@pytest.mark.parametrize("key", [*_CUT, "moved-later", "expired-later", "whole-later"])
async def test_a_download_that_cannot_go_on_is_closed_short(server: Server, key: str) -> None:
    async with server.connected() as connection:
        await connection.ask(f"/{key}")
        status, fields = await connection.head()
        received = await connection.reader.read()
    assert (status, fields["Content-Length"]) == (200, str(len(DATA)))
    assert 0 < len(received) < len(DATA)
    assert DATA.startswith(received)


async def test_a_stalled_store_delays_no_other_download(server: Server) -> None:
    async with server.connected() as stalled, server.connected() as connection:
        await stalled.ask("/stalled")
        await stalled.head()
        await connection.ask("/good")
        assert (await connection.read_response())[2] == DATA
        begun = await stalled.reader.readexactly(64 * 1024)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stalled.reader.read(1), 0.01)
    assert DATA.startswith(begun)
