"""Redirects to a bucket: what is not redirected, and how long the URLs of redirects are valid."""

from urllib.parse import parse_qs, urlsplit

import obstore
import pytest
from harness.asgi import ask
from obstore.store import MemoryStore

from async_downloads.site.object_redirects import RedirectingDownloads
from async_downloads.site.tree import Tree
from async_downloads.sources.object_storage import ObjectStore, S3Signer

_WEEK = 604_800  # seconds: S3 signs for no longer


@pytest.fixture
async def store() -> ObjectStore:
    """A bucket with a page of its own for one folder."""
    upstream = MemoryStore()
    for key in ("docs/index.html", "docs/a.txt", "plain/a.txt"):
        await obstore.put_async(upstream, key, key.encode())
    return ObjectStore(upstream, signer=S3Signer("https://bucket.example", "", "id", "secret"))


async def test_the_page_of_a_folder_is_not_redirected(store: ObjectStore) -> None:
    site = Tree(RedirectingDownloads(store, 600, attachment=False), index=True)
    assert (await ask(site, "/docs/a.txt")).status == 307
    page = await ask(site, "/docs/")
    assert (page.status, page.body) == (200, b"docs/index.html")
    assert b"a.txt" in (await ask(site, "/plain/?json")).body
    assert (await ask(site, "/plain/")).status == 200  # a folder without such a page is listed


@pytest.mark.parametrize("seconds", [1, 600, 403_200, 403_201, _WEEK - 1, _WEEK])
async def test_no_url_is_valid_for_longer_than_a_store_allows(store: ObjectStore, seconds: int) -> None:
    found = await ask(RedirectingDownloads(store, seconds, attachment=False), "/docs/a.txt")
    [expires] = parse_qs(urlsplit(found.fields["location"]).query)["X-Amz-Expires"]
    window = int(found.fields["cache-control"].rpartition("=")[2])
    assert seconds <= int(expires) == seconds + window <= _WEEK
