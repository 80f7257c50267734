"""Writing to places of a file, and work that is not left in the middle."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_downloads.client.disk.part_file import write_all
from async_downloads.threads import await_shielded


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """A file that is open for writing."""
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("count", [0, 1, 3000], ids=["none", "one", "more than a call takes"])
def test_buffers_are_written_one_after_the_other(fd: int, count: int) -> None:
    buffers = [bytes([number % 256]) * 3 for number in range(count)]
    write_all(fd, buffers, 5)
    assert os.pread(fd, 10_000, 5) == b"".join(buffers)


def test_what_a_call_leaves_is_written_by_the_next(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, offset: pwrite(fd, buffers[0][:2], offset))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:3], offset))
    write_all(fd, [b"abcde", b"fghij"], 1)
    assert os.pread(fd, 100, 1) == b"abcdefghij"


class Work:
    """Work that goes on until it is told to end."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.ended = False

    async def __call__(self, error: Exception | None = None) -> str:
        """Work."""
        await self.may_end.wait()
        self.ended = True
        if error:
            raise error
        return "done"


async def test_the_result_of_work_is_returned() -> None:
    work = Work()
    work.may_end.set()
    assert await await_shielded(work()) == "done"


async def test_the_error_of_work_is_raised() -> None:
    work = Work()
    work.may_end.set()
    with pytest.raises(ValueError, match="broken"):
        await await_shielded(work(ValueError("broken")))


@pytest.mark.parametrize("error", [None, ValueError("that nobody waits for")])
async def test_who_is_cancelled_waits_for_the_end_however_often(error: Exception | None) -> None:
    work = Work()
    task = asyncio.create_task(await_shielded(work(error)))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended


async def test_work_that_is_cancelled_itself_is_over() -> None:
    work = asyncio.create_task(Work()())
    task = asyncio.create_task(await_shielded(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
