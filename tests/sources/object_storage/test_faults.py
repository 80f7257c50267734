"""What a store that misbehaves costs: an error, never wrong bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from harness.scripted import Connection, head, scripted
from harness.waiting import HANGING, eventually

from async_downloads.errors import (
    DownloadError,
    Forbidden,
    IsDirectory,
    NotFound,
    SourceBusy,
    SourceChanged,
    SourceError,
)
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import RequestHead
from async_downloads.sources.base import Source
from async_downloads.sources.object_storage import ObjectStore, connecting
from async_downloads.sources.object_storage.errors import UnreadableKey
from async_downloads.sources.object_storage.writing import BucketFiles
from sources.contract import read, read_whole
from sources.object_storage.faulty_s3 import DATA, FaultyS3


def _list_of(*, date: str = "2026-01-02T03:04:05Z", size: str = "1") -> bytes:
    object_ = f"<Key>a//b</Key><LastModified>{date}</LastModified><Size>{size}</Size>"
    return f"<ListBucketResult><Contents>{object_}</Contents></ListBucketResult>".encode()


@dataclass
class Faulty:
    """A store, and the server behind it."""

    store: ObjectStore
    server: FaultyS3


@pytest.fixture
async def faulty(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Faulty]:
    """A store of a server that misbehaves."""
    server = FaultyS3()
    async with scripted(server) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{address.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield Faulty(ObjectStore.from_url("s3://bucket"), server)


@pytest.mark.parametrize("key", ["good", "busy-once", "no-ranges", "no-etag", "weak-etag"])
async def test_an_object_is_read_whole(faulty: Faulty, key: str) -> None:
    assert await read_whole(faulty.store, key) == DATA


@pytest.mark.parametrize("key", ["no-ranges", "no-etag", "weak-etag"])
async def test_without_ranges_or_a_strong_etag_no_range_is_offered(faulty: Faulty, key: str) -> None:
    source = await faulty.store.open(key)
    assert not source.representation.ranges
    await source.aclose()


@pytest.mark.parametrize(
    ("key", "error"),
    [("missing", NotFound), ("unlisted", NotFound), ("forbidden", Forbidden), ("busy", SourceBusy)],
    ids=str,
)
async def test_an_error_of_the_store_has_its_meaning(faulty: Faulty, key: str, error: type[DownloadError]) -> None:
    with pytest.raises(error):
        await faulty.store.open(key)


@pytest.mark.parametrize("key", ["replaced", "replaced-later", "gone-later"])
async def test_a_version_that_is_gone_is_not_mixed_with_another(faulty: Faulty, key: str) -> None:
    source = await faulty.store.open(key)
    with pytest.raises(SourceChanged):
        await read(source, 0, len(DATA))


@pytest.mark.parametrize(
    "key", ["cut", "short-part", "other-part", "too-long", "busy-later", "forbidden-later", "stalled"]
)
async def test_a_read_that_fails_yields_no_wrong_byte_and_raises(
    faulty: Faulty, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connecting._CLIENT, "read_timeout", "100 ms")
    source = await ObjectStore.from_url("s3://bucket").open(key)
    received = bytearray()
    with pytest.raises((SourceError, Forbidden)):
        await _read_into(received, source)
    assert DATA.startswith(received)


async def _read_into(received: bytearray, source: Source) -> None:
    async with aclosing(source.read(ByteRange(0, source.representation.size or 0))) as chunks:
        async for chunk in chunks:
            received += chunk


async def test_no_byte_is_requested_for_head_and_one_request_for_a_range(faulty: Faulty) -> None:
    source = await faulty.store.open_for(RequestHead("HEAD", 0), "good")
    assert source.representation.size == len(DATA)
    source = await faulty.store.open_for(RequestHead("GET", 0, {"range": "bytes=500000-500009"}), "good")
    assert await read(source, 500_000, 500_010) == DATA[500_000:500_010]
    assert faulty.server.requests["good"] == 2


async def test_a_range_behind_the_end_is_described(faulty: Faulty) -> None:
    source = await faulty.store.open_for(RequestHead("GET", 0, {"range": "bytes=9999999-"}), "good")
    assert source.representation.size == len(DATA)
    assert source.representation.ranges


async def test_keys_that_cannot_be_read_do_not_hide_their_folder(faulty: Faulty) -> None:
    listing = await faulty.store.list("odd")
    assert [(entry.name, entry.size) for entry in listing.entries] == [("sub", None), ("b c", 2)]


@pytest.mark.parametrize("key", ["odd", "xml"])
async def test_a_folder_with_a_key_that_cannot_be_read_is_a_folder(faulty: Faulty, key: str) -> None:
    with pytest.raises(IsDirectory):
        await faulty.store.open(key)


async def test_a_bucket_with_a_key_that_cannot_be_read_is_ready(faulty: Faulty) -> None:
    await ObjectStore.from_url("s3://bucket/odd").probe()


async def test_credentials_that_may_not_list_are_no_fault_but_unknown_ones_are(faulty: Faulty) -> None:
    await ObjectStore.from_url("s3://bucket/unlisted").probe()
    with pytest.raises(SourceError, match=r"403 Forbidden: InvalidAccessKeyId: No: correct AWS_ACCESS_KEY_ID$"):
        await ObjectStore.from_url("s3://bucket/unknown-owner").probe()


async def test_ls_and_rm_survive_keys_that_cannot_be_read(faulty: Faulty) -> None:
    bucket = BucketFiles.from_url("s3://bucket/odd")
    assert [(each.name, each.size) for each in await bucket.files()] == [("a ü\x01", 1), ("b c", 2)]
    for key in ("a//b", "/a", "..", "a\x01b"):
        with pytest.raises(UnreadableKey, match="another program"):
            await bucket.remove(key)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_unknown_access_key_is_the_fault_of_the_operator(faulty: Faulty, method: str) -> None:
    with pytest.raises(SourceError, match="InvalidAccessKeyId"):
        await faulty.store.open_for(RequestHead(method, 0), "unknown")


async def test_without_a_key_to_sign_with_such_a_folder_is_an_error(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = ObjectStore(faulty.store._upstream._store)
    with pytest.raises(SourceError, match="cannot be listed"):
        await store.list("odd")


async def test_a_new_request_does_not_wait_behind_running_downloads(faulty: Faulty) -> None:
    store = ObjectStore(faulty.store._upstream._store, connections=8, patience=HANGING)
    sources = [await store.open("stalled") for _ in range(20)]
    reads = [asyncio.create_task(read(source, 0, len(DATA))) for source in sources]
    await eventually(lambda: faulty.server.requests["stalled"] == 20 + 7)
    assert (await store.open("good")).representation.size == len(DATA)
    for each in reads:
        each.cancel()
    await asyncio.gather(*reads, return_exceptions=True)


async def test_without_a_free_connection_a_new_request_fails_soon(faulty: Faulty) -> None:
    store = ObjectStore(faulty.store._upstream._store, connections=1, patience=0.01)
    source = await store.open("stalled")
    reading = asyncio.create_task(read(source, 0, len(DATA)))
    await eventually(lambda: faulty.server.requests["stalled"] == 2)
    with pytest.raises(SourceBusy, match="all connections"):
        await store.open("good")
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.parametrize("start", [0, 100])
async def test_a_store_that_ignores_ranges_gives_the_whole_for_a_part(faulty: Faulty, start: int) -> None:
    source = await faulty.store.open_for(RequestHead("GET", 0, {"range": f"bytes={start}-"}), "no-ranges")
    assert not source.representation.ranges
    assert await read(source, 0, len(DATA)) == DATA


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        pytest.param(b"<html><br>Log in</html>", "cannot be listed", id="a login page"),
        pytest.param(b"<ListBucketResult><Contents><Key>a", "cannot be listed", id="half a list"),
        pytest.param(_list_of(date="yesterday"), "Invalid isoformat string: 'yesterday'", id="no date"),
        pytest.param(_list_of(size="many"), "invalid literal for int", id="no size"),
    ],
)
async def test_a_response_that_is_no_list_is_an_error(
    listed: bytes, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def respond(connection: Connection) -> None:
        await connection.request()
        await connection.send(head(f"content-length: {len(listed)}", "connection: close"), listed)

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with scripted(respond) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{address.port}")
        with pytest.raises(SourceError, match=problem):
            await BucketFiles.from_url("s3://bucket").files()
        with pytest.raises(SourceError, match=problem):
            await ObjectStore.from_url("s3://bucket").list("")
