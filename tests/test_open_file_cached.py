"""OpenFile.is_cached: whether reading need not wait for the disk, decided by a few of the bytes."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from harness.cache import evict

from async_downloads.open_file import FileRegion, OpenFile

UNPROBED = Path("/proc/version")  # on a file system that cannot tell what is cached
MIB = 1024 * 1024

spans = pytest.mark.parametrize(
    ("offset", "count"), [(0, 1), (0, 4 * MIB), (4 * MIB - 1, 1), (5, 256 * 1024), (5, 256 * 1024 + 1)]
)


@spans
def test_bytes_that_were_just_written_are_cached(large: Path, offset: int, count: int) -> None:
    file = OpenFile(str(large))
    assert file.is_cached(offset, count)
    file.close()


def _is_noticed(large: Path, offset: int, count: int, *, but: Sequence[tuple[int, int]] = ()) -> bool:
    """Evict the file but for these spans; return whether these bytes are then not cached, in one of 50 attempts.

    A probe makes the kernel read a page. On a busy machine the page may be there before the kernel looks for it.
    """
    for _ in range(50):
        evict(large, but=but)
        with closing(OpenFile(str(large))) as file:
            if not file.is_cached(offset, count):
                return True
    return False


@spans
def test_evicted_bytes_are_not_cached(large: Path, offset: int, count: int) -> None:
    assert _is_noticed(large, offset, count)


@pytest.mark.parametrize("missing", [0, 3, 11, 15])
def test_an_evicted_region_among_cached_ones_is_noticed(large: Path, missing: int) -> None:
    region = 256 * 1024
    cached = [(number * region, region) for number in range(16) if number != missing]
    assert _is_noticed(large, 0, 4 * MIB, but=cached)
    with closing(OpenFile(str(large))) as file:
        assert all(file.is_cached(offset, count) for offset, count in cached)


@pytest.mark.parametrize(("offset", "count"), [(4 * MIB - 1, 2), (4 * MIB, 1), (0, 5 * MIB)])
def test_bytes_beyond_the_end_are_not_cached(large: Path, offset: int, count: int) -> None:
    file = OpenFile(str(large))
    assert not file.is_cached(offset, count)
    file.close()


def test_a_file_system_without_rwf_nowait_is_never_cached() -> None:
    file = OpenFile(str(UNPROBED))
    assert not file.is_cached(0, 5)
    assert not file.is_cached(0, 5)
    file.close()


def test_a_region_names_its_bytes(large: Path, content: bytes) -> None:
    region = FileRegion(OpenFile(str(large)), 1000, 500)
    assert os.pread(region.file.fd, region.size, region.offset) == content[1000:1500]
    region.file.close()
