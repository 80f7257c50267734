"""The listing over HTTP: order, formats, policy, conditions, and working links."""

import os
import re
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, urljoin

import httpx
import pytest
from harness.asgi import ask
from harness.sources import OneStore, SlicedSource

from async_downloads.asgi import Downloads
from async_downloads.client.folders.listing import parse_listing
from async_downloads.config import Settings
from async_downloads.site.tree import Tree
from async_downloads.sources.base import Entry, Listing
from served_site.conftest import SiteOf
from served_site.page import read
from served_site.site import Site, app_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Directories and files whose names sort in more than one way."""
    tree = tmp_path / "tree"
    for name in ("b.txt", "A.txt", "c/in.txt", "Z/x", ".hidden", ".git/config"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tree


@pytest.fixture
async def site(site_of: SiteOf, tree: Path) -> Site:
    """The tree alone."""
    return await site_of(Settings(directory=tree))


async def test_directories_come_first_and_names_are_sorted(site: Site) -> None:
    response = await site.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert read(response.content).targets == ["c/", "Z/", "A.txt", "b.txt"]
    assert read(response.content).declared == "DOCTYPE html"


async def test_hidden_files_are_neither_listed_nor_served(site: Site) -> None:
    assert b".hidden" not in (await site.get("/")).content
    for target in ("/.hidden", "/.git", "/.git/", "/.git/config"):
        assert (await site.get(target)).status_code == 404


async def test_hidden_files_can_be_served(site_of: SiteOf, tree: Path) -> None:
    site = await site_of(Settings(directory=tree, hidden=True))
    assert [entry["name"] for entry in (await site.get("/?json")).json()["entries"]][:2] == [".git", "c"]
    assert (await site.get("/.hidden")).text == ".hidden"


async def test_the_content_security_policy_allows_files_of_the_site_only(site: Site) -> None:
    response = await site.get("/")
    policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "media-src": "'self'",
        "frame-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "same-origin"


async def test_a_page_for_a_browser_loads_its_style_and_script_which_are_cached_for_ever(site: Site) -> None:
    page = (await site.get("/c/", accept="text/html")).text
    loaded = re.findall(r'<(?:link rel="(?:icon|stylesheet)" href|script defer src)="([^"]*)"', page)
    assert len(loaded) == 3
    for target in loaded:
        response = await site.get(urljoin("/c/", target))
        assert response.status_code == 200
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert sha256(response.content).hexdigest()[:12] in target
        assert (await site.get(urljoin("/c/", target), if_none_match=response.headers["etag"])).status_code == 304


async def test_a_page_for_a_program_loads_nothing(site: Site) -> None:
    page = (await site.get("/c/", accept="*/*")).text
    assert "<link" not in page
    assert "<script" not in page


async def test_a_page_is_sent_in_gzip_to_a_client_that_accepts_it(site: Site, tree: Path) -> None:
    plain = await site.get("/", accept_encoding="identity")
    coded = await site.get("/", accept_encoding="gzip")
    assert coded.headers["content-encoding"] == "gzip"
    assert int(coded.headers["content-length"]) < len(plain.content) / 2
    assert coded.content == plain.content
    assert coded.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in (await site.get("/", accept_encoding="gzip", range="bytes=0-9")).headers


async def test_a_long_folder_comes_in_pages_that_have_every_entry_once(site: Site, tree: Path) -> None:
    names = [f"file {number}" for number in range(25)]
    for name in names:
        (tree / "c" / name).touch()
    (tree / "c" / "in.txt").unlink()
    found: list[str] = []
    target = "/c/?limit=10&json"
    while target:
        listing = (await site.get(target)).json()
        found += [entry["name"] for entry in listing["entries"]]
        target = urljoin("/c/", listing["next"]) if "next" in listing else ""
    assert found == names
    page = read((await site.get("/c/?limit=10", accept="text/html")).content)
    assert [button["value"] for button in page.buttons if button.get("name") == "after"] == ["file 9"]


async def test_our_client_finds_every_entry_of_a_folder_that_is_longer_than_one_response(
    site: Site, tree: Path
) -> None:
    for number in range(10_050):
        os.link(tree / "b.txt", tree / "c" / f"{number}.txt")
    found: list[str] = []
    url: str | None = f"{site.server.url}/c/"
    while url:
        response = await site.get(url, accept="application/json")
        listing = parse_listing(response.content, response.headers["content-type"], url)
        assert not listing.truncated
        found += [entry.name for entry in listing.entries]
        url = listing.next
    assert sorted(found) == sorted(["in.txt", *(f"{number}.txt" for number in range(10_050))])


async def test_a_folder_shows_how_many_entries_it_has_once_it_was_listed(site: Site, tree: Path) -> None:
    long_ago = 1_000_000_000
    for folder in (tree, tree / "c"):
        os.utime(folder, (long_ago, long_ago))
    assert "item" not in (await site.get("/?limit=99")).text
    await site.get("/c/")
    assert "1 item<" in (await site.get("/?limit=98")).text


@pytest.mark.parametrize(
    ("target", "accept", "media_type"),
    [
        pytest.param("/?json", "text/html", "application/json", id="query"),
        pytest.param("/?x&json=1", "*/*", "application/json", id="query-with-a-value"),
        pytest.param("/", "application/json", "application/json", id="accept"),
        pytest.param("/", "Application/JSON, */*;q=0.1", "application/json", id="accept-in-capitals"),
        pytest.param("/", "text/html,application/json", "text/html; charset=utf-8", id="browser"),
        pytest.param("/", "*/*", "text/html; charset=utf-8", id="anything"),
        pytest.param("/?jsonp", "*/*", "text/html; charset=utf-8", id="other-query"),
    ],
)
async def test_programs_get_json_and_browsers_html(site: Site, target: str, accept: str, media_type: str) -> None:
    response = await site.get(target, accept=accept)
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert set(response.headers["vary"].split(", ")) == {"Accept", "Accept-Encoding"}
    assert response.headers["cache-control"] == "no-cache"


async def test_head_has_the_fields_of_get(site: Site) -> None:
    for target in ("/", "/?json", "/c/"):
        response, head = await site.get(target), await site.ask(target, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert {**head.headers, "date": ""} == {**response.headers, "date": ""}


async def test_a_client_that_has_the_listing_gets_304_until_it_changes(site: Site, tree: Path) -> None:
    tag = (await site.get("/")).headers["etag"]
    same = await site.get("/", if_none_match=tag)
    assert (same.status_code, same.content) == (304, b"")
    assert set(same.headers["vary"].split(", ")) == {"Accept", "Accept-Encoding"}
    assert (await site.get("/?json", if_none_match=tag)).status_code == 200
    (tree / "new").touch()
    assert (await site.get("/", if_none_match=tag)).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("target", ["/", "/c/", "/c", "/b.txt", "/none"])
async def test_another_method_gets_405_and_the_list_of_methods(site: Site, target: str, method: str) -> None:
    response = await site.ask(target, method)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_a_missing_directory_gets_404(site: Site) -> None:
    for target in ("/none/", "/b.txt/", "/c/in.txt/", "/c/none/"):
        assert (await site.get(target)).status_code == 404


_NAMES = ["plain", "a:b", "two words", "naïve 日本", "100%", "%2e%2e", "a?b#c", "<&\"'>", os.fsdecode(b"\xff\xfe")]


@pytest.mark.parametrize("name", _NAMES, ids=ascii)
@pytest.mark.parametrize("query", ["", "?json", "?a=%20b&c=d+e"])
async def test_a_directory_without_its_slash_redirects_to_a_working_url(
    site: Site, tree: Path, name: str, query: str
) -> None:
    (tree / "c" / name).mkdir()
    asked = f"/c/{quote(os.fsencode(name))}"
    response = await site.get(asked + query)
    assert (response.status_code, response.content) == (301, b"")
    assert response.headers["location"].startswith("./")
    assert response.headers["cache-control"] == "no-cache"
    there = urljoin(f"{site.server.url}{asked}", response.headers["location"])
    assert there.partition("?")[1:] == ("?" if query else "", query.removeprefix("?"))
    assert (await site.get(there)).status_code == 200


@pytest.mark.parametrize("asked", ["/c%2Fin", "/c%2Fin/", "/c/in%2f", "/c%2fin%2f", "/c/./x/..%2Fin/"])
@pytest.mark.parametrize("query", ["", "?json"])
async def test_a_directory_with_an_encoded_slash_in_its_path_redirects_to_its_own_url(
    site: Site, tree: Path, asked: str, query: str
) -> None:
    (tree / "c" / "in").mkdir()
    response = await site.get(asked + query)
    assert response.status_code == 301
    assert urljoin(f"{site.server.url}{asked}", response.headers["location"]) == f"{site.server.url}/c/in/{query}"
    assert (await site.get("/c%2Fin.txt")).status_code == 200


@pytest.mark.parametrize("name", _NAMES, ids=ascii)
async def test_every_link_of_a_listing_works(site: Site, tree: Path, name: str) -> None:
    (tree / "c" / name).write_text("found")
    page = read((await site.get("/c/")).content)
    for target, _ in page.entries:
        assert (await site.get(urljoin(f"{site.server.url}/c/", target))).status_code == 200
    listing = (await site.get("/c/?json")).json()
    (url,) = [entry["url"] for entry in listing["entries"] if entry["name"] != "in.txt"]
    assert (await site.get(f"/c/{url}")).text == "found"


@pytest.mark.parametrize("target", ["/files", "/files/", "/files/c", "/files/c/", "/files/c/in.txt"])
async def test_mounted_below_a_path_its_links_still_work(tree: Path, target: str) -> None:
    transport = httpx.ASGITransport(app_of(Settings(directory=tree)), root_path="/files")
    async with httpx.AsyncClient(transport=transport, base_url="http://host", follow_redirects=True) as client:
        response = await client.get(target)
        assert response.status_code == 200
        if response.url.path.endswith("/"):
            links = [urljoin(str(response.url), link) for link, _ in read(response.content).entries]
            assert {(await client.get(link)).status_code for link in links} == {200}
            assert all(link.startswith("http://host/files/") for link in links)


async def test_a_store_that_cannot_be_listed_has_no_listing() -> None:
    tree = Tree(Downloads(OneStore(SlicedSource(b"data"))))
    assert (await ask(tree, "/")).status == 404
    assert (await ask(tree, "/file")).body == b"data"


class _Watched(tuple[Entry, ...]):
    """Entries that record the threads that read them."""

    __slots__ = ()
    threads: ClassVar[set[int]] = set()

    def __iter__(self) -> Iterator[Entry]:
        self.threads.add(threading.get_ident())
        return super().__iter__()


class _WatchedStore(OneStore):
    async def list(self, key: str) -> Listing:
        return Listing(_Watched([Entry("a", is_directory=False, size=1, modified=1)]), truncated=False)


@pytest.mark.parametrize("target", ["/", "/?json"])
async def test_a_listing_is_rendered_in_a_thread(target: str) -> None:
    response = await ask(Tree(Downloads(_WatchedStore(SlicedSource(b"data")))), target)
    assert (response.status, len(_Watched.threads)) == (200, 1)
    assert threading.get_ident() not in _Watched.threads
    _Watched.threads.clear()


async def test_the_save_button_offers_the_file(site: Site) -> None:
    (target, *_) = read((await site.get("/c/")).content).saved
    response = await site.get(f"/c/{target}?download=")
    assert response.headers["content-disposition"].startswith("attachment")


async def test_a_program_that_follows_all_links_finds_each_file_once(site: Site) -> None:
    found: list[str] = []
    waiting = ["/"]
    while waiting:
        target = waiting.pop()
        for link, _ in read((await site.get(target)).content).links:
            if link != "../":
                (waiting if link.endswith("/") else found).append(f"{target}{link}")
    assert sorted(found) == ["/A.txt", "/Z/x", "/b.txt", "/c/in.txt"]
