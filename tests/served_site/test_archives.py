"""Archives of folders over HTTP: fields, ranges, conditions, selections, limits, and members that change."""

import asyncio
import os
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import unquote

import pytest
from harness.asgi import Exchange, scope
from harness.waiting import eventually
from sources.archive.unpacking import unpacked

from async_downloads.asgi import Downloads
from async_downloads.config import Settings
from async_downloads.site.archives import WantedArchive
from async_downloads.site.tree import Tree
from async_downloads.sources.archive import checksums, zip_format
from async_downloads.sources.archive.source import ArchiveKind
from async_downloads.sources.base import Listing
from async_downloads.sources.directory import DirectoryStore
from served_site.conftest import SiteOf
from served_site.site import Site

LARGE: Final = Random(1).randbytes(3 * 1024 * 1024)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder that is worth an archive."""
    tree = tmp_path / "tree"
    (tree / "photos" / "empty").mkdir(parents=True)
    (tree / "photos" / "large.bin").write_bytes(LARGE)
    (tree / "photos" / "a b.txt").write_text("a b")
    (tree / "photos" / "sub").mkdir()
    (tree / "photos" / "sub" / "é.txt").write_text("deep")
    return tree


CONTENTS: Final = {
    "photos/a b.txt": b"a b",
    "photos/empty/": b"",
    "photos/large.bin": LARGE,
    "photos/sub/é.txt": b"deep",
}


@pytest.fixture
async def site(site_of: SiteOf, tree: Path) -> Site:
    """The tree alone."""
    return await site_of(Settings(directory=tree))


@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_a_folder_is_sent_as_an_archive_with_its_length_and_name(site: Site, kind: ArchiveKind) -> None:
    response = await site.get(f"/photos/?{kind}")
    assert response.status_code == 200
    assert unpacked(response.content, kind) == CONTENTS
    fields = response.headers
    assert fields["content-type"] == {"zip": "application/zip", "tar": "application/x-tar"}[kind]
    assert int(fields["content-length"]) == len(response.content)
    assert fields["content-disposition"] == f"attachment; filename=photos.{kind}"
    assert fields["accept-ranges"] == "bytes"
    assert fields["etag"].startswith('"')
    assert "last-modified" in fields


async def test_head_has_the_fields_of_get(site: Site) -> None:
    head, got = await site.ask("/photos/?zip", "HEAD"), await site.get("/photos/?zip")
    assert head.content == b""
    assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


async def test_two_requests_get_the_same_bytes(site: Site) -> None:
    first, second = await asyncio.gather(site.get("/photos/?zip"), site.get("/photos/?zip"))
    assert (first.content, first.headers["etag"]) == (second.content, second.headers["etag"])


async def test_the_top_is_sent_as_an_archive_named_files(site: Site) -> None:
    response = await site.get("/?zip")
    assert response.headers["content-disposition"] == "attachment; filename=files.zip"
    assert unpacked(response.content) == {f"files/{name}": data for name, data in CONTENTS.items()}


async def test_the_name_of_a_folder_may_have_any_characters(site: Site, tree: Path) -> None:
    (tree / 'naïve "plan"').mkdir()
    response = await site.get("/na%C3%AFve%20%22plan%22/?zip")
    name = unquote(response.headers["content-disposition"].partition("UTF-8''")[2])
    assert name == 'naïve "plan".zip'
    assert unpacked(response.content) == {'naïve "plan"/': b""}


async def test_a_folder_without_its_slash_redirects_to_its_archive(site: Site) -> None:
    response = await site.get("/photos?zip&name=sub")
    assert (response.status_code, response.headers["location"]) == (301, "./photos/?zip&name=sub")


async def test_a_file_has_no_archive(site: Site) -> None:
    assert (await site.get("/photos/large.bin?zip")).content == LARGE
    assert (await site.get("/photos/large.bin/?zip")).status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("zip&name=a+b.txt", {"photos/a b.txt"}, id="plus"),
        pytest.param("zip&name=a%20b.txt&name=sub", {"photos/a b.txt", "photos/sub/é.txt"}, id="a folder, too"),
        pytest.param("name=empty/&zip=1", {"photos/empty/"}, id="an empty folder"),
    ],
)
async def test_a_selection_of_entries_is_sent(site: Site, query: str, expected: set[str]) -> None:
    assert set(unpacked((await site.get(f"/photos/?{query}")).content)) == expected


@pytest.mark.parametrize(
    "target",
    [
        "/photos/?zip&name=unknown",
        "/photos/?zip&name=",
        "/photos/?zip&name=..",
        "/photos/?zip&name=../photos",
        "/photos/?zip&name=sub/%C3%A9.txt",
        "/photos/?zip&name=%00",
        "/unknown/?zip",
        "/..%2Ftree/?zip",
    ],
)
async def test_what_is_not_listed_has_no_archive(site: Site, target: str) -> None:
    response = await site.get(target)
    if response.is_redirect:  # to the path without dots
        response = await site.get(response.headers["location"])
    assert response.status_code == 404


@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_any_range_is_sent(site: Site, kind: ArchiveKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_format, "_CHECKED_FIRST_BYTES", 1024)
    whole = (await site.get(f"/photos/?{kind}")).content
    for start, stop in ((0, 1), (100, 2_000_000), (len(whole) - 10, len(whole)), (3_000_000, len(whole))):
        monkeypatch.setattr(checksums, "_memory", checksums._ChecksumMemory())
        response = await site.get(f"/photos/?{kind}", Range=f"bytes={start}-{stop - 1}")
        assert response.status_code == 206
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
        assert response.content == whole[start:stop]


async def test_several_ranges_are_sent_as_multipart(site: Site) -> None:
    whole = (await site.get("/photos/?zip")).content
    response = await site.get("/photos/?zip", Range="bytes=0-9,1000000-1000009,-10")
    assert response.status_code == 206
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    parts = [part.get_payload(decode=True) for part in message_from_bytes(head + response.content).walk()][1:]
    assert parts == [whole[:10], whole[1_000_000:1_000_010], whole[-10:]]


async def test_an_archive_that_did_not_change_is_not_sent_again(site: Site) -> None:
    tag = (await site.get("/photos/?zip")).headers["etag"]
    assert (await site.get("/photos/?zip", If_None_Match=tag)).status_code == 304
    assert (await site.get("/photos/?zip", If_Match='"other"')).status_code == 412


async def test_a_range_of_a_changed_archive_is_the_whole(site: Site, tree: Path) -> None:
    tag = (await site.get("/photos/?zip")).headers["etag"]
    same = await site.get("/photos/?zip", Range="bytes=5-", If_Range=tag)
    (tree / "photos" / "a b.txt").write_text("a c")
    changed = await site.get("/photos/?zip", Range="bytes=5-", If_Range=tag)
    assert (same.status_code, changed.status_code) == (206, 200)
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        pytest.param({"archive_limit": 1000}, b"more than 1,000 bytes", id="bytes"),
        pytest.param({"archive_entries": 3}, b"more than 3 files and folders", id="entries"),
    ],
)
async def test_a_folder_beyond_the_limits_is_refused_with_the_reason(
    site_of: SiteOf, tree: Path, limits: dict[str, int], reason: bytes
) -> None:
    site = await site_of(Settings(directory=tree), **limits)
    response = await site.get("/photos/?zip")
    assert response.status_code == 413
    assert reason in response.content
    assert (await site.get("/photos/?zip&name=sub")).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_bytes(b"x" * len(LARGE)), id="written in place"),
        pytest.param(lambda path: os.truncate(path, 1000), id="truncated"),
        pytest.param(lambda path: (path.rename(f"{path}.old"), path.write_bytes(b"new")), id="replaced"),
        pytest.param(lambda path: path.unlink(), id="removed"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_a_member_that_changes_while_the_archive_is_sent_ends_the_connection_early(
    site: Site, tree: Path, change: Callable[[Path], object], kind: ArchiveKind
) -> None:
    last = tree / "photos" / "z.bin"
    last.write_bytes(LARGE)
    async with site.server.connected() as connection:
        await connection.ask(f"/photos/?{kind}")
        _, fields = await connection.head()
        first = await connection.reader.readexactly(100_000)
        change(last)
        rest = await connection.reader.read()
    assert len(first + rest) < int(fields["Content-Length"])


async def test_files_of_paths_from_anywhere_are_sent(site_of: SiteOf, tree: Path) -> None:
    site = await site_of(Settings(paths=(tree / "photos" / "sub", tree / "photos" / "a b.txt")))
    assert unpacked((await site.get("/?zip")).content) == {"files/a b.txt": b"a b", "files/sub/é.txt": b"deep"}


async def test_a_folder_with_an_index_has_an_archive(site_of: SiteOf, tree: Path) -> None:
    (tree / "index.html").write_text("<p>")
    site = await site_of(Settings(directory=tree, index=True))
    assert "files/index.html" in unpacked((await site.get("/?zip")).content)


class SlowStore(DirectoryStore):
    """A directory whose listings wait until they may end."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.may_end = asyncio.Event()
        self.begun: list[str] = []

    async def list(self, key: str) -> Listing:
        self.begun.append(key)
        await self.may_end.wait()
        return await super().list(key)


