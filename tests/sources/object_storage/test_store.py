"""What a store says about objects, and which keys and URLs it takes."""

import asyncio
from typing import Any, cast

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from async_downloads.errors import NotFound, SourceError
from async_downloads.semantics.representation import RequestHead
from async_downloads.sources.memory import MemorySource
from async_downloads.sources.object_storage import ObjectStore
from async_downloads.sources.object_storage.connecting import store_at
from async_downloads.sources.object_storage.errors import meaning_of
from async_downloads.sources.object_storage.found import FoundObject, FoundRows
from async_downloads.sources.object_storage.small_objects import SmallObjects
from async_downloads.sources.object_storage.upstream import Upstream
from async_downloads.sources.object_urls import check_object_url, is_object_url
from sources.contract import read_whole

_FIELDS: dict[str, Any] = {
    "Content-Type": "text/x-custom",
    "Content-Language": "de",
    "Content-Encoding": "gzip",
    "Content-Disposition": 'attachment; filename="Bericht.txt"',
    "Cache-Control": "max-age=60",
    "sha256": "ab" * 32,
}


@pytest.fixture
def upstream() -> MemoryStore:
    return MemoryStore()


async def test_the_fields_of_an_object_are_in_its_description(upstream: MemoryStore) -> None:
    await obstore.put_async(upstream, "a", b"a", attributes=_FIELDS)
    found = (await ObjectStore(upstream).open("a")).representation
    assert (found.media_type, found.language, found.coding) == ("text/x-custom", "de", "gzip")
    assert (found.filename, found.cache_control, found.digest) == ("Bericht.txt", "max-age=60", b"\xab" * 32)


@pytest.mark.parametrize(
    "stored", [{"Content-Type": "binary/octet-stream"}, {"sha256": "ab"}, {"sha256": "no hex"}, {}]
)
async def test_fields_that_say_nothing_are_ignored(upstream: MemoryStore, stored: dict[str, Any]) -> None:
    await obstore.put_async(upstream, "docs/a.pdf", b"a", attributes=stored)
    found = (await ObjectStore(upstream).open("docs/a.pdf")).representation
    assert (found.media_type, found.filename, found.digest) == ("application/pdf", "a.pdf", None)


async def test_a_small_object_is_kept_until_it_changes(upstream: MemoryStore) -> None:
    store = ObjectStore(upstream)
    await obstore.put_async(upstream, "a", b"first")
    first = await store.open("a")
    assert await store.open("a") is first
    await obstore.put_async(upstream, "a", b"second")
    assert await read_whole(store, "a") == b"second"


