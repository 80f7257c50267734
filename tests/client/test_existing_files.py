"""Existing files: files of the same name, and the remains of killed or stopped downloads."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harness import origin
from harness.chaos import Chaos, Faults
from harness.origin import OriginResponse, Request
from harness.versions import MIB, Version

from async_downloads.client import Downloader, download
from async_downloads.errors import NetworkError, TargetBusy
from client.remote import URL, Remote, names

SIZE = 3 * MIB + 5
RIGHT = Version(0, SIZE)


def _file(number: int) -> Version:
    """Return one of many files with the same size and date."""
    return Version(number, SIZE, modified=RIGHT.modified)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A URL at which each `?N` is another file; all have the same name, size and date."""

    def respond(request: Request, _: OriginResponse) -> OriginResponse:
        return origin.respond(request, _file(int(request.target.partition("?")[2] or 0)))

    async with Chaos(Faults(size=SIZE), respond).listening() as url:
        yield url


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_other_files_with_the_same_name_size_and_date_get_numbers(url: str, tmp_path: Path) -> None:
    for number in range(3):
        result = await download(f"{url}?{number}", directory=tmp_path)
        assert _file(number).difference(result.path) is None
    assert _names(tmp_path) == ["chaos (1).bin", "chaos (2).bin", "chaos.bin"]


async def test_simultaneous_downloads_get_different_names(url: str, tmp_path: Path) -> None:
    async with Downloader() as downloader:
        fetches = (downloader.fetch(f"{url}?{number}", directory=tmp_path) for number in range(8))
        results = await asyncio.gather(*fetches)
    assert [_file(number).difference(result.path) for number, result in enumerate(results)] == [None] * 8
    assert len(_names(tmp_path)) == 8


async def test_another_file_with_the_same_size_and_date_is_replaced(url: str, tmp_path: Path) -> None:
    path = tmp_path / "target"
    for number in range(2):
        await download(f"{url}?{number}", path)
        assert _file(number).difference(path) is None


async def test_an_empty_part_without_a_journal_is_overwritten(url: str, tmp_path: Path) -> None:
    (tmp_path / "chaos.bin.part").touch()
    await download(url, directory=tmp_path)
    assert _names(tmp_path) == ["chaos.bin"]
    assert RIGHT.difference(tmp_path / "chaos.bin") is None


async def test_the_part_of_another_program_takes_the_name(url: str, tmp_path: Path) -> None:
    theirs = tmp_path / "chaos.bin.part"
    theirs.write_bytes(b"of another program")
    result = await download(url, directory=tmp_path)
    assert (result.path.name, theirs.read_bytes()) == ("chaos (1).bin", b"of another program")
    with pytest.raises(TargetBusy, match="belongs to another program"):
        await download(url, tmp_path / "chaos.bin")
    assert _names(tmp_path) == ["chaos (1).bin", "chaos.bin.part"]


@pytest.mark.parametrize("number", [0, 1], ids=["the same version", "another version"])
async def test_a_part_that_is_a_link_to_a_finished_file_is_not_written(url: str, tmp_path: Path, number: int) -> None:
    finished = tmp_path / "finished"
    await download(url, finished)
    os.link(finished, tmp_path / "target.part")
    await download(f"{url}?{number}", tmp_path / "target")
    assert RIGHT.difference(finished) is None
    assert _file(number).difference(tmp_path / "target") is None
    assert _names(tmp_path) == ["finished", "target"]


@pytest.mark.parametrize(
    "etag",
    [
        pytest.param('"a\r\nX-More: 1"', id="two lines"),
        pytest.param('"\u2603"', id="not Latin-1"),
        pytest.param('W/"0.0"', id="weak"),
        pytest.param("0.0", id="no quotes"),
        pytest.param("", id="empty"),
    ],
)
async def test_a_journal_with_a_malformed_etag_is_ignored(tmp_path: Path, etag: str) -> None:
    path, journal = tmp_path / "target", tmp_path / "target.part.json"
    async with Chaos(Faults(size=SIZE, cut=(2 * MIB, 2 * MIB))).listening() as url:
        with pytest.raises(NetworkError):
            await download(url, path, connections=1, retries=0)
        journal.write_text(json.dumps({**json.loads(journal.read_text()), "etag": etag, "strong": etag}))
        result = await download(url, path, connections=1)
    assert result.resumed_from == 0
    assert RIGHT.difference(path) is None


@pytest.mark.parametrize("name", ["target.part.json", "target.part.json.tmp"])
async def test_a_folder_with_the_name_of_a_journal_does_no_harm(remote: Remote, path: Path, name: str) -> None:
    path.with_name(name).mkdir()
    remote.content = b"hello"
    async with remote.client() as client:
        await download(URL, path, client=client)
    assert (path.read_bytes(), names(path)) == (b"hello", ["target", name])
