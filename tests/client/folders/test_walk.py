"""Walking through the folders of a server: what is listed, what is selected, what is not followed."""

import json
from collections.abc import Awaitable, Callable, Iterable

import pytest

from async_downloads.client.document import Document
from async_downloads.client.folders.walk import RemoteFile, Selection, UnreadableFolder, walk
from async_downloads.errors import BadResponse, BadStatus, RefusedRedirect

ROOT = "http://example.com/pub/"


class _Site:
    """Folders by their URLs; a page is a list of links, a redirect or an error."""

    def __init__(self, pages: dict[str, list[str] | str | Exception]) -> None:
        self.pages = pages
        self.requests: list[str] = []

    async def read(self, url: str) -> Document:
        self.requests.append(url)
        page = self.pages[url]
        if isinstance(page, str):
            url, page = page, self.pages[page]
        if isinstance(page, Exception):
            raise page
        links = "".join(f'<a href="{link}">x</a>' for link in page)
        return Document(url, "text/html", links.encode())


async def _found(site: _Site, url: str = ROOT, selection: Selection | None = None) -> tuple[set[str], list[str]]:
    """Return the paths of the files, and the URLs of the folders that could not be listed."""
    files, unreadable = set(), []
    async for found in walk(site.read, url, selection):
        if isinstance(found, RemoteFile):
            files.add("/".join(found.segments))
        else:
            assert isinstance(found, UnreadableFolder)
            unreadable.append(found.url)
    return files, unreadable


async def test_every_file_below_a_folder_is_found() -> None:
    site = _Site({ROOT: ["a", "b/", "c/"], f"{ROOT}b/": ["a", "d/"], f"{ROOT}b/d/": ["e"], f"{ROOT}c/": []})
    assert await _found(site) == ({"a", "b/a", "b/d/e"}, [])


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        pytest.param(["*.iso"], [], {"a.iso", "b/c.iso"}, id="names"),
        pytest.param(["b/*"], [], {"b/c.iso", "b/c.txt"}, id="paths"),
        pytest.param([], ["*.txt"], {"a.iso", "b/c.iso"}, id="all but"),
        pytest.param([], ["b/"], {"a.iso", "a.txt"}, id="all but a folder"),
        pytest.param(["*.iso", "*.txt"], ["a.*"], {"b/c.iso", "b/c.txt"}, id="both"),
        pytest.param(["*.ISO"], [], set(), id="case counts"),
    ],
)
async def test_patterns_select_files(include: Iterable[str], exclude: Iterable[str], expected: set[str]) -> None:
    site = _Site({ROOT: ["a.iso", "a.txt", "b/"], f"{ROOT}b/": ["c.iso", "c.txt"]})
    assert await _found(site, selection=Selection(tuple(include), tuple(exclude))) == (expected, [])
    assert (f"{ROOT}b/" in site.requests) == ("b/" not in exclude)


async def test_a_folder_that_cannot_be_listed_costs_only_its_own_files() -> None:
    site = _Site({ROOT: ["a", "b/", "c/"], f"{ROOT}b/": BadStatus(403), f"{ROOT}c/": ["d"]})
    assert await _found(site) == ({"a", "c/d"}, [f"{ROOT}b/"])


async def test_a_listing_that_the_server_cut_is_reported() -> None:
    async def read(url: str) -> Document:
        body = {"path": "/pub/", "truncated": True, "entries": [{"name": "a", "kind": "file"}]}
        return Document(url, "application/json", json.dumps(body).encode())

    file, unreadable = [found async for found in walk(read, ROOT)]
    assert isinstance(file, RemoteFile)
    assert isinstance(unreadable, UnreadableFolder)
    assert "only a part" in str(unreadable.error)


async def test_a_listing_of_several_pages_is_read_to_its_end() -> None:
    async def read(url: str) -> Document:
        first = "?" not in url
        entries = [{"name": "a" if first else "b", "kind": "file"}]
        body = {"path": "/pub/", "truncated": first, "entries": entries, "next": "?after=a"}
        return Document(url, "application/json", json.dumps(body).encode())

    found = [each async for each in walk(read, ROOT)]
    assert [each.segments for each in found if isinstance(each, RemoteFile)] == [("a",), ("b",)]
    assert len(found) == 2


@pytest.mark.parametrize(("old", "new"), [("1/", "current/"), ("current/", "9/")])
async def test_a_redirect_to_another_folder_hides_neither(old: str, new: str) -> None:
    site = _Site(
        {ROOT: [old, new], f"{ROOT}{old}": ["a", "s/"], f"{ROOT}{old}s/": ["b"], f"{ROOT}{new}": f"{ROOT}{old}"}
    )
    assert await _found(site) == ({f"{old}a", f"{new}a", f"{old}s/b", f"{new}s/b"}, [])