async def test_a_folder_is_read_once_for_requests_at_the_same_time(tree: Path) -> None:
    store = SlowStore(tree)
    app = Tree(Downloads(store))
    requests = [Exchange(scope("/photos/?zip")) for _ in range(4)]
    sending = [asyncio.create_task(app(each.scope, each.receive, each.send)) for each in requests]
    await eventually(lambda: store.begun)
    store.may_end.set()
    await asyncio.gather(*sending)
    assert sorted(store.begun) == ["photos", "photos/empty", "photos/sub"]
    assert {each.status for each in requests} == {200}


async def test_folders_are_not_read_for_a_client_that_left(tree: Path) -> None:
    store = SlowStore(tree)
    app = Tree(Downloads(store))
    request = Exchange(scope("/photos/?zip"))
    sending = asyncio.create_task(app(request.scope, request.receive, request.send))
    await eventually(lambda: store.begun)
    request.left.set()
    await sending
    await eventually(lambda: not app._archives._work._working)
    assert store.begun == ["photos"]


async def test_archives_that_are_sent_at_the_same_time_are_one_object(tree: Path) -> None:
    archives = Tree(Downloads(DirectoryStore(tree)))._archives
    wanted = WantedArchive("zip", frozenset())
    first = await archives._make("photos", wanted)
    assert await archives._make("photos", wanted) is first
    del first
    assert not archives._sent
