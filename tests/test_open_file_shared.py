"""Shared descriptors: one for each version of a file, closed by its last user."""

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from harness.one_thread import OneThread
from harness.one_thread import executor as executor  # noqa: PLC0414
from harness.process import descriptors
from harness.waiting import eventually
from test_open_file import UNPROBED

from async_downloads.open_file import OpenFile


def shared(path: Path) -> OpenFile:
    """Open a file, and share."""
    file = OpenFile(str(path))
    file.share()
    return file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that was written long ago."""
    path = tmp_path / "file"
    path.write_bytes(b"contents")
    os.utime(path, (1, 1))
    return path


def test_files_of_the_same_version_share_a_descriptor(path: Path) -> None:
    files = [shared(path) for _ in range(100)]
    assert list(descriptors(path)) == [files[0].fd]
    assert {(file.fd, file.status) for file in files} == {(files[0].fd, files[0].status)}
    for file in files:
        assert os.pread(file.fd, 8, 0) == b"contents"
        file.close()
    assert not descriptors(path)


def test_two_names_of_one_file_share_a_descriptor(path: Path) -> None:
    linked = path.with_name("linked")
    linked.hardlink_to(path)
    first, second = shared(path), shared(linked)
    assert first.fd == second.fd
    first.close()
    second.close()


def test_a_file_that_does_not_share_has_its_own_descriptor(path: Path) -> None:
    files = [shared(path), OpenFile(str(path)), OpenFile(str(path))]
    assert len(descriptors(path)) == 3
    for file in files:
        file.close()
    assert not descriptors(path)


def rewrite(path: Path) -> None:
    path.write_bytes(b"CONTENTS")


def rewrite_and_restore_the_time(path: Path) -> None:
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # until the clock of the file system has ticked
        path.write_bytes(b"CONTENTS")
        os.utime(path, (1, 1))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b", more")


def put_another(path: Path) -> None:
    path.with_name("new").write_bytes(b"CONTENTS")
    os.utime(path.with_name("new"), (1, 1))
    path.with_name("new").replace(path)


@pytest.mark.parametrize("change", [rewrite, rewrite_and_restore_the_time, append, put_another])
def test_another_version_has_another_descriptor_and_status(path: Path, change: Callable[[Path], None]) -> None:
    before = shared(path)
    change(path)
    after = shared(path)
    assert after.fd != before.fd
    assert after.status == os.stat(path) == os.fstat(after.fd)
    before.close()
    assert os.pread(after.fd, 20, 0) == path.read_bytes()
    after.close()
    assert not descriptors(path)


def test_the_last_user_closes_the_descriptor_in_any_order(path: Path) -> None:
    first, second, third = (shared(path) for _ in range(3))
    for file in (second, first):
        file.close()
        assert descriptors(path)
    third.close()
    assert not descriptors(path)


def test_closing_again_does_not_close_the_shared_descriptor(path: Path) -> None:
    first, second = shared(path), shared(path)
    for _ in range(3):
        first.close()
    assert (first.fd, os.pread(second.fd, 8, 0)) == (-1, b"contents")
    second.close()
    third = shared(path)
    second.close()
    assert os.pread(third.fd, 8, 0) == b"contents"
    third.close()


def test_a_closed_descriptor_is_not_shared(path: Path) -> None:
    closed = shared(path)
    closed.close()
    kept = os.open("/", os.O_RDONLY)  # which may have got its number
    file = shared(path)
    assert os.pread(file.fd, 8, 0) == b"contents"
    file.close()
    os.close(kept)


def test_a_collected_file_gives_up_only_its_own_use(path: Path) -> None:
    kept, forgotten = shared(path), shared(path)
    del forgotten
    gc.collect()
    assert os.pread(kept.fd, 8, 0) == b"contents"
    kept.close()
    assert not descriptors(path)


@pytest.fixture
def _threshold() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


class Cycle:
    """A reference cycle with a file, which only the garbage collector can free."""

    def __init__(self, file: OpenFile) -> None:
        self.file, self.itself = file, self


@pytest.mark.usefixtures("_threshold")
@pytest.mark.parametrize("threshold", [1, 3, 5, 7, 9, 20])
def test_a_file_that_is_collected_while_another_is_being_shared_is_released(path: Path, threshold: int) -> None:
    paths = [path.with_name(str(number)) for number in range(8)]
    for each in paths:
        each.touch()
    gc.set_threshold(threshold, 5, 5)
    for number in range(1000):
        Cycle(shared(paths[number % 8]))
    gc.collect()
    assert not [found for each in paths for found in descriptors(each)]


def test_threads_that_open_and_close_at_the_same_time_read_what_they_opened(path: Path) -> None:
    paths = [path.with_name(str(number)) for number in range(4)]
    for number, each in enumerate(paths):
        each.write_text(f"file {number}")
    together = Barrier(8)

    def work(number: int) -> None:
        together.wait()
        for round_ in range(300):
            which = (number + round_) % 4
            file = shared(paths[which])
            assert os.pread(file.fd, 10, 0) == f"file {which}".encode()
            file.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert not [found for each in paths for found in descriptors(each)]


async def test_a_shared_file_is_open_until_the_last_thread_is_done_with_it(executor: OneThread) -> None:
    files = OpenFile(str(UNPROBED)), OpenFile(str(UNPROBED))
    for file in files:
        file.share()
    reading = asyncio.create_task(files[0].read(1, 3))
    await eventually(lambda: executor.asked)
    for file in files:
        file.close()
    executor.release()
    assert await reading == UNPROBED.read_bytes()[1:4]
    await eventually(lambda: not descriptors(UNPROBED))
