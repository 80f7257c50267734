"""Writing buffers to a position of a file."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_downloads.client.disk.part_file import write_all


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """The descriptor of a file that is open for writing."""
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("count", [0, 1, 3000], ids=["none", "one", "more than a call takes"])
def test_buffers_are_written_one_after_the_other(fd: int, count: int) -> None:
    buffers = [bytes([number % 256]) * 3 for number in range(count)]
    write_all(fd, buffers, 5)
    assert os.pread(fd, 10_000, 5) == b"".join(buffers)


def test_a_short_write_is_continued(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, offset: pwrite(fd, buffers[0][:2], offset))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:3], offset))
    write_all(fd, [b"abcde", b"fghij"], 1)
    assert os.pread(fd, 100, 1) == b"abcdefghij"