async def test_a_next_page_that_leads_back_ends_the_list() -> None:
    async def read(url: str) -> Document:
        body = {"path": "/pub/", "entries": [{"name": "a", "kind": "file"}], "next": "?after=a"}
        return Document(url, "application/json", json.dumps(body).encode())

    assert len([each async for each in walk(read, ROOT)]) == 2


def _paged(entries: Callable[[int], Iterable[str]]) -> Callable[[str], Awaitable[Document]]:
    """Return a server whose listing never ends: each page has these entries and names the next one."""

    async def read(url: str) -> Document:
        number = int(url.partition("=")[2] or 0)
        listed = [{"name": name, "kind": "file"} for name in entries(number)]
        body = {"path": "/pub/", "entries": listed, "next": f"?after={number + 1}"}
        return Document(url, "application/json", json.dumps(body).encode())

    return read


@pytest.mark.parametrize(
    ("entries", "count", "reason"),
    [
        pytest.param(lambda number: [], 0, "seem to have no end", id="empty pages"),
        pytest.param(lambda number: [f"{number:09}"], 205, "205 entries in 205 pages", id="short pages"),
        pytest.param(lambda number: ["a", "b"], 4, "repeat themselves", id="the same page"),
        pytest.param(lambda number: ["ab"[number % 2]], 3, "repeat themselves", id="two pages in turns"),
    ],
)
async def test_a_listing_without_end_is_given_up(
    entries: Callable[[int], Iterable[str]], count: int, reason: str
) -> None:
    *files, last = [found async for found in walk(_paged(entries), ROOT)]
    assert len(files) == count
    assert isinstance(last, UnreadableFolder)
    assert reason in str(last.error)


@pytest.mark.parametrize("bound", ["_MAX_ENTRIES", "_MAX_BYTES"])
async def test_a_listing_that_would_fill_the_memory_is_given_up(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"async_downloads.client.folders.walk.{bound}", 9_999)
    read = _paged(lambda number: [f"{number:09}-{each}" for each in range(100)])
    with pytest.raises(BadResponse, match="the folder has more than"):
        [found async for found in walk(read, ROOT)]


async def test_a_folder_may_have_hundreds_of_pages() -> None:
    async def read(url: str) -> Document:
        number = int(url.partition("=")[2] or 0)
        listed = [{"name": f"{number:09}-{each}", "kind": "file"} for each in range(60)]
        following = {"next": f"?after={number + 1}"} if number < 500 else {}
        return Document(url, "application/json", json.dumps({"entries": listed, **following}).encode())

    assert sum([isinstance(found, RemoteFile) async for found in walk(read, ROOT)]) == 60 * 501


async def test_a_folder_that_cannot_be_listed_at_all_is_an_error() -> None:
    with pytest.raises(BadStatus):
        await _found(_Site({ROOT: BadStatus(404)}))


async def test_a_page_that_is_no_listing_is_an_error() -> None:
    async def read(url: str) -> Document:
        return Document(url, "image/png", b"")

    with pytest.raises(BadResponse, match="not a list of files: its media type is image/png"):
        [found async for found in walk(read, ROOT)]


async def test_the_redirect_of_a_folder_without_a_slash_is_followed() -> None:
    site = _Site({"http://example.com/pub": ROOT, ROOT: ["a", "../b"]})
    assert await _found(site, "http://example.com/pub") == ({"a"}, [])


@pytest.mark.parametrize(
    "target", ["http://other.example/pub/", "http://example.com:81/pub/", "https://example.com:444/pub/"]
)
async def test_a_folder_that_moved_to_another_server_is_refused(target: str) -> None:
    with pytest.raises(RefusedRedirect, match="the folder is on another server now"):
        await _found(_Site({ROOT: target, target: ["a"]}))


async def test_a_redirect_to_https_is_followed() -> None:
    target = "https://example.com/pub/"
    assert await _found(_Site({ROOT: target, target: ["a"]})) == ({"a"}, [])


@pytest.mark.parametrize("target", ["http://example.com/", "http://example.com/other/", "http://other.example/pub/b/"])
async def test_a_redirect_out_of_the_folder_is_not_followed(target: str) -> None:
    site = _Site({ROOT: ["a", "b/"], f"{ROOT}b/": target, target: ["secret"]})
    assert await _found(site) == ({"a"}, [f"{ROOT}b/"])


async def test_a_folder_that_contains_itself_ends() -> None:
    class Loop(_Site):
        async def read(self, url: str) -> Document:
            self.requests.append(url)
            return Document(url, "text/html", b'<a href="loop/">x</a>')

    loop = Loop({})
    assert await _found(loop) == (set(), [])
    assert len(loop.requests) == 65
