"""Unfinished downloads of a URL whose signature was renewed, and of other URLs."""

from pathlib import Path

import pytest

from async_downloads.client import Downloader
from async_downloads.client.disk.part_file import PartFile
from async_downloads.client.disk.part_names import journal_of, part_of
from async_downloads.client.disk.url_hashes import UrlHashes
from async_downloads.errors import RetriesExhausted
from client.remote import URL, Remote, cut, names, refused

pytestmark = pytest.mark.usefixtures("quick")

HELD = 300_000
FIRST = f"{URL}?id=7&X-Amz-Date=1&X-Amz-Signature=abc"
RENEWED = f"{URL}?id=7&X-Amz-Date=2&X-Amz-Signature=def"
OTHER = f"{URL}?id=8&X-Amz-Date=1&X-Amz-Signature=abc"


async def _begin(one: Downloader, remote: Remote, url: str, path: Path | None, directory: Path) -> None:
    remote.faults = [cut(HELD), *[refused(503)] * 6]
    with pytest.raises(RetriesExhausted):
        await one.fetch(url, path, directory=None if path else directory)


@pytest.mark.parametrize("named", [True, False], ids=["to a path", "to a folder"])
async def test_a_url_with_a_renewed_signature_is_resumed(
    one: Downloader, remote: Remote, path: Path, named: bool
) -> None:
    to = path if named else None
    await _begin(one, remote, FIRST, to, path.parent)
    result = await one.fetch(RENEWED, to, directory=None if named else path.parent)
    assert (result.resumed_from, remote.requests[-1].headers["if-range"]) == (HELD, '"a"')
    assert (result.path.read_bytes() == remote.content, names(path)) == (True, [result.path.name])


async def test_another_version_behind_a_renewed_signature_leaves_the_part(
    one: Downloader, remote: Remote, path: Path
) -> None:
    await _begin(one, remote, FIRST, None, path.parent)
    held = part_of(path.with_name("file.bin")).read_bytes()
    remote.etag, remote.content = '"b"', remote.content[::-1]
    result = await one.fetch(RENEWED, directory=path.parent)
    assert (result.path.name, result.path.read_bytes() == remote.content) == ("file (1).bin", True)
    assert part_of(path.with_name("file.bin")).read_bytes() == held
    assert journal_of(path.with_name("file.bin")).exists()


@pytest.mark.parametrize(
    ("etag", "url"),
    [pytest.param('"a"', OTHER, id="another file of the script"), pytest.param(None, RENEWED, id="only a date")],
)
async def test_the_part_of_another_file_is_left_alone(
    one: Downloader, remote: Remote, path: Path, etag: str | None, url: str
) -> None:
    remote.etag = etag
    remote.fields = {} if etag else {"Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
    await _begin(one, remote, FIRST, None, path.parent)
    result = await one.fetch(url, directory=path.parent)
    assert (result.path.name, result.resumed_from) == ("file (1).bin", 0)
    assert part_of(path.with_name("file.bin")).stat().st_size == HELD


async def test_a_part_that_is_being_written_is_left_alone(one: Downloader, remote: Remote, path: Path) -> None:
    await _begin(one, remote, FIRST, None, path.parent)
    running = PartFile(path.with_name("file.bin"), "u")
    try:
        result = await one.fetch(RENEWED, directory=path.parent)
    finally:
        running.close()
    assert (result.path.name, result.resumed_from) == ("file (1).bin", 0)
    assert part_of(path.with_name("file.bin")).stat().st_size == HELD


async def test_the_part_of_another_url_is_continued_only_on_request(
    one: Downloader, remote: Remote, path: Path
) -> None:
    mirror = "http://mirror.example.org/elsewhere"
    await _begin(one, remote, URL, path, path.parent)
    remote.faults.clear()
    result = await one.fetch(mirror, path, continues=True)
    assert (result.resumed_from, remote.requests[-1].headers["if-range"]) == (HELD, '"a"')
    await _begin(one, remote, URL, path.with_name("second"), path.parent)
    assert (await one.fetch(mirror, path.with_name("second"))).resumed_from == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("?sig=1&id=2", "?sig=3&id=2", True, id="Azure"),
        pytest.param("?Expires=1&Signature=a&Key-Pair-Id=b", "?Expires=2&Signature=c&Key-Pair-Id=d", True, id="AWS"),
        pytest.param("?token=1", "?token=2", True, id="a token"),
        pytest.param("?token=1", "", True, id="a signature and none"),
        pytest.param("?id=1", "?id=2", False, id="another file"),
        pytest.param("?1", "?2", False, id="no names"),
        pytest.param("?f=%ff", "?f=%fe", False, id="bytes that are not UTF-8"),
    ],
)
def test_the_parameters_of_a_signature_do_not_count(one: str, other: str, same: bool) -> None:
    first, second = UrlHashes.of(f"{URL}{one}"), UrlHashes.of(f"{URL}{other}")
    assert (first.unsigned == second.unsigned, first.url == second.url) == (same, False)
