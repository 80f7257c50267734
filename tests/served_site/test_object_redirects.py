"""Redirects to a bucket: what is not redirected, and how long the URLs of redirects are valid."""

import time
from urllib.parse import parse_qs, urlsplit

import obstore
import pytest
from harness.asgi import App, ask
from obstore.store import MemoryStore

from async_downloads.access.signature_parameter import LINK
from async_downloads.access.signer import Link
from async_downloads.sending import Receive, Scope, Send
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


def _opened_by(link: Link, store: ObjectStore) -> App:
    """Return the app as it responds to requests that the link has opened."""
    app = RedirectingDownloads(store, 600, attachment=False)

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, LINK: link}, receive, send)

    return respond


async def test_a_url_is_valid_for_no_longer_than_the_link_that_opened_it(store: ObjectStore) -> None:
    for left, longest in ((5, 5), (700, 600), (86_400, 900)):
        begun = time.time()
        found = await ask(_opened_by(Link(int(begun) + left), store), "/docs/a.txt")
        [expires] = parse_qs(urlsplit(found.fields["location"]).query)["X-Amz-Expires"]
        assert longest - 2 - (time.time() - begun) <= int(expires) <= longest


async def test_a_link_names_the_file_also_after_a_redirect(store: ObjectStore) -> None:
    found = await ask(_opened_by(Link(2**33, name="holiday.txt"), store), "/docs/a.txt")
    [disposition] = parse_qs(urlsplit(found.fields["location"]).query)["response-content-disposition"]
    assert disposition == "inline; filename=holiday.txt"


async def test_a_link_for_one_address_is_not_redirected(store: ObjectStore) -> None:
    found = await ask(_opened_by(Link(2**33, address="192.0.2.1"), store), "/docs/a.txt")
    assert (found.status, found.body) == (200, b"docs/a.txt")
