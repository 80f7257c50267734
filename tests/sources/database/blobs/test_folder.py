"""A folder in the place of a bucket: what the disk has when `put` returns, and what a killed upload leaves."""

import os
from pathlib import Path
from typing import Final

import pytest

from async_downloads.errors import SourceError
from async_downloads.sources.database.database_catalogue import DatabaseCatalogue
from sources.database.blobs.bench import run_until_killed
from sources.database.uploads import SMALL, blocks

_KILLED: Final = """
import asyncio, sys
from async_downloads.sources.database.urls import open_catalogue

async def large():
    for _ in range(40):
        yield bytes(1024 * 1024)
    print("ready", flush=True)
    sys.stdin.read()

asyncio.run(open_catalogue(sys.argv[1]).put("large", large()))
"""


async def test_the_disk_has_an_object_and_its_folders_when_put_returns(
    catalogue: DatabaseCatalogue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed, fsync = set(), os.fsync

    def note(fd: int) -> None:
        fsync(fd)
        flushed.add(Path(f"/proc/self/fd/{fd}").readlink())

    monkeypatch.setattr(os, "fsync", note)
    await catalogue.put("a.txt", blocks(SMALL))
    [path] = folder.glob(".blobs/*/*")
    assert flushed == {path, path.parent, path.parent.parent, folder}


async def test_a_file_that_the_disk_did_not_take_is_not_visible(
    catalogue: DatabaseCatalogue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "the disk fails")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SourceError, match="the disk fails"):
        await catalogue.put("a.txt", blocks(SMALL))
    assert await catalogue.files() == []
    assert list(folder.glob(".blobs/*/*")) == []


async def test_gc_deletes_the_part_of_a_large_upload_that_was_killed(
    catalogue: DatabaseCatalogue, url: str, folder: Path
) -> None:
    await run_until_killed(_KILLED, url)
    [part] = folder.glob(".blobs/*/*")
    assert part.name.endswith("#1")
    await catalogue.gc(3600)
    assert part.exists()
    await catalogue.gc(-60)
    assert not part.exists()
