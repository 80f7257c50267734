"""The local copy of a remote folder: where files go, and when a file is not requested again."""

import hashlib
import os
from pathlib import Path

import pytest

from async_downloads.client import Downloader
from async_downloads.client.folders.listing import ListedEntry
from async_downloads.client.folders.mirror import Mirror, local_path
from async_downloads.client.folders.walk import RemoteFile
from async_downloads.errors import DigestMismatch, DiskError
from client.remote import URL, Remote, sha256

DAY = 1_767_225_600


def _file(*segments: str, **about: int | str | None) -> RemoteFile:
    return RemoteFile(segments, ListedEntry(URL, segments[-1], is_folder=False, **about))  # type: ignore[arg-type]


async def test_folders_are_made_for_a_file(one: Downloader, remote: Remote, tmp_path: Path) -> None:
    result = await Mirror(one, tmp_path / "copy").fetch(_file("a", "b", "c"))
    assert result.path == tmp_path / "copy" / "a" / "b" / "c"
    assert result.path.read_bytes() == remote.content


async def test_size_and_time_of_the_listing_make_a_request_needless(
    one: Downloader, remote: Remote, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"1234567")
    os.utime(tmp_path / "a", (DAY, DAY))
    mirror = Mirror(one, tmp_path)
    same = await mirror.fetch(_file("a", size=7, modified=DAY))
    assert (same.unchanged, remote.requests) == (True, [])
    changed = await mirror.fetch(_file("a", size=7, modified=DAY + 1))
    assert (changed.unchanged, changed.size) == (False, len(remote.content))


async def test_without_resume_a_file_is_requested_again(one: Downloader, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234567")
    os.utime(tmp_path / "a", (DAY, DAY))
    await Mirror(one, tmp_path).fetch(_file("a", size=7, modified=DAY), resume=False)
    assert (tmp_path / "a").read_bytes() == remote.content


async def test_a_digest_decides_alone(one: Downloader, remote: Remote, tmp_path: Path) -> None:
    mirror, digest = Mirror(one, tmp_path), sha256(remote.content)
    (tmp_path / "a").write_bytes(bytes(len(remote.content)))
    os.utime(tmp_path / "a", (DAY, DAY))
    file = _file("a", size=len(remote.content), modified=DAY, digest=digest)
    first, again = await mirror.fetch(file), await mirror.fetch(file)
    assert (first.digest, first.unchanged, again.unchanged) == (digest, False, True)


async def test_other_bytes_than_the_listing_says_are_an_error(one: Downloader, tmp_path: Path) -> None:
    digest = f"sha256:{hashlib.sha256(b'other').hexdigest()}"
    with pytest.raises(DigestMismatch):
        await Mirror(one, tmp_path).fetch(_file("a", digest=digest))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("link", ["a", "a/b"])
async def test_a_symbolic_link_out_of_the_folder_is_not_followed(
    one: Downloader, remote: Remote, tmp_path: Path, link: str
) -> None:
    outside, copy = tmp_path / "outside", tmp_path / "copy"
    outside.mkdir()
    (copy / link).parent.mkdir(parents=True)
    (copy / link).symlink_to(outside if link == "a" else outside / "b")
    with pytest.raises(DiskError, match="a symbolic link leads out of"):
        await Mirror(one, copy).fetch(_file("a", "b"))
    assert (list(outside.iterdir()), remote.requests) == ([], [])


async def test_a_file_in_the_place_of_a_folder_is_an_error(one: Downloader, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(DiskError):
        await Mirror(one, tmp_path).fetch(_file("a", "b", size=1, modified=1))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".hidden", ".hidden"),
        ("a\\b", "a_b"),
        ("a\nb\u202e", "a_b_"),
        ("a.part", "a.part_"),
        ("a.part.json", "a.part.json_"),
        ("\udcff", "\udcff"),
    ],
)
def test_names_are_kept_but_for_what_could_harm(name: str, expected: str) -> None:
    assert local_path((name,)) == Path(expected)


def test_a_name_that_is_too_long_is_an_error() -> None:
    with pytest.raises(DiskError, match="more than 240 bytes"):
        local_path(("ä" * 121,))
