"""PathsStore keeps the contract of stores, and serves nothing but the files and folders that were named."""

import gzip
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.mounts import DEVICES, occupy
from harness.mounts import hanging as hanging  # noqa: PLC0414
from harness.mounts import mounts as mounts  # noqa: PLC0414

from async_downloads.errors import IsDirectory, NotFound
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources import remote_entries
from async_downloads.sources.base import Entry
from async_downloads.sources.paths import PathsStore, name_of, named
from sources.contract import CONTENTS, BrowsableContract, read_whole
from sources.test_directory import DirectoryBench


@dataclass
class _Bench:
    """The contents of a directory, each entry of it a path of the store."""

    files: DirectoryBench
    store: PathsStore

    async def put(self, key: str, data: bytes) -> None:
        await self.files.put(key, data)

    async def remove(self, key: str) -> None:
        await self.files.remove(key)


class TestPathsStore(BrowsableContract):
    """The contract of stores."""

    @pytest.fixture
    async def bench(self, tmp_path: Path) -> _Bench:
        files = DirectoryBench(tmp_path)
        for key, data in CONTENTS.items():
            await files.put(key, data)
        return _Bench(files, PathsStore([tmp_path / name for name in {key.partition("/")[0] for key in CONTENTS}]))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two folders, and more than is named."""
    for name in ("a/one.txt", "a/two.txt", "b/three.txt", "b/sub/four.txt", "b/.hidden"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def _texts(names: str) -> list[str]:
    return names.split()


async def test_only_the_named_paths_are_served(tree: Path) -> None:
    store = PathsStore([tree / "a" / "one.txt", tree / "b"])
    assert [entry.name for entry in (await store.list("")).entries] == ["b", "one.txt"]
    assert await read_whole(store, "one.txt") == b"a/one.txt"
    assert await read_whole(store, "b/sub/four.txt") == b"b/sub/four.txt"
    for key in _texts("two.txt a a/one.txt three.txt one.txt/ one.txt/x b/.hidden b/../a/two.txt ../a/two.txt"):
        with pytest.raises(NotFound):
            await store.open(key)
    for key in _texts("one.txt a b/nothing .."):
        with pytest.raises(NotFound):
            await store.list(key)
    with pytest.raises(IsDirectory):
        await store.open("b")


async def test_files_of_several_folders_are_opened_together(tree: Path) -> None:
    store = PathsStore([tree / "a", tree / "a" / "one.txt", tree / "b" / "three.txt"])
    keys = ["three.txt", "a/one.txt", "a", "nothing", "one.txt", "a/nothing", "a/two.txt"]
    found = await store.open_many(keys)
    read = [source and b"".join([chunk async for chunk in source.read(ByteRange(0, 99))]) for source in found]
    assert read == [b"b/three.txt", b"a/one.txt", None, None, b"a/one.txt", None, b"a/two.txt"]
    for source in found:
        if source:
            await source.aclose()


async def test_an_entry_has_the_size_and_the_time_of_its_file(tree: Path) -> None:
    os.utime(tree / "a" / "one.txt", (0, 784111777.9))
    [entry] = (await PathsStore([tree / "a" / "one.txt"]).list("")).entries
    assert (entry.size, entry.modified, entry.is_directory) == (9, 784111777, False)


async def test_a_folder_has_a_time_and_an_entry_says_if_it_can_be_read(tree: Path) -> None:
    os.utime(tree / "b", (0, 784111777))
    (tree / "a" / "one.txt").chmod(0)
    (tree / "b").chmod(0)
    is_root = os.access(tree / "b", os.R_OK)  # root may read everything
    entries = (await PathsStore([tree / "a" / "one.txt", tree / "a" / "two.txt", tree / "b"]).list("")).entries
    (tree / "b").chmod(0o755)
    assert {entry.name: entry.is_readable for entry in entries} == {"b": is_root, "one.txt": is_root, "two.txt": True}
    assert (entries[0].name, entries[0].modified) == ("b", 784111777)


async def test_a_file_that_was_removed_or_replaced_by_something_else_is_not_listed(tree: Path) -> None:
    store = PathsStore([tree / "a" / "one.txt", tree / "a" / "two.txt", tree / "b" / "sub"])
    (tree / "a" / "one.txt").unlink()
    (tree / "a" / "two.txt").unlink()
    os.mkfifo(tree / "a" / "two.txt")
    (tree / "b" / "sub").rename(tree / "b" / "elsewhere")
    assert (await store.list("")).entries == ()


async def test_a_compressed_sibling_is_sent_in_the_place_of_a_named_file(tree: Path) -> None:
    path = tree / "a" / "one.txt"
    path.with_name("one.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    for each in (path, path.with_name("one.txt.gz")):
        os.utime(each, (1_000_000_000, 1_000_000_000))
    plain, coded = PathsStore([path], precompressed=False), PathsStore([path])
    for store, coding in ((plain, None), (coded, "gzip")):
        source = await store.open("one.txt", codings=("gzip",))
        assert source.representation.coding == coding
        await source.aclose()


async def test_a_named_link_is_followed_but_other_links_stay_inside(tree: Path) -> None:
    (tree / "link.txt").symlink_to("a/one.txt")
    (tree / "b" / "out.txt").symlink_to("../a/one.txt")
    (tree / "secret.txt").symlink_to("b/.hidden")
    paths = [tree / "link.txt", tree / "b", tree / "secret.txt"]
    store = PathsStore(paths)
    assert await read_whole(store, "link.txt") == b"a/one.txt"
    assert await read_whole(PathsStore(paths, follow_symlinks=True), "b/out.txt") == b"a/one.txt"
    for key in ("b/out.txt", "secret.txt"):
        with pytest.raises(NotFound):
            await store.open(key)
    assert [entry.name for entry in (await store.list("")).entries] == ["b", "link.txt"]


async def test_the_version_of_the_list_changes_with_its_entries(tree: Path) -> None:
    store = PathsStore([tree / "a" / "one.txt", tree / "b"])
    for folder in (tree, tree / "a", tree / "b"):
        os.utime(folder, (1, 1))
    before = await store.list_version("")
    assert before is not None
    assert await store.list_version("") == before
    (tree / "a" / "one.txt").unlink()
    os.utime(tree / "a", (2, 2))
    assert await store.list_version("") not in {None, before}
    assert await store.list_version("b") == await PathsStore([tree / "b"]).list_version("b")
    (tree / "a" / "two.txt").unlink()
    assert await store.list_version("") is None
    (tree / "a").rename(tree / "moved")
    assert await store.list_version("") is None


def test_only_one_file_alone_is_the_only_file(tree: Path) -> None:
    one, two = tree / "a" / "one.txt", tree / "a" / "two.txt"
    found = [PathsStore(paths).only_file for paths in ([one], [one, two], [tree / "b"], [one, one])]
    assert found == ["one.txt", None, None, "one.txt"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        pytest.param(["a/one.txt", "b/sub/../../b/one.txt"], "have the same name", id="same name"),
        pytest.param(["b/.hidden"], "is hidden: add --hidden", id="hidden"),
        pytest.param(["/"], "has no name", id="top of the file system"),
        pytest.param([f"{number}" for number in range(10_001)], "more than 10,000", id="many"),
    ],
)
def test_paths_that_cannot_be_listed_together_are_refused(tree: Path, names: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        named([tree / name for name in names])


def test_a_hidden_path_can_be_served_on_request(tree: Path) -> None:
    assert list(named([tree / "b" / ".hidden"], hidden=True)) == [".hidden"]


def test_a_path_that_does_not_exist_is_refused(tree: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PathsStore([tree / "nothing"])


def test_the_current_folder_has_the_name_of_the_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "b")
    assert [name_of("."), name_of("sub/"), name_of("..")] == ["b", "sub", tree.name]


async def test_a_file_system_that_hangs_does_not_delay_the_list(
    mounts: Path, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mounts / "near.txt").write_bytes(b"near")
    os.utime(mounts / "near.txt", (8, 8))
    paths = [mounts / "nfs", mounts / "nfs" / "deep" / "a.txt", mounts / "near.txt"]
    store, near = PathsStore(paths), Entry("near.txt", False, 4, 8)
    assert [entry.size for entry in (await store.list("")).entries] == [None, 1, 4]
    occupy(DEVICES["nfs"], hanging)
    monkeypatch.setattr(remote_entries, "_SECONDS", 0.05)
    assert [*(await store.list("")).entries] == [Entry("nfs", True), Entry("a.txt", False), near]
    assert await store.list_version("") is None
