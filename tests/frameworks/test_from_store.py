"""`DownloadResponse.from_store`: a file of any store by a key that may come from a client."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import pytest
from harness.asgi import ask
from harness.process import descriptors
from harness.sources import OneStore
from obstore.store import MemoryStore as Bucket
from starlette.exceptions import HTTPException

from async_downloads.errors import DownloadError, Forbidden, SourceBusy, SourceError
from async_downloads.semantics.representation import Representation
from async_downloads.sources.base import Store
from async_downloads.sources.database.urls import open_catalogue
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource, MemoryStore
from async_downloads.sources.object_storage import ObjectStore
from async_downloads.starlette import DownloadResponse

CONTENT: Final = b"0123456789" * 20_000


@pytest.fixture(params=["folder", "memory", "bucket", "SQLite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store of each kind, with one file."""
    if request.param == "folder":
        (tmp_path / "top" / "sub").mkdir(parents=True)
        (tmp_path / "secret.txt").write_bytes(b"secret")
        (tmp_path / "top/sub/a b.txt").write_bytes(CONTENT)
        yield DirectoryStore(tmp_path / "top")
    elif request.param == "memory":
        yield MemoryStore({"sub/a b.txt": MemorySource(CONTENT, Representation(len(CONTENT), "text/plain"))})
    elif request.param == "bucket":
        bucket = Bucket()
        await bucket.put_async("sub/a b.txt", CONTENT)
        yield ObjectStore(bucket)
    else:
        async with aclosing(open_catalogue(f"sqlite:///{tmp_path}/files.db")) as catalogue:
            await catalogue.init()
            await catalogue.put("sub/a b.txt", _one(CONTENT))
            yield catalogue


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_file_and_a_range_of_it_are_sent(store: Store) -> None:
    for fields, status, body in (((), 200, CONTENT), ([("Range", "bytes=5-9")], 206, b"56789")):
        response = await DownloadResponse.from_store(store, "sub/a b.txt")
        exchange = await ask(response, fields=fields)
        assert (exchange.status, exchange.body) == (status, body)
        assert exchange.fields["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "key", ["none", "sub", "", "/", "../secret.txt", "sub/../../secret.txt", "a\0b", "%2e%2e/secret.txt"]
)
async def test_a_key_that_the_store_does_not_have_is_a_404(store: Store, key: str) -> None:
    with pytest.raises(HTTPException) as raised:
        await DownloadResponse.from_store(store, key)
    assert (raised.value.status_code, raised.value.detail) == (404, "Not Found")


async def test_a_key_is_normalized_like_the_path_of_a_url(store: Store) -> None:
    for key in ("/sub/a b.txt", "sub//a b.txt", "sub/./a b.txt", "x/../sub/a b.txt"):
        response = await DownloadResponse.from_store(store, key)
        assert (await ask(response)).body == CONTENT


@pytest.mark.parametrize(
    ("error", "status", "fields"),
    [
        (Forbidden("no permission"), 403, None),
        (SourceBusy("busy", retry_after=3), 503, {"Retry-After": "3"}),
        (SourceError("broken"), 502, None),
    ],
)
async def test_a_store_that_fails_is_another_status(
    error: DownloadError, status: int, fields: dict[str, str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(HTTPException) as raised:
        await DownloadResponse.from_store(OneStore(error), "a")
    assert (raised.value.status_code, raised.value.headers) == (status, fields)
    assert str(error) not in raised.value.detail
    assert caplog.messages == [f"'a': {status}: {error}"]


async def test_the_options_are_those_of_the_response(store: Store) -> None:
    response = await DownloadResponse.from_store(store, "sub/a b.txt", filename="c.txt", cache_control="max-age=60")
    exchange = await ask(response, method="HEAD")
    assert exchange.fields["content-disposition"] == "attachment; filename=c.txt"
    assert exchange.fields["cache-control"] == "max-age=60"


async def test_the_file_is_closed_after_it_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    await ask(await DownloadResponse.from_store(DirectoryStore(tmp_path), "a.bin"))
    assert descriptors(path) == {}


async def test_the_file_is_closed_if_the_options_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    with pytest.raises(ValueError, match="has no content"):
        await DownloadResponse.from_store(DirectoryStore(tmp_path), "a.bin", status_code=204)
    assert descriptors(path) == {}
