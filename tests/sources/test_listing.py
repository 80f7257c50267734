"""The entries that `DirectoryStore.list` returns."""

import os
from pathlib import Path

import pytest

from async_downloads.sources.directory import DirectoryStore
from sources.contract import read_whole


async def test_hidden_names_are_listed_only_on_request(root: Path) -> None:
    (root / "link").symlink_to(".hidden")
    assert [entry.name for entry in (await DirectoryStore(root).list("")).entries] == ["docs", "a.txt"]
    hidden = await DirectoryStore(root, hidden=True).list("")
    assert [entry.name for entry in hidden.entries] == ["docs", ".hidden", "a.txt", "link"]


@pytest.mark.parametrize(
    "name", ["-rf", "a b", "%2e", "a:b", "a\\b", "\\", "<script>", "a\nb", "'\"", "\u202e", "é", "e\u0301", "\udcff"]
)
async def test_unusual_names_can_be_served(root: Path, name: str) -> None:
    (root / name).write_bytes(b"odd")
    store = DirectoryStore(root)
    assert await read_whole(store, name) == b"odd"
    assert name in [entry.name for entry in (await store.list("")).entries]


async def test_a_long_listing_is_marked_as_truncated(root: Path) -> None:
    for number in range(10_001):
        os.link(root / "a.txt", root / "docs" / f"{number:05}")
    listing = await DirectoryStore(root).list("docs")
    assert len(listing.entries) == 10_000
    assert listing.truncated


async def test_a_truncated_listing_lacks_only_its_end(root: Path) -> None:
    for number in range(10_100):
        os.link(root / "a.txt", root / "docs" / f"{number:05}")
    (root / "docs" / "directory").mkdir()
    listing = await DirectoryStore(root).list("docs")
    assert [entry.name for entry in listing.entries] == ["directory", *(f"{number:05}" for number in range(9_999))]


async def test_a_listing_has_modification_times(root: Path) -> None:
    os.utime(root / "a.txt", (0, 784111777.9))
    entries = {entry.name: entry for entry in (await DirectoryStore(root).list("")).entries}
    assert entries["a.txt"].modified == 784111777
    assert entries["docs"].modified is None
