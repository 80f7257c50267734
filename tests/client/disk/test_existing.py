"""Repeated downloads to names that the server chooses, beside other files with these names."""

import hashlib
import os
from base64 import b64encode
from pathlib import Path
from threading import Thread

import pytest

from async_downloads.client import Downloader, Progress
from async_downloads.client.disk.existing import is_taken
from async_downloads.client.disk.part_names import part_of
from client.remote import URL, Remote, names, sha256

pytestmark = pytest.mark.usefixtures("quick")

DATED: dict[str, str] = {"Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}


@pytest.fixture
def other(path: Path) -> Path:
    """Another file with the name that the server chooses."""
    other = path.with_name("file.bin")
    other.write_text("other")
    return other


@pytest.mark.usefixtures("other")
async def test_a_complete_file_with_a_number_is_unchanged(four: Downloader, remote: Remote, path: Path) -> None:
    await four.fetch(URL, directory=path.parent)
    asked = len(remote.requests)
    result = await four.fetch(URL, directory=path.parent)
    assert (result.path.name, result.unchanged, result.transferred) == ("file (1).bin", True, 0)
    assert [request.headers["if-none-match"] for request in remote.requests[asked:]] == ['"a"']
    assert names(path) == ["file (1).bin", "file.bin"]


@pytest.mark.parametrize("fields", [{"ETag": '"a"'}, {"ETag": 'W/"a"'}, DATED])
async def test_repeated_downloads_of_urls_with_one_name_are_unchanged(
    four: Downloader, remote: Remote, path: Path, fields: dict[str, str]
) -> None:
    remote.etag, remote.fields = fields.get("ETag"), {**fields, "Content-Disposition": "attachment; filename=a.bin"}
    first = [await four.fetch(f"{URL}?{number}", directory=path.parent) for number in range(3)]
    again = [await four.fetch(f"{URL}?{number}", directory=path.parent) for number in range(3)]
    assert [result.unchanged for result in again] == [True] * 3
    assert [result.path for result in again] == [result.path for result in first]
    assert names(path) == ["a (1).bin", "a (2).bin", "a.bin"]


async def test_the_newest_of_several_versions_is_asked_about(one: Downloader, remote: Remote, path: Path) -> None:
    for etag in ('"a"', '"b"', '"c"'):
        remote.etag = etag
        assert not (await one.fetch(URL, directory=path.parent)).unchanged
    assert (await one.fetch(URL, directory=path.parent)).path.name == "file (2).bin"
    assert remote.requests[-1].headers["if-none-match"] == '"c"'
    remote.etag = '"a"'
    assert (await one.fetch(URL, directory=path.parent)).path.name == "file.bin"


@pytest.mark.usefixtures("other")
async def test_a_numbered_file_that_was_changed_locally_is_downloaded_again(
    one: Downloader, remote: Remote, path: Path
) -> None:
    ours = (await one.fetch(URL, directory=path.parent)).path
    ours.write_bytes(bytes(len(remote.content)))
    os.utime(ours, (0, 1_700_000_000))
    assert (await one.fetch(URL, directory=path.parent)).path.name == "file (2).bin"


@pytest.mark.usefixtures("other")
async def test_a_numbered_file_with_the_checksum_needs_no_request(one: Downloader, remote: Remote, path: Path) -> None:
    await one.fetch(URL, directory=path.parent)
    result = await one.fetch(URL, directory=path.parent, checksum=sha256(remote.content))
    assert (result.path.name, result.unchanged, len(remote.requests)) == ("file (1).bin", True, 1)


async def test_without_resume_a_repeated_download_gets_a_number(one: Downloader, path: Path) -> None:
    await one.fetch(URL, directory=path.parent)
    assert (await one.fetch(URL, directory=path.parent, resume=False)).path.name == "file (1).bin"


@pytest.mark.usefixtures("other")
async def test_a_number_is_added_to_the_name_that_the_server_chose(one: Downloader, path: Path) -> None:
    def meanwhile(progress: Progress) -> None:
        if progress.state == "downloading":
            path.with_name("file (1).bin").write_text("other")

    assert (await one.fetch(URL, directory=path.parent, on_progress=meanwhile)).path.name == "file (2).bin"


@pytest.mark.parametrize(("same", "name"), [(True, "file.bin"), (False, "file (1).bin")])
async def test_a_file_with_the_digest_of_the_server_is_unchanged(
    one: Downloader, remote: Remote, path: Path, same: bool, name: str
) -> None:
    digest = b64encode(hashlib.sha256(remote.content).digest()).decode()
    remote.etag, remote.fields["Repr-Digest"] = None, f"sha-256=:{digest}:"
    path.with_name("file.bin").write_bytes(remote.content if same else bytes(len(remote.content)))
    result = await one.fetch(URL, directory=path.parent)
    assert (result.path.name, result.unchanged) == (name, same)


def test_a_name_whose_part_file_appears_and_goes_meanwhile_is_free(path: Path) -> None:
    """Another download renames its part when it is complete: between two looks at it, it may be gone."""
    part = part_of(path)

    def come_and_go() -> None:
        for _ in range(3000):
            part.touch()
            part.unlink()

    other = Thread(target=come_and_go)
    other.start()
    while other.is_alive():
        assert not is_taken(path)
    other.join()
