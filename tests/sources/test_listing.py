"""The entries that `DirectoryStore.list` returns."""

import os
import threading
from contextlib import aclosing
from pathlib import Path

import pytest
from harness.mounts import DEVICES, occupy
from harness.mounts import hanging as hanging  # noqa: PLC0414
from harness.mounts import mounts as mounts  # noqa: PLC0414

from async_downloads.sources import remote_entries
from async_downloads.sources.base import Entry
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.opening import etag_of_version
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
    for number in range(11):
        os.link(root / "a.txt", root / "docs" / f"{number:05}")
    listing = await DirectoryStore(root, max_entries=10).list("docs")
    assert len(listing.entries) == 10
    assert listing.truncated


async def test_a_truncated_listing_lacks_only_its_end(root: Path) -> None:
    for number in range(100):
        os.link(root / "a.txt", root / "docs" / f"{number:05}")
    (root / "docs" / "directory").mkdir()
    listing = await DirectoryStore(root, max_entries=10).list("docs")
    assert [entry.name for entry in listing.entries] == ["directory", *(f"{number:05}" for number in range(9))]


async def test_a_long_listing_is_complete_and_in_order(root: Path) -> None:
    for number in range(10_100):
        os.link(root / "a.txt", root / "docs" / f"{number * 7 % 10_100:05}")
    listing = await DirectoryStore(root).list("docs")
    names = [entry.name for entry in listing.entries]
    assert names == [*(f"{number:05}" for number in range(10_100)), *names[10_100:]]
    assert not listing.truncated


async def test_an_entry_that_this_process_may_not_open_is_marked(root: Path) -> None:
    (root / "a.txt").chmod(0)
    (entry,) = [entry for entry in (await DirectoryStore(root).list("")).entries if entry.name == "a.txt"]
    assert entry.is_readable == os.access(root / "a.txt", os.R_OK)  # root may read everything


async def test_a_listing_has_modification_times(root: Path) -> None:
    for name in ("a.txt", "docs"):
        os.utime(root / name, (0, 784111777.9))
    entries = {entry.name: entry for entry in (await DirectoryStore(root).list("")).entries}
    assert entries["a.txt"].modified == entries["docs"].modified == 784111777


@pytest.mark.parametrize("seconds", [-(10**9), 0, 10_000_000_000], ids=["before 1970", "1970", "after 2262"])
async def test_a_file_of_any_date_is_listed_with_the_version_that_its_etag_has(root: Path, seconds: int) -> None:
    os.utime(root / "a.txt", (0, seconds))
    store = DirectoryStore(root)
    (entry,) = [entry for entry in (await store.list("")).entries if entry.name == "a.txt"]
    async with aclosing(await store.open("a.txt")) as source:
        assert entry.modified == seconds
        assert entry.version
        assert etag_of_version(entry.version) == source.representation.validators.etag


def _link_to_mounts(mounts: Path) -> Path:
    """Make a folder of links to file systems that are not local, beside a file; return it."""
    (mounts / "disk" / "deep" / "a.txt").unlink()
    (mounts / "outside").mkdir()
    os.rename(mounts / "user", mounts / "outside" / "user")
    (mounts / "user").symlink_to("outside")
    links = {"broken": "../nfs/none", "file": "../nfs/deep/a.txt", "folder": "../nfs/deep", "near": "near.txt"}
    for name, target in links.items():
        (mounts / "disk" / name).symlink_to(target)
    (mounts / "disk" / "near.txt").write_bytes(b"near")
    return mounts / "disk"


async def test_entries_on_other_file_systems_are_listed_as_all_others(mounts: Path) -> None:
    _link_to_mounts(mounts)
    os.utime(mounts / "nfs" / "deep" / "a.txt", (7, 7))
    os.utime(mounts / "disk" / "near.txt", (8, 8))
    for folder in ("disk", "nfs"):
        os.utime(mounts / folder / "deep", (9, 9))
    listing = await DirectoryStore(mounts).list("disk")
    near = [Entry(name, False, 4, 8) for name in ("near", "near.txt")]
    folders = [Entry(name, True, modified=9) for name in ("deep", "folder")]
    assert [*listing.entries] == [*folders, Entry("file", False, 1, 7), *near]
    assert "nfs" in [entry.name for entry in (await DirectoryStore(mounts).list("")).entries if entry.is_directory]


async def test_entries_on_a_file_system_that_hangs_are_listed_without_a_size(
    mounts: Path, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    _link_to_mounts(mounts)
    occupy(DEVICES["nfs"], hanging)
    monkeypatch.setattr(remote_entries, "_SECONDS", 0.05)
    for _ in range(2):  # the second time, the device is known to hang
        entries = (await DirectoryStore(mounts).list("disk")).entries
        assert [entry for entry in entries if entry.size is None] == [
            Entry("deep", True, modified=entries[0].modified),
            *(Entry(name, False) for name in ("broken", "file", "folder")),
        ]
        assert [entry.size for entry in entries if entry.size] == [4, 4]
    names = [entry.name for entry in (await DirectoryStore(mounts).list("")).entries if entry.is_directory]
    assert "nfs" in names


async def test_a_link_out_of_the_folder_is_not_listed_if_its_file_system_hangs(
    mounts: Path, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    _link_to_mounts(mounts)
    assert [entry.name for entry in (await DirectoryStore(mounts / "disk").list("")).entries] == [
        "deep",
        "near",
        "near.txt",
    ]
    occupy(DEVICES["nfs"], hanging)
    monkeypatch.setattr(remote_entries, "_SECONDS", 0.05)
    assert len((await DirectoryStore(mounts / "disk").list("")).entries) == 3
    followed = DirectoryStore(mounts / "disk", follow_symlinks=True)
    assert len((await followed.list("")).entries) == 6
