"""Batches: bytes are written to the part, then recorded in the journal."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from harness.clock import StillClock

from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.segment import Segment
from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.disk.batch_writer import BatchWriter, SegmentWriter
from async_downloads.client.disk.journal import Record
from async_downloads.client.disk.part_file import PartFile
from async_downloads.errors import DiskError
from client.disk.batches import CHUNK, MIB, VERSION, failing, journal, started, stored, turn_until

pytestmark = pytest.mark.usefixtures("still")


def two() -> tuple[Schedule, list[Segment]]:
    """Return a schedule with two connections that fetch a segment each."""
    schedule = Schedule(2, VERSION, Spans.of([(99 * MIB, 100 * MIB)]))
    schedule.ranges_proven = True
    return schedule, [segment for segment in (schedule.take(), schedule.take()) if segment]


async def put(writer: SegmentWriter, count: int) -> None:
    """Put `count` chunks."""
    for _ in range(count):
        await writer.put(CHUNK)


async def test_a_batch_has_four_mib(part_file: PartFile) -> None:
    schedule, segment = started()
    writer = SegmentWriter(BatchWriter(part_file, schedule), segment)
    await put(writer, 15)
    assert part_file.part.stat().st_size == 0
    await put(writer, 17)  # waits until the first sixteen are written
    assert schedule.held == Spans.of([(0, 4 * MIB)])
    await writer.aclose()
    assert part_file.part.read_bytes() == CHUNK * 32


async def test_a_batch_can_have_bytes_of_several_connections(part_file: PartFile) -> None:
    schedule, segments = two()
    batch_writer = BatchWriter(part_file, schedule)
    writers = [SegmentWriter(batch_writer, segment) for segment in segments]
    for writer in writers:
        await put(writer, 8)
    await writers[0].aclose()
    spans = Spans.of([(segment.start, segment.start + 2 * MIB) for segment in segments])
    assert journal(part_file) == Record(VERSION, schedule.held, NOTHING)
    assert schedule.held == spans.add(99 * MIB, 100 * MIB)
    assert [segment.done - segment.start for segment in segments] == [2 * MIB, 2 * MIB]


async def test_all_connections_that_wait_for_a_batch_continue(part_file: PartFile) -> None:
    schedule, segments = two()
    batch_writer = BatchWriter(part_file, schedule)
    writers = [SegmentWriter(batch_writer, segment) for segment in segments]
    await asyncio.gather(*(put(writer, 64) for writer in writers))
    await asyncio.gather(*(writer.aclose() for writer in writers))
    assert schedule.held.size == 33 * MIB
    for segment in segments:
        assert part_file.part.read_bytes()[segment.start :][: 16 * MIB] == CHUNK * 64


async def test_a_small_batch_is_written_after_half_a_second(still: StillClock, part_file: PartFile) -> None:
    schedule, segment = started()
    writer = SegmentWriter(BatchWriter(part_file, schedule), segment)
    await put(writer, 1)
    still.now += 0.5
    await turn_until(lambda: segment.done > 0)
    assert (schedule.held.size, journal(part_file)) == (len(CHUNK), Record(VERSION, schedule.held, NOTHING))
    await put(writer, 1)
    await writer.aclose()
    assert (schedule.held.size, segment.done) == (2 * len(CHUNK), 2 * len(CHUNK))


async def test_a_small_batch_is_written_after_a_batch_that_is_being_written(
    still: StillClock, part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, segment = started()
    writer = SegmentWriter(BatchWriter(part_file, schedule), segment)
    written, write = threading.Event(), os.pwritev

    def slowly(*arguments: Any) -> int:
        written.wait()
        return write(*arguments)

    monkeypatch.setattr(os, "pwritev", slowly)
    await put(writer, 17)
    still.now += 0.5
    await asyncio.sleep(0)
    written.set()
    await turn_until(lambda: segment.done == 4 * MIB)
    still.now += 0.5
    await turn_until(lambda: segment.done > 4 * MIB)
    assert journal(part_file) == Record(VERSION, Spans.of([(0, 17 * len(CHUNK))]), NOTHING)
    await writer.aclose()


async def test_an_error_of_a_timed_batch_is_raised_by_the_next_wait(
    still: StillClock, part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, segment = started()
    writer = SegmentWriter(BatchWriter(part_file, schedule), segment)
    tried = threading.Event()

    def failing_once(*_: object) -> int:
        tried.set()
        raise OSError(errno.EIO, "Input/output error")

    await put(writer, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", failing_once)
        still.now += 0.5
        await turn_until(tried.is_set)
        await put(writer, 1)
        with pytest.raises(DiskError, match="Input/output error"):
            await writer.aclose()
    assert schedule.held == NOTHING


async def test_the_journal_is_saved_after_four_mib(part_file: PartFile) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    await stored(batch_writer, segment, 15)
    assert journal(part_file) is None
    await stored(batch_writer, segment, 1)
    assert journal(part_file) == Record(VERSION, Spans.of([(0, 4 * MIB)]), NOTHING)


async def test_the_journal_is_saved_after_half_a_second(still: StillClock, part_file: PartFile) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    still.now += 0.5
    await stored(batch_writer, segment, 1)
    assert journal(part_file) == Record(VERSION, Spans.of([(0, len(CHUNK))]), NOTHING)


async def test_the_next_batch_records_a_flush_of_every_five_seconds(still: StillClock, part_file: PartFile) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    for _ in range(3):
        still.now += 2.5
        await stored(batch_writer, segment, 1)
    assert journal(part_file) == Record(VERSION, *[Spans.of([(0, count * len(CHUNK))]) for count in (3, 2)])


async def test_saving_flushes_the_part(part_file: PartFile) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    writer = SegmentWriter(batch_writer, segment)
    await put(writer, 1)
    await writer.aclose()
    await batch_writer.save()
    assert journal(part_file) == Record(VERSION, schedule.held, schedule.held)


async def test_without_a_strong_validator_there_is_no_journal(part_file: PartFile) -> None:
    schedule, segment = started(RemoteVersion(100 * MIB))
    batch_writer = BatchWriter(part_file, schedule)
    writer = SegmentWriter(batch_writer, segment)
    await put(writer, 1)
    await writer.aclose()
    await batch_writer.save()
    assert journal(part_file) is None


async def test_the_flushed_bytes_of_an_earlier_run_stay_flushed(part_file: PartFile) -> None:
    held = Spans.of([(0, MIB)])
    schedule = Schedule(1, VERSION, held)
    batch_writer = BatchWriter(part_file, schedule, Record(VERSION, held, held))
    segment = schedule.take()
    assert segment
    await stored(batch_writer, segment, 16)
    assert journal(part_file) == Record(VERSION, Spans.of([(0, 5 * MIB)]), held)


async def test_clearing_deletes_bytes_and_journal(part_file: PartFile) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    await stored(batch_writer, segment, 16)
    await batch_writer.clear()
    assert (journal(part_file), part_file.part.stat().st_size) == (None, 0)


async def test_bytes_of_a_failed_write_are_not_held(part_file: PartFile, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule, segment = started()
    writer = SegmentWriter(BatchWriter(part_file, schedule), segment)
    await put(writer, 15)
    monkeypatch.setattr("os.pwritev", _full_once())
    await put(writer, 1)
    await put(writer, 1)
    with pytest.raises(DiskError, match="No space left"):
        await writer.aclose()
    assert schedule.held == Spans.of([(4 * MIB, 4 * MIB + len(CHUNK))])
    assert part_file.part.read_bytes()[4 * MIB :] == CHUNK


def _full_once() -> Callable[..., int]:
    """Return a pwritev that fails at its first call: the disk is full."""
    from os import pwritev

    calls = iter([OSError(28, "No space left on device")])

    def function(fd: int, buffers: list[bytes], offset: int) -> int:
        for error in calls:
            raise error
        return pwritev(fd, buffers, offset)

    return function


async def test_a_cancelled_put_ends_after_the_batch_is_written(part_file: PartFile) -> None:
    schedule, segment = started()
    writer = SegmentWriter(BatchWriter(part_file, schedule), segment)

    async def downloading() -> None:
        try:
            await put(writer, 16)
            await asyncio.Event().wait()
        finally:
            await writer.aclose()

    task = asyncio.create_task(downloading())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert schedule.held == Spans.of([(0, 4 * MIB)])
    assert part_file.part.read_bytes() == CHUNK * 16


async def test_a_failed_flush_is_a_disk_error(
    still: StillClock, part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    still.now += 5
    monkeypatch.setattr(os, "fdatasync", failing(errno.EIO))
    with pytest.raises(DiskError, match="Input/output error"):
        await stored(batch_writer, segment, 1)
    assert schedule.held == NOTHING


async def test_batches_are_written_while_the_disk_flushes(
    still: StillClock, part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, segment = started()
    writer = SegmentWriter(BatchWriter(part_file, schedule), segment)
    still.now += 5
    flushed = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda _: flushed.wait())
    await put(writer, 48)
    assert schedule.held.size == 8 * MIB
    flushed.set()
    await writer.aclose()
    record = journal(part_file)
    assert record
    assert (record.held.size, record.flushed.size) == (12 * MIB, 0)
