"""RecentPaths: which paths are opened on the event loop, and for how long."""

from functools import partial
from pathlib import Path

import pytest
from harness.clock import Clock
from harness.one_thread import OneThread
from harness.one_thread import executor as executor  # noqa: PLC0414

from async_downloads.open_file import OpenFile
from async_downloads.recent_paths import RecentPaths

SECONDS = 30


async def openings_in_threads(paths: RecentPaths, path: Path | str, executor: OneThread) -> int:
    """Open and close the path three times; return how many of the openings ran in a thread."""
    executor.release()
    before = len(executor.asked)
    for _ in range(3):
        (await paths.open(str(path), partial(OpenFile, str(path)), discard=OpenFile.close)).close()
    return len(executor.asked) - before


async def test_a_path_is_opened_in_a_thread_once_and_then_on_the_loop(large: Path, executor: OneThread) -> None:
    assert await openings_in_threads(RecentPaths(), large, executor) == 1


async def test_a_path_is_recent_for_thirty_seconds(large: Path, executor: OneThread, clock: Clock) -> None:
    paths = RecentPaths()
    await openings_in_threads(paths, large, executor)
    clock.forward(SECONDS - 1)
    assert await openings_in_threads(paths, large, executor) == 0
    clock.forward(1)
    assert await openings_in_threads(paths, large, executor) == 1


async def test_a_path_below_a_folder_is_found_there(large: Path, executor: OneThread) -> None:
    executor.release()
    paths, opening = RecentPaths(str(large.parent)), partial(OpenFile, str(large))
    (await paths.open(large.name, opening, discard=OpenFile.close)).close()
    assert large.name in paths


async def test_a_file_that_is_on_no_local_file_system_is_opened_in_threads_only(executor: OneThread) -> None:
    assert await openings_in_threads(RecentPaths(), "/proc/version", executor) == 3


async def test_a_directory_that_is_on_no_local_file_system_is_searched_in_threads_only(
    large: Path, executor: OneThread
) -> None:
    with large.open("rb") as file:
        link = f"/proc/self/fd/{file.fileno()}"
        assert await openings_in_threads(RecentPaths(), link, executor) == 3


async def test_a_path_that_cannot_be_opened_is_not_recent(executor: OneThread) -> None:
    paths = RecentPaths()
    for count in (1, 2):
        with pytest.raises(FileNotFoundError):
            await openings_in_threads(paths, "/nothing", executor)
        assert len(executor.asked) == count


async def test_recent_paths_are_bounded_in_number(tmp_path: Path) -> None:
    paths = RecentPaths(str(tmp_path))
    for number in range(5000):
        (tmp_path / str(number)).touch()
        await paths.open(str(number), int, discard=lambda _: None)
    assert len(paths._expiry) == 5000 - 4096
