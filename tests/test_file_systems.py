"""A file system that does not respond delays only the requests for its own files."""

import asyncio
import os
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from harness.mounts import DEVICES, occupy
from harness.mounts import hanging as hanging  # noqa: PLC0414
from harness.mounts import mounts as mounts  # noqa: PLC0414
from harness.waiting import HANGING, eventually

from async_downloads import file_systems, recent_paths
from async_downloads.errors import SourceBusy
from async_downloads.file_systems import remote_device, threads_of
from async_downloads.recent_paths import RecentPaths, open_in_thread
from async_downloads.threads import DaemonThreads


@pytest.mark.parametrize(
    ("path", "minor"),
    [
        pytest.param("nfs", 1000, id="the mount itself"),
        pytest.param("nfs/deep/a.txt", 1000, id="a file below"),
        pytest.param("nfs/nothing", 1000, id="nothing below"),
        pytest.param("user/deep", 1001, id="FUSE"),
        pytest.param("with space/deep", 1002, id="an escaped name"),
        pytest.param("disk/deep/a.txt", None, id="a local disk"),
        pytest.param("nothing/a.txt", None, id="nothing"),
        pytest.param("nfs-beside/a.txt", None, id="a name that begins so"),
        pytest.param("disk/../nfs/./deep", 1000, id="dots"),
        pytest.param("absolute/a.txt", 1000, id="an absolute link"),
        pytest.param("disk/up/a.txt", 1000, id="a relative link"),
        pytest.param("chain/a.txt", 1000, id="a link to a link"),
        pytest.param("ring/a.txt", None, id="a ring of links"),
    ],
)
def test_the_way_of_a_path_is_followed_to_a_remote_mount(mounts: Path, path: str, minor: int | None) -> None:
    (mounts / "absolute").symlink_to(mounts / "nfs" / "deep")
    (mounts / "disk" / "up").symlink_to("../nfs/deep")
    (mounts / "chain").symlink_to("disk/up")
    (mounts / "ring").symlink_to("ring")
    assert remote_device(f"{mounts}/{path}") == (None if minor is None else os.makedev(0, minor))


def test_without_a_table_of_mounts_no_path_is_remote(mounts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_systems, "_MOUNTS", "/nothing")
    assert remote_device(f"{mounts}/nfs") is None


async def test_a_device_that_hangs_keeps_no_other_path_waiting(mounts: Path, hanging: threading.Event) -> None:
    stuck = [asyncio.ensure_future(open_in_thread(f"{mounts}/nfs/{n}", hanging.wait)) for n in range(100)]
    await asyncio.sleep(0)
    paths = RecentPaths(str(mounts))
    for path in ("disk/deep/a.txt", "user/deep/a.txt", "nothing"):
        assert await paths.open(path, lambda: 1, discard=bool) == 1
    assert not [task for task in stuck if task.done()]
    hanging.set()
    assert await asyncio.gather(*stuck) == [True] * 100


async def test_a_device_that_hangs_is_busy_after_the_timeout(
    mounts: Path, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_paths, "OPEN_TIMEOUT", 0.05)
    begun: list[int] = []

    def opening(number: int) -> int:
        begun.append(number)
        hanging.wait()
        return number

    discarded: list[int] = []
    for number in range(12):
        with pytest.raises(SourceBusy, match="did not respond"):
            await open_in_thread(f"{mounts}/nfs/{number}", partial(opening, number), discard=discarded.append)
    hanging.set()
    await eventually(lambda: len(discarded) == 8)
    assert await open_in_thread(f"{mounts}/nfs/after", lambda: 100) == 100
    assert sorted(begun) == sorted(discarded)
    assert len(begun) == 8


async def test_an_error_of_a_remote_opening_comes_through(mounts: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await open_in_thread(f"{mounts}/nfs/nothing", partial(os.stat, mounts / "nfs" / "nothing"))


async def test_a_remote_path_is_never_opened_on_the_loop(mounts: Path) -> None:
    paths, main = RecentPaths(str(mounts)), threading.get_ident()
    for _ in range(3):
        assert await paths.open("nfs/deep/a.txt", threading.get_ident, discard=bool) != main


async def test_a_recent_path_that_now_leads_to_a_remote_mount_is_opened_in_a_thread(mounts: Path) -> None:
    paths, path, main = RecentPaths(str(mounts)), mounts / "a.txt", threading.get_ident()
    path.write_bytes(b"near")
    await paths.open("a.txt", threading.get_ident, discard=bool)
    assert await paths.open("a.txt", threading.get_ident, discard=bool) == main
    path.unlink()
    path.symlink_to("nfs/deep/a.txt")
    assert await paths.open("a.txt", threading.get_ident, discard=bool) != main


async def test_a_device_that_has_hung_for_the_timeout_is_busy_at_once(
    mounts: Path, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    occupy(DEVICES["nfs"], hanging)
    waiting = asyncio.ensure_future(open_in_thread(f"{mounts}/nfs/first", lambda: 1))
    await eventually(lambda: threads_of(DEVICES["nfs"]).is_stuck(0))
    monkeypatch.setattr(threads_of(DEVICES["nfs"]), "is_stuck", lambda _: True)
    with pytest.raises(SourceBusy, match="did not respond"):
        await open_in_thread(f"{mounts}/nfs/second", lambda: 2)
    assert not waiting.done()
    hanging.set()
    assert await waiting == 1


def test_threads_are_stuck_while_their_oldest_work_waits_too_long(hanging: threading.Event) -> None:
    pool, begun = DaemonThreads(1), threading.Event()

    def run() -> None:
        begun.set()
        hanging.wait()

    running = pool.submit(run)
    begun.wait()
    assert not pool.is_stuck(0)
    waiting = pool.submit(lambda: 1)
    assert pool.is_stuck(0)
    assert not pool.is_stuck(60)
    hanging.set()
    assert (waiting.result(HANGING), running.done()) == (1, True)
    assert not pool.is_stuck(0)


def test_each_device_has_its_own_threads() -> None:
    assert threads_of(1) is threads_of(1)
    assert threads_of(1) is not threads_of(2)


def test_threads_are_used_again_and_end_when_there_is_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DaemonThreads, "_IDLE_SECONDS", 0.05)
    pool = DaemonThreads(2)
    numbers = [pool.submit(threading.get_native_id).result(HANGING) for _ in range(20)]
    assert len(set(numbers)) <= 2
    with suppress(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(HANGING)
    for thread in [each for each in threading.enumerate() if each.native_id in numbers]:
        thread.join(HANGING)
    assert pool.submit(lambda: 7).result(HANGING) == 7


def test_no_more_threads_run_than_allowed(hanging: threading.Event) -> None:
    pool, running = DaemonThreads(3), []

    def run() -> None:
        running.append(threading.get_ident())
        hanging.wait()

    futures = [pool.submit(run) for _ in range(10)]
    assert futures[9].cancel()
    hanging.set()
    assert [future.result(HANGING) for future in futures[:9]] == [None] * 9
    assert len(set(running)) <= 3
    assert len(running) == 9
