"""The names of the files beside an unfinished download."""

import os
from pathlib import Path

import pytest

from async_downloads.client import Downloader
from async_downloads.client.disk.part_names import journal_of, part_of
from async_downloads.errors import DiskError, RetriesExhausted
from client.remote import URL, Remote, cut, names, refused


@pytest.mark.parametrize("name", ["a" * 237, "日" * 79, "a"])
def test_a_name_with_room_for_the_suffixes_keeps_them(name: str) -> None:
    assert part_of(Path("folder", name)) == Path("folder", f"{name}.part")
    assert journal_of(Path("folder", name)) == Path("folder", f"{name}.part.json")
    assert journal_of(Path("folder", name), new=True) == Path("folder", f"{name}.part.new.json")


@pytest.mark.parametrize("name", ["a" * 238, "a" * 255, "日" * 85, "aa" + "日" * 81])
def test_a_long_name_is_shortened_and_gets_a_hash(name: str) -> None:
    journal = journal_of(Path(name), new=True).name
    assert len(os.fsencode(f"{journal}.tmp")) <= 255
    assert journal.encode().decode() == journal
    assert part_of(Path(name)) != part_of(Path(f"b{name[1:]}"))


def test_a_name_that_no_file_can_have_stays() -> None:
    assert part_of(Path("a" * 256)).name == f"{'a' * 256}.part"


@pytest.mark.usefixtures("quick")
async def test_a_path_with_the_longest_name_is_downloaded_and_resumed(
    one: Downloader, remote: Remote, path: Path
) -> None:
    long = path.with_name("n" * 255)
    remote.faults = [cut(300_000), *[refused(503)] * 6]
    with pytest.raises(RetriesExhausted):
        await one.fetch(URL, long)
    assert (await one.fetch(URL, long)).resumed_from == 300_000
    assert (long.read_bytes() == remote.content, names(long)) == (True, [long.name])
    with pytest.raises(DiskError, match="name too long"):
        await one.fetch(URL, path.with_name("n" * 256))
