"""The contents of an archive of a folder: the entries in the listings of the folder and of all folders below it."""

import asyncio
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

import pytest

from async_downloads.errors import ArchiveTooLarge, NotFound, SourceChanged
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Representation, Validators
from async_downloads.sources.archive.source import ArchiveKind
from async_downloads.sources.archive.walk import ArchiveLimits, archive_of
from async_downloads.sources.base import Entry, Listing, Source, Store
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource, MemoryStore
from async_downloads.sources.paths import PathsStore
from sources.archive.unpacking import unpacked, whole

FILES: Final = {"a.txt": b"a", "b/c.txt": b"c", "b/d/e.bin": b"e" * 100_000, "z/0": b""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, and an empty folder."""
    folder = tmp_path / "served"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "b" / "nothing").mkdir()
    return folder


async def contents(store: Store, key: str = "", *selection: str, kind: ArchiveKind = "zip") -> dict[str, bytes]:
    """Return the contents of the archive of a folder, by the names below the folder."""
    archive = await archive_of(store, key, "all", kind, selection=selection)
    found = unpacked(await whole(archive), kind)
    assert all(name.startswith("all/") for name in found)
    return {name.removeprefix("all/"): data for name, data in found.items()}


@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_an_archive_holds_all_files_and_the_empty_folders(folder: Path, kind: ArchiveKind) -> None:
    assert await contents(DirectoryStore(folder), kind=kind) == {**FILES, "b/nothing/": b""}


async def test_the_archive_of_a_folder_below_holds_only_that_one(folder: Path) -> None:
    assert await contents(DirectoryStore(folder), "b") == {"c.txt": b"c", "d/e.bin": b"e" * 100_000, "nothing/": b""}


async def test_the_archive_of_an_empty_folder_holds_the_folder(folder: Path) -> None:
    assert await contents(DirectoryStore(folder), "b/nothing") == {"": b""}


async def test_each_folder_comes_whole_and_its_files_before_its_folders(folder: Path) -> None:
    for name in ("B.txt", "b/a/1", "b/C.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    below = ["b/C.txt", "b/c.txt", "b/a/1", "b/d/e.bin", "b/nothing/"]
    assert list(await contents(DirectoryStore(folder))) == ["a.txt", "B.txt", *below, "z/0"]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param(["a.txt"], ["a.txt"], id="a file"),
        pytest.param(["b"], ["b/c.txt", "b/d/e.bin", "b/nothing/"], id="a folder"),
        pytest.param(["z", "a.txt", "z"], ["a.txt", "z/0"], id="both, one twice"),
    ],
)
async def test_a_selection_holds_these_entries(folder: Path, selection: list[str], expected: list[str]) -> None:
    assert list(await contents(DirectoryStore(folder), "", *selection)) == expected


@pytest.mark.parametrize("name", ["unknown", "", ".", "..", "b/c.txt", "/a.txt", "a.txt\0", ".hidden", "../served"])
async def test_a_name_that_the_listing_does_not_show_cannot_be_selected(folder: Path, name: str) -> None:
    (folder / ".hidden").write_text("hidden")
    with pytest.raises(NotFound):
        await archive_of(DirectoryStore(folder), "", "all", selection=["a.txt", name])


@pytest.mark.parametrize("key", ["unknown", "a.txt", "..", ".git", "b/../b"])
async def test_only_a_folder_that_can_be_listed_has_an_archive(folder: Path, key: str) -> None:
    (folder / ".git").mkdir()
    with pytest.raises(NotFound):
        await archive_of(DirectoryStore(folder), key, "all")


async def test_a_store_without_listings_has_no_archives() -> None:
    class Plain:
        async def open(self, key: str, *, codings: Collection[str] = ()) -> Source:
            raise NotFound(key)

    with pytest.raises(NotFound, match="cannot be listed"):
        await archive_of(Plain(), "", "all")


async def test_links_hidden_and_special_files_are_treated_as_in_the_listing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (folder / "link.txt").symlink_to("a.txt")
    (folder / "folder link").symlink_to("z")
    (folder / "out").symlink_to(tmp_path / "outside")
    (folder / "out.txt").symlink_to(tmp_path / "outside" / "secret")
    (folder / "broken").symlink_to("nowhere")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x").write_text("x")
    os.mkfifo(folder / "fifo")
    inside = {**FILES, "b/nothing/": b"", "link.txt": b"a", "folder link/0": b""}
    outside = {"out/secret": b"secret", "out.txt": b"secret"}
    assert await contents(DirectoryStore(folder)) == inside
    assert await contents(DirectoryStore(folder, follow_symlinks=True)) == {**inside, **outside}
    assert await contents(DirectoryStore(folder, hidden=True)) == {**inside, ".hidden/x": b"x"}


async def test_what_this_process_may_not_read_is_left_out(folder: Path) -> None:
    (folder / "a.txt").chmod(0)
    (folder / "b").chmod(0)
    try:
        store = DirectoryStore(folder)
        entries = {entry.name: entry.is_readable for entry in (await store.list("")).entries}
        found = await contents(store)
    finally:
        (folder / "b").chmod(0o755)
    assert ("a.txt" in found, "b/c.txt" in found) == (entries["a.txt"], entries["b"])  # root may read everything
    assert "z/0" in found


async def test_a_link_to_a_folder_above_is_not_followed_for_ever(folder: Path) -> None:
    (folder / "b" / "up").symlink_to("..")
    (folder / "b" / "d" / "self").symlink_to(".")
    assert await contents(DirectoryStore(folder)) == {**FILES, "b/nothing/": b""}


async def test_a_program_stays_executable(folder: Path) -> None:
    (folder / "a.txt").chmod(0o4750)
    archive = await archive_of(DirectoryStore(folder), "", "all", "tar")
    modes = {member.name: member.mode for member in archive._layout.members}
    assert (modes["all/a.txt"], modes["all/b/c.txt"]) == (0o755, 0o644)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        pytest.param(ArchiveLimits(100_001, 100), "more than 100,001 bytes", id="bytes"),
        pytest.param(ArchiveLimits(10**9, 4), "more than 4 files and folders", id="entries"),
        pytest.param(ArchiveLimits(10**9, 1), "more than 1 files and folders", id="entries at the top"),
    ],
)
async def test_a_folder_beyond_the_limits_has_no_archive(folder: Path, limits: ArchiveLimits, message: str) -> None:
    with pytest.raises(ArchiveTooLarge, match=message):
        await archive_of(DirectoryStore(folder), "", "all", limits=limits)


async def test_a_folder_at_the_limits_has_an_archive(folder: Path) -> None:
    archive = await archive_of(DirectoryStore(folder), "", "all", limits=ArchiveLimits(100_002, 8))
    assert len(unpacked(await whole(archive))) == 5


class _Listed(MemoryStore):
    """A store in memory whose top has this listing."""

    listing = Listing((Entry("a", is_directory=False, size=1),), truncated=True)

    async def list(self, key: str) -> Listing:
        return self.listing


@pytest.mark.parametrize("selection", [(), ("b",)], ids=["all", "what the listing leaves out"])
async def test_a_listing_that_is_too_long_is_a_folder_that_is_too_large(selection: tuple[str, ...]) -> None:
    with pytest.raises(ArchiveTooLarge):
        await archive_of(_Listed({}), "", "all", selection=selection)


async def test_an_entry_that_a_long_listing_shows_can_be_selected() -> None:
    source = MemorySource(b"x", Representation(1, validators=Validators(ETag("1"))))
    assert await contents(_Listed({"a": source}), "", "a") == {"a": b"x"}


async def test_a_store_that_tells_no_versions_is_asked_for_each_file() -> None:
    validators = Validators(ETag("1"), 1_000_000_000)
    store = MemoryStore({f"{name}/x": MemorySource(b"x", Representation(1, validators=validators)) for name in "ab"})
    archive = await archive_of(store, "", "all")
    assert unpacked(await whole(archive)) == {"all/a/x": b"x", "all/b/x": b"x"}
    tag = archive.representation.validators.etag
    assert tag
    assert not tag.weak
    assert archive.representation.validators.last_modified == 1_000_000_000


async def test_what_vanishes_while_the_folders_are_read_is_left_out() -> None:
    class Vanishing(MemoryStore):
        async def list(self, key: str) -> Listing:
            if key:
                raise NotFound(key)
            names = ("gone", "also gone")
            return Listing((Entry("folder", is_directory=True), *(Entry(name, is_directory=False) for name in names)))

    assert await contents(Vanishing({})) == {}


async def test_a_long_folder_is_taken_in_a_thread(tmp_path: Path) -> None:
    names = [f"{number:04}" for number in range(1_001)]
    for name in names:
        (tmp_path / name).touch()
    assert list(await contents(DirectoryStore(tmp_path))) == names


async def test_many_small_files_are_opened_together(tmp_path: Path) -> None:
    data = {f"{number:03}": bytes([number]) * (number * 900) for number in range(1, 100)}
    for name, content in data.items():
        (tmp_path / name).write_bytes(content)
    assert await contents(DirectoryStore(tmp_path)) == data
    archive = await archive_of(DirectoryStore(tmp_path), "", "all")
    (tmp_path / "005").write_bytes(b"other")
    with pytest.raises(SourceChanged, match="'all/005'"):
        await whole(archive)
    (tmp_path / "004").unlink()
    with pytest.raises(SourceChanged, match="'all/004'"):
        await whole(archive)


async def test_paths_from_anywhere_have_an_archive(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "single").write_bytes(b"single")
    store = PathsStore([folder / "b", tmp_path / "single"])
    below = {"b/c.txt": b"c", "b/d/e.bin": b"e" * 100_000, "b/nothing/": b""}
    assert await contents(store) == {**below, "single": b"single"}
    assert await contents(store, "b/d") == {"e.bin": b"e" * 100_000}


async def test_names_that_are_dangerous_elsewhere_are_replaced(folder: Path) -> None:
    for name in (b"..\\up", b"line\nbreak", b"esc\x1b[2J", b"caf\xe9", "ü".encode()):
        (Path(os.fsdecode(os.fsencode(folder / "z") + b"/" + name))).write_bytes(name)
    found = await contents(DirectoryStore(folder), "z")
    assert set(found) == {"0", ".._up", "line_break", "esc_[2J", "caf_", "ü"}
    assert found["caf_"] == b"caf\xe9"


async def test_reading_the_folders_can_be_cancelled(folder: Path) -> None:
    for steps in range(12):
        making = asyncio.create_task(archive_of(DirectoryStore(folder), "", "all"))
        for _ in range(steps):
            await asyncio.sleep(0)
        making.cancel()
        await asyncio.wait([making])
    assert await contents(DirectoryStore(folder), "z") == {"0": b""}
