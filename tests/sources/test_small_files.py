"""SmallFileCache returns only the version that is on the disk, and never holds more than its capacity."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from harness.waiting import HANGING, eventually

from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.sources import small_files
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.memory import MemorySource
from async_downloads.sources.small_files import SmallFileCache

ENTRY = SmallFileCache._ENTRY_BYTES


def _source(path: Path) -> MemorySource:
    data = path.read_bytes()
    return MemorySource(data, Representation(len(data)))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a small file that an empty cache accepts although it was written just now."""
    monkeypatch.setattr(small_files, "_memory", small_files._Memory())
    monkeypatch.setattr(SmallFileCache, "_CLOCK_TICK_NS", -(10**18))
    path = tmp_path / "small.txt"
    path.write_bytes(b"first")
    return path


def _put(cache: SmallFileCache, path: Path) -> MemorySource:
    return cache.put(str(path), os.stat(path), _source(path))


def _get(cache: SmallFileCache, path: Path) -> tuple[MemorySource, int] | None:
    return cache.get(str(path), None)


def test_an_unchanged_file_is_cached(path: Path) -> None:
    cache = SmallFileCache()
    source = _put(cache, path)
    assert _get(cache, path) == (source, path.stat().st_mtime_ns)


def _rewrite(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"later")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    path.with_name("new").write_bytes(b"later")
    path.with_name("new").rename(path)


@pytest.mark.parametrize("change", [_rewrite, _replace, Path.unlink, lambda path: path.chmod(0o640)])
def test_any_change_of_the_file_removes_it_from_the_cache(path: Path, change: object) -> None:
    cache = SmallFileCache()
    _put(cache, path)
    assert callable(change)
    change(path)
    assert _get(cache, path) is None
    assert _get(cache, path) is None


def test_a_file_is_opened_again_after_a_second(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_FRESH_SECONDS", 0)
    cache = SmallFileCache()
    _put(cache, path)
    assert _get(cache, path) is None


def test_a_file_that_changed_just_now_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_CLOCK_TICK_NS", 10**18)
    (tmp_path / "new.txt").write_bytes(b"new")
    cache = SmallFileCache()
    _put(cache, tmp_path / "new.txt")
    assert _get(cache, tmp_path / "new.txt") is None


@pytest.fixture
def _room_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_CAPACITY_BYTES", 2 * (ENTRY + 5))


@pytest.mark.usefixtures("_room_for_two")
@pytest.mark.parametrize("stores", [1, 3])
def test_the_oldest_file_of_the_process_is_removed_first(path: Path, stores: int) -> None:
    others = [path.with_name(name) for name in ("second", "third")]
    caches = [SmallFileCache() for _ in range(stores)] * 3
    for cache, place in zip(caches, (path, *others), strict=False):
        place.write_bytes(b"12345")
        _put(cache, place)
    found = [_get(cache, place) is not None for cache, place in zip(caches, (path, *others), strict=False)]
    assert found == [False, True, True]


def test_a_file_counts_with_what_its_entry_takes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_CAPACITY_BYTES", ENTRY + 4)
    cache = SmallFileCache()
    _put(cache, path)
    assert _get(cache, path) is None


async def test_files_that_nobody_asks_for_leave_the_cache(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_FRESH_SECONDS", 0.01)
    cache = SmallFileCache()
    _put(cache, path)

    def is_empty() -> bool:
        cache.sweep_later()
        return not small_files._memory.files and not small_files._memory.bytes

    await eventually(is_empty)


@pytest.mark.usefixtures("_room_for_two")
def test_a_file_that_is_put_twice_takes_its_size_once(path: Path) -> None:
    cache = SmallFileCache()
    for _ in range(3):
        again = _put(cache, path)
    assert _get(cache, path) == (again, path.stat().st_mtime_ns)


class MeetingPath(os.PathLike[str]):
    """A path on which two threads wait for each other when both ask the disk for its version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._barrier = Barrier(2, timeout=HANGING)

    def __fspath__(self) -> str:
        self._barrier.wait()
        return str(self._path)


def test_two_threads_may_find_the_same_file_stale(path: Path) -> None:
    cache = SmallFileCache()
    meeting: Any = MeetingPath(path)
    cache.put(meeting, os.stat(path), _source(path))
    _rewrite(path)
    with ThreadPoolExecutor(2) as threads:
        found = [threads.submit(cache.get, meeting, None) for _ in range(2)]
    assert [future.result() for future in found] == [None, None]


@pytest.fixture
def _many_thread_switches() -> Iterator[None]:
    """Let the interpreter switch threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-7)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_many_thread_switches")
def test_threads_that_put_the_same_file_count_its_size_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmallFileCache, "_CAPACITY_BYTES", ENTRY + 5)
    monkeypatch.setattr(SmallFileCache, "_FRESH_SECONDS", HANGING)
    cache, status, source = SmallFileCache(), os.stat(path), _source(path)

    def put_often() -> None:
        for _ in range(5000):
            cache.put(str(path), status, source)

    with ThreadPoolExecutor(4) as threads:
        putting = [threads.submit(put_often) for _ in range(4)]
    assert [future.exception() for future in putting] == [None] * 4
    assert _get(cache, path) == (source, status.st_mtime_ns)


async def test_a_store_always_returns_what_is_on_the_disk(path: Path) -> None:
    store = DirectoryStore(path.parent)
    for content in (b"first", b"other", b"third"):
        path.write_bytes(content)
        source = await store.open(path.name)
        assert b"".join([chunk async for chunk in source.read(ByteRange(0, 5))]) == content
        await source.aclose()
