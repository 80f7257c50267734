"""RegionTransfer: which bytes of a region can be sent without waiting for a disk."""

import time
from pathlib import Path

import pytest
from harness.cache import evict

from async_downloads.open_file import FileRegion, OpenFile
from async_downloads.server.http1 import region_transfer
from async_downloads.server.http1.region_transfer import RegionTransfer

MIB = 1024 * 1024


class RecordingFile(OpenFile):
    """A file that notes what it is asked about."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.probed: list[tuple[int, int]] = []

    def is_cached(self, offset: int, count: int) -> bool:
        """Note the question, and answer it."""
        self.probed.append((offset, count))
        return super().is_cached(offset, count)


def test_a_call_may_reach_beyond_what_the_call_before_has_sent(large: Path) -> None:
    large.read_bytes()
    file = RecordingFile(large)
    transfer = RegionTransfer(FileRegion(file, 5, 4 * MIB - 5))
    assert transfer.cached_bytes(1000) == 1000
    transfer.offset += 600
    assert transfer.cached_bytes(2 * MIB) == 2 * MIB
    assert transfer.cached_bytes(8 * MIB) == transfer.left == 4 * MIB - 605
    assert file.probed == [(5, MIB - 5), *((number * MIB, MIB) for number in (1, 2, 3))]
    file.close()


def test_a_whole_block_is_probed_once_in_a_few_seconds_for_all_clients(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.read_bytes()
    file = RecordingFile(large)
    now = time.monotonic()
    for seconds, probed in ((0, 4), (4, 4), (6, 8)):
        monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: now + seconds)
        assert RegionTransfer(FileRegion(file, 0, 4 * MIB)).cached_bytes(4 * MIB) == 4 * MIB
        assert len(file.probed) == probed
    file.close()


def test_the_number_of_known_blocks_is_limited(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region_transfer._CachedBlocks, "_MOST", 2)
    large.read_bytes()
    file = OpenFile(str(large))
    RegionTransfer(FileRegion(file, 0, 4 * MIB)).cached_bytes(4 * MIB)
    assert len(region_transfer._blocks._seen_at) <= 2
    file.close()


async def test_what_follows_a_missing_block_waits_until_it_is_loaded(large: Path) -> None:
    evict(large, but=[(0, MIB), (2 * MIB, 2 * MIB)])
    file = RecordingFile(large)
    transfer = RegionTransfer(FileRegion(file, 0, 4 * MIB))
    assert transfer.cached_bytes(4 * MIB) == MIB
    transfer.offset = MIB
    assert transfer.cached_bytes(4 * MIB) == 0
    assert len(file.probed) == 2, "a second probe could be wrong"
    await transfer.load()
    assert transfer.cached_bytes(4 * MIB) == 3 * MIB
    file.close()
