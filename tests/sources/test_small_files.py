"""Small files at hand: never another version than the one on the disk, never more than there is room for."""

import os
from pathlib import Path

import pytest

from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource
from async_downloads.sources.small_files import SmallFileCache

LONG_AGO = 1_000_000_000


def _source(path: Path) -> MemorySource:
    data = path.read_bytes()
    return MemorySource(data, Representation(len(data)))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small file whose last change counts as long past."""
    monkeypatch.setattr(SmallFileCache, "_TICK_NS", -(10**18))
    path = tmp_path / "small.txt"
    path.write_bytes(b"first")
    return path


def _put(shelf: SmallFileCache, path: Path) -> MemorySource:
    return shelf.put(str(path), os.stat(path), _source(path))


def _get(shelf: SmallFileCache, path: Path) -> tuple[MemorySource, int] | None:
    return shelf.get(str(path), None)


def test_a_file_that_has_not_changed_is_at_hand(path: Path) -> None:
    shelf = SmallFileCache()
    source = _put(shelf, path)
    assert _get(shelf, path) == (source, path.stat().st_mtime_ns)


def _rewrite(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"later")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    path.with_name("new").write_bytes(b"later")
    path.with_name("new").rename(path)


@pytest.mark.parametrize("change", [_rewrite, _replace, Path.unlink, lambda path: path.chmod(0o640)])
def test_a_file_that_was_touched_in_any_way_is_not(path: Path, change: object) -> None:
    shelf = SmallFileCache()
    _put(shelf, path)
    assert callable(change)
    change(path)
    assert _get(shelf, path) is None
    assert _get(shelf, path) is None


def test_after_a_second_the_way_to_it_is_looked_up_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_SECONDS", 0)
    shelf = SmallFileCache()
    _put(shelf, path)
    assert _get(shelf, path) is None


def test_a_file_that_changed_just_now_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_TICK_NS", 10**18)
    (tmp_path / "new.txt").write_bytes(b"new")
    shelf = SmallFileCache()
    _put(shelf, tmp_path / "new.txt")
    assert _get(shelf, tmp_path / "new.txt") is None


def test_the_least_recently_wanted_leaves_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_ROOM", 10)
    others = [path.with_name(name) for name in ("second", "third")]
    for other in others:
        other.write_bytes(b"12345")
    shelf = SmallFileCache()
    _put(shelf, path)
    _put(shelf, others[0])
    assert _get(shelf, path)
    _put(shelf, others[1])
    assert [_get(shelf, place) is not None for place in (path, *others)] == [True, False, True]


def test_putting_a_file_twice_takes_its_room_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_ROOM", 5)
    shelf = SmallFileCache()
    _put(shelf, path)
    again = _put(shelf, path)
    assert _get(shelf, path) == (again, path.stat().st_mtime_ns)


async def test_a_store_gives_what_is_on_the_disk_now(path: Path) -> None:
    store = DirectoryStore(path.parent)
    for content in (b"first", b"other", b"third"):
        path.write_bytes(content)
        source = await store.open(path.name)
        assert b"".join([chunk async for chunk in source.read(ByteRange(0, 5))]) == content
        await source.aclose()
