"""OpenFile against the kernel: cached bytes, bytes on the disk, and threads whose caller was cancelled."""

import asyncio
import gc
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from harness.one_thread import OneThread
from harness.one_thread import executor as executor  # noqa: PLC0414
from harness.process import descriptors, other_tasks
from harness.waiting import eventually

from async_downloads.open_file import OpenFile
from async_downloads.threads import in_thread

# It is on every Linux, and its file system does not know RWF_NOWAIT, so it is read in threads.
UNPROBED = Path("/proc/version")


async def test_cached_bytes_are_read_without_a_thread(large: Path, content: bytes, executor: OneThread) -> None:
    large.read_bytes()
    file = OpenFile(str(large))
    assert await file.read(1_000_001, 500_000) == content[1_000_001:1_500_001]
    file.close()
    assert not executor.asked


async def test_evicted_bytes_are_read(large: Path, content: bytes) -> None:
    file = OpenFile(str(large))
    os.fsync(file.fd)
    for offset in range(0, len(content), 500_000):
        os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        assert await file.read(offset, 500_000) == content[offset : offset + 500_000]
    file.close()


async def test_a_file_system_without_rwf_nowait_is_read_in_threads(executor: OneThread) -> None:
    executor.release()
    text = UNPROBED.read_bytes()
    file = OpenFile(str(UNPROBED))
    assert file.read_cached(0, 5) is None
    assert await file.read(0, 5) == text[:5]
    assert await file.read(5, 5) == text[5:10]
    file.close()
    assert len(executor.asked) == 2


@pytest.mark.parametrize("size", [45, 45_000, 450_000])
@pytest.mark.parametrize("over", [1, 100, 400_000])
async def test_a_read_beyond_the_end_is_short(large: Path, content: bytes, size: int, over: int) -> None:
    os.truncate(large, size)
    file = OpenFile(str(large))
    for offset in (0, 10, size - 1, size, 2 * size):
        assert await file.read(offset, max(size - offset, 0) + over) == content[offset:size]
    file.close()


async def test_an_error_of_a_threaded_read_comes_through(executor: OneThread) -> None:
    executor.release()
    reader, writer = os.pipe()  # which has no positions
    file = OpenFile.duplicate(reader)
    with pytest.raises(OSError, match="Illegal seek"):
        await file.read(0, 1)
    file.close()
    os.close(reader)
    os.close(writer)


async def test_a_cancelled_read_never_reads_the_file_that_got_its_number(tmp_path: Path, executor: OneThread) -> None:
    (tmp_path / "secret").write_bytes(b"secret " * 100)
    file = OpenFile(str(UNPROBED))
    number, text = file.fd, UNPROBED.read_bytes()
    await _cancel_when_asked(file.read(0, 7), executor)
    file.close()
    file.close()
    others = [OpenFile(str(tmp_path / "secret")) for _ in range(20)]
    assert number not in [other.fd for other in others]
    executor.release()
    await eventually(lambda: file.fd == -1)
    assert executor.asked[0].result() == text[:7]
    assert number not in descriptors(UNPROBED)
    for other in others:
        other.close()
    assert not other_tasks()


async def test_a_close_waits_for_the_last_of_several_reads(executor: OneThread) -> None:
    file = OpenFile(str(UNPROBED))
    reads = [asyncio.create_task(file.read(offset, 3)) for offset in range(3)]
    await eventually(lambda: len(executor.asked) == 3)
    file.close()
    reads[0].cancel()
    executor.release()
    text = UNPROBED.read_bytes()
    assert await asyncio.gather(*reads[1:]) == [text[1:4], text[2:5]]
    await eventually(lambda: file.fd == -1)


async def test_the_error_of_a_cancelled_read_is_not_logged(executor: OneThread) -> None:
    reader, writer = os.pipe()
    file = OpenFile.duplicate(reader)
    await _cancel_when_asked(file.read(0, 1), executor)
    file.close()
    executor.release()
    await eventually(lambda: file.fd == -1)
    os.close(reader)
    os.close(writer)


async def _cancel_when_asked(reading: Any, executor: OneThread) -> None:
    """Cancel a read that waits for the thread."""
    task = asyncio.ensure_future(reading)
    await eventually(lambda: executor.asked)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_cancelled_opening_leaves_nothing_open(large: Path, executor: OneThread) -> None:
    await _cancel_when_asked(in_thread(partial(OpenFile, str(large)), discard=OpenFile.close), executor)
    executor.release()
    await eventually(lambda: executor.asked[0].done() and not descriptors(large))


async def test_the_error_of_a_cancelled_opening_is_not_logged(executor: OneThread) -> None:
    await _cancel_when_asked(in_thread(partial(OpenFile, "/nothing"), discard=OpenFile.close), executor)
    executor.release()
    await eventually(lambda: executor.asked[0].done() and not other_tasks())


def test_a_duplicate_is_closed_by_itself(large: Path, content: bytes) -> None:
    with large.open("rb") as original:
        file = OpenFile.duplicate(original.fileno())
        assert file.fd != original.fileno()
        assert not os.get_inheritable(file.fd)
        file.close()
        assert original.read(10) == content[:10]
    assert not descriptors(large)


def test_a_file_is_closed_with_its_last_reference(large: Path) -> None:
    file = OpenFile(str(large))
    assert descriptors(large)
    del file
    gc.collect()
    assert not descriptors(large)


def test_a_file_that_could_not_be_opened_raises_and_leaves_nothing() -> None:
    with pytest.raises(FileNotFoundError):
        OpenFile("/nothing")