async def test_changed_fields_are_seen_after_a_minute(upstream: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(upstream)
    await obstore.put_async(upstream, "a", b"first")
    first = await store.open("a")
    monkeypatch.setattr(SmallObjects, "_SECONDS", -1.0)
    store._small_objects.put("a", cast("MemorySource", first), '"0"')
    assert store._small_objects.get("a") is None
    assert await store.open("a") is not first


def test_the_objects_that_are_kept_are_bounded_in_bytes() -> None:
    kept = SmallObjects()
    source = MemorySource(b"x" * 64 * 1024, representation=None)  # type: ignore[arg-type]
    for number in range(1000):
        kept.put(str(number), source, "tag")
    assert kept.get("0") is None
    assert kept.get("999") is not None
    assert kept._bytes <= SmallObjects._CAPACITY_BYTES


@pytest.mark.parametrize("fields", [{}, {"if-none-match": '"x"'}, {"range": "bytes=-1"}], ids=str)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_object_is_opened_for_any_request(upstream: MemoryStore, method: str, fields: dict[str, str]) -> None:
    await obstore.put_async(upstream, "a", b"x" * 100_000)
    source = await ObjectStore(upstream).open_for(RequestHead(method, 0, fields), "a")
    assert source.representation.size == 100_000


async def test_hidden_names_are_served_only_if_they_are_wanted(upstream: MemoryStore) -> None:
    for key in (".env", "a/.b", "a/c"):
        await obstore.put_async(upstream, key, b"x")
    store, open_store = ObjectStore(upstream), ObjectStore(upstream, hidden=True)
    assert [entry.name for entry in (await store.list("a")).entries] == ["c"]
    assert [entry.name for entry in (await open_store.list("a")).entries] == [".b", "c"]
    assert await read_whole(open_store, ".env") == b"x"
    with pytest.raises(NotFound):
        await store.open(".env")


async def test_a_long_listing_is_cut(upstream: MemoryStore) -> None:
    for number in range(5):
        await obstore.put_async(upstream, f"a/{number}", b"x")
    listing = await ObjectStore(upstream, max_entries=3).list("a")
    assert (len(listing.entries), listing.truncated) == (3, True)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("s3://", "names no bucket"),
        ("s3://key:secret@bucket", "no password"),
        ("s3://bucket?region=x", "no options"),
        ("ftp://bucket", "is not the URL"),
        ("s3://my bucket/a", "names no bucket"),
        ("s3://[bucket", "names no bucket"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_object_url(url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [("s3://bucket/a#b", "write %23"), ("s3://bucket/a/../b", "such as"), ("s3://b/a//b", "such as")],
)
def test_a_prefix_that_obstore_would_take_for_another_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        store_at(url)


def test_only_urls_of_object_stores_are_taken_for_one() -> None:
    assert [url for url in ("s3://b", "gs://b/p", "az://c", "memory://", "s3", "http://b") if is_object_url(url)] == [
        "s3://b",
        "gs://b/p",
        "az://c",
        "memory://",
    ]


async def test_an_empty_folder_that_a_program_has_made_is_listed(upstream: MemoryStore) -> None:
    await obstore.put_async(upstream, "made/.hidden", b"x")
    assert (await ObjectStore(upstream).list("made")).entries == ()


async def test_a_key_may_be_an_object_and_a_folder(upstream: MemoryStore) -> None:
    for key in ("a", "a/b"):
        await obstore.put_async(upstream, key, key.encode())
    store = ObjectStore(upstream)
    assert [await read_whole(store, key) for key in ("a", "a/b")] == [b"a", b"a/b"]
    assert [(entry.name, entry.is_directory) for entry in (await store.list("")).entries] == [("a", True), ("a", False)]
    assert [entry.name for entry in (await store.list("a")).entries] == ["b"]


@pytest.mark.parametrize(
    ("stored", "coding"), [("gzip,aws-chunked", "gzip"), ("aws-chunked", None), ("gzip, br", "gzip, br")]
)
async def test_the_coding_of_an_upload_is_not_that_of_the_object(
    upstream: MemoryStore, stored: str, coding: str | None
) -> None:
    await obstore.put_async(upstream, "a", b"a", attributes={"Content-Encoding": stored})
    assert (await ObjectStore(upstream).open("a")).representation.coding == coding


async def test_a_long_listing_is_sorted_in_a_thread(upstream: MemoryStore) -> None:
    await asyncio.gather(*(obstore.put_async(upstream, f"a/{number:04}", b"") for number in range(1500)))
    listing = await ObjectStore(upstream).list("a")
    assert [entry.name for entry in listing.entries] == [f"{number:04}" for number in range(1500)]


async def test_of_a_long_listing_a_thousand_objects_are_made_at_a_time(upstream: MemoryStore) -> None:
    """Between two slices other threads can run, and so the event loop."""
    await asyncio.gather(*(obstore.put_async(upstream, f"a/{number:04}", b"xy") for number in range(2001)))
    found = await Upstream(upstream, connections=1, patience=1).list("a")
    assert isinstance(found.objects, FoundRows)
    slices = list(found.objects.slices())
    assert [len(each) for each in slices] == [1000, 1000, 1]
    head = await obstore.head_async(upstream, "a/2000")
    modified = int(head["last_modified"].timestamp())
    assert slices[2] == [FoundObject("a/2000", 2, modified, head["e_tag"])]


@pytest.mark.parametrize(
    ("name", "url", "variables"),
    [
        ("S3", "http://169.254.169.254/latest/api/token", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("S3", "http://169.254.170.2/role", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("GCS", "http://metadata.google.internal/computeMetadata/v1/token", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("MicrosoftAzure", "http://169.254.169.254/metadata/identity", "AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_an_error_of_a_machine_without_credentials_names_the_variables(name: str, url: str, variables: str) -> None:
    text = f"Generic {name} error: Error performing GET {url} in 9ms - status code: 403 Forbidden: no\n\nmore"
    meaning = meaning_of(GenericError(text))
    assert type(meaning) is SourceError
    assert str(meaning).startswith(f"no credentials: set {variables}")
    assert "http" not in str(meaning)
    assert "\n" not in str(meaning)
