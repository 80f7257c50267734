"""What a store that misbehaves costs a catalogue whose bytes it has: an error, never wrong bytes."""

from collections.abc import AsyncIterator

import pytest
from harness.scripted import scripted

from async_downloads.errors import SourceBusy, SourceChanged, SourceError, SourceTruncated
from async_downloads.semantics.representation import Representation
from async_downloads.sources.object_storage.blobs import Blobs, BlobSource
from sources.contract import read
from sources.object_storage.faulty_s3 import DATA, FaultyS3


@pytest.fixture
async def blobs(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Blobs]:
    """The objects of a server that misbehaves."""
    async with scripted(FaultyS3()) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{address.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield Blobs("s3://bucket", "0")


def _source(blobs: Blobs, key: str) -> BlobSource:
    return BlobSource(blobs, key, Representation(size=len(DATA), filename="a.bin"))


@pytest.mark.parametrize("key", ["good", "busy-once", "no-etag", "weak-etag"])
async def test_a_blob_is_read_whole(blobs: Blobs, key: str) -> None:
    assert await read(_source(blobs, key), 0, len(DATA)) == DATA


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("missing", SourceChanged, "the object missing of 'a.bin' is missing$"),
        ("gone-later", SourceChanged, "is missing$"),
        ("denied", SourceChanged, "is missing, or may not be read"),
        ("forbidden", SourceError, "is missing, or may not be read"),
        ("busy", SourceBusy, "503"),
        ("no-ranges", SourceTruncated, "its store ignores ranges"),
    ],
)
async def test_an_error_of_the_store_has_its_meaning(
    blobs: Blobs, key: str, error: type[SourceError], message: str
) -> None:
    with pytest.raises(SourceError, match=message) as raised:
        await read(_source(blobs, key), 0, len(DATA))
    assert type(raised.value) is error
