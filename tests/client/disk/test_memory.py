"""File systems without extended attributes: the user's home remembers where files are from."""

import os
from pathlib import Path

import pytest

from async_downloads.client import Downloader
from async_downloads.client.disk import memory
from async_downloads.client.disk.part_file import PartFile
from async_downloads.client.disk.part_names import journal_of, part_of
from async_downloads.errors import TargetBusy
from client.remote import URL, Remote, names


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; no file system has extended attributes, as on macOS."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(home))
    for name in ("setxattr", "getxattr"):
        monkeypatch.delattr(os, name, raising=False)
    return home


async def test_a_second_download_is_unchanged_without_extended_attributes(
    one: Downloader, remote: Remote, path: Path, home: Path
) -> None:
    await one.fetch(URL, path)
    assert (await one.fetch(URL, path)).unchanged
    assert (remote.requests[-1].headers["if-none-match"], names(path)) == ('"a"', ["target"])
    [entry] = (home / ".local/state/async_downloads/files").iterdir()
    assert b"example.com" not in entry.read_bytes()


async def test_another_url_is_not_taken_for_the_same_file(one: Downloader, remote: Remote, path: Path) -> None:
    remote.etag, remote.fields = None, {"Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
    await one.fetch(URL, path)
    remote.content = remote.content[::-1]
    assert not (await one.fetch(f"{URL}?other", path)).unchanged
    assert path.read_bytes() == remote.content


async def test_a_state_folder_that_the_environment_names_is_used(
    one: Downloader, path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    await one.fetch(URL, path)
    assert (await one.fetch(URL, path)).unchanged
    assert [each.name for each in home.iterdir()] == ["state"]


async def test_a_home_that_cannot_be_written_costs_another_download(one: Downloader, path: Path, home: Path) -> None:
    (home / ".local").write_text("a file")
    await one.fetch(URL, path)
    assert not (await one.fetch(URL, path)).unchanged


def test_the_oldest_entries_are_removed(path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MAX_ENTRIES", 8)
    monkeypatch.setattr(memory, "_PRUNED", 4)
    for number in range(9):
        memory.save_provenance(path.with_name(str(number)), b"x")
    assert len(list((home / ".local/state/async_downloads/files").iterdir())) == 5
    assert memory.load_provenance(path.with_name("8")) == b"x"


async def test_an_empty_journal_says_that_a_part_is_ours(path: Path) -> None:
    part_file = PartFile(path, "u")
    part_file.clear()
    await part_file.write([(0, [b"begun"])])
    part_file.close()
    assert names(path) == ["target.part", "target.part.json"]
    again = PartFile(path, "u")
    assert again.resume() is None
    again.clear()
    again.close()
    assert names(path) == []


def test_a_part_without_a_journal_is_of_another_program(path: Path) -> None:
    part_of(path).write_bytes(b"theirs")
    for journal in (None, "{}", "not JSON"):
        if journal:
            journal_of(path).write_text(journal)
        with pytest.raises(TargetBusy):
            PartFile(path, "u")
    assert part_of(path).read_bytes() == b"theirs"
