"""Saving at the end of a run: the journal names only bytes that are surely on the disk."""

import asyncio
import errno
import os
import threading

import pytest
from harness.clock import StillClock

from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.disk.batch_writer import BatchWriter, SegmentWriter
from async_downloads.client.disk.journal import Journal, Record
from async_downloads.client.disk.part_file import PartFile
from async_downloads.errors import DiskError
from client.disk.batches import CHUNK, MIB, VERSION, failing, journal, started, stored

pytestmark = pytest.mark.usefixtures("still")


async def _one_mib_flushed_of_two(part_file: PartFile) -> tuple[Schedule, BatchWriter]:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    await stored(batch_writer, segment, 4)
    await batch_writer.save()
    await stored(batch_writer, segment, 4)
    return schedule, batch_writer


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
async def test_after_a_failed_flush_only_bytes_of_the_last_good_flush_are_held(
    part_file: PartFile, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, batch_writer = await _one_mib_flushed_of_two(part_file)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(number))
        await batch_writer.save()
    flushed = Spans.of([(0, MIB)])
    assert (schedule.held, journal(part_file)) == (flushed, Record(VERSION, flushed, flushed))
    await batch_writer.save()
    assert (schedule.held, part_file.part.stat().st_size) == (flushed, 2 * MIB)


async def test_after_a_failed_first_flush_part_and_journal_are_deleted(
    part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    await stored(batch_writer, segment, 16)
    assert journal(part_file)
    monkeypatch.setattr(os, "fdatasync", failing(errno.EIO))
    await batch_writer.save()
    assert (schedule.held, journal(part_file), part_file.part.exists()) == (NOTHING, None, False)


async def test_an_error_other_than_a_full_disk_does_not_cut_the_part(
    part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, batch_writer = await _one_mib_flushed_of_two(part_file)
    monkeypatch.setattr(Journal, "save", failing(errno.EACCES))
    with pytest.raises(DiskError, match="Permission denied"):
        await batch_writer.save()
    assert (schedule.held.size, part_file.part.stat().st_size) == (2 * MIB, 2 * MIB)


async def test_on_a_full_disk_the_part_is_cut_to_make_room_for_the_journal(
    part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    await stored(batch_writer, segment, 1)
    save, calls = Journal.save, []

    def full_at_first(journal: Journal, record: Record) -> None:
        calls.append(record)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        save(journal, record)

    monkeypatch.setattr(Journal, "save", full_at_first)
    await batch_writer.save()
    rest = len(CHUNK) - 64 * 1024
    assert (journal(part_file), part_file.part.stat().st_size) == (Record(VERSION, *[Spans.of([(0, rest)])] * 2), rest)


async def test_a_failed_batch_still_waits_for_the_running_flush(
    still: StillClock, part_file: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, segment = started()
    batch_writer = BatchWriter(part_file, schedule)
    still.now += 5
    begun, over = threading.Event(), threading.Event()

    def slowly(_: int) -> None:
        begun.set()
        over.wait()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", slowly)
        writer = SegmentWriter(batch_writer, segment)
        for _ in range(17):
            await writer.put(CHUNK)
        await asyncio.to_thread(begun.wait)
        patch.setattr(os, "pwritev", failing(errno.EIO))
        ending = asyncio.create_task(writer.aclose())
        asyncio.get_running_loop().call_later(0, over.set)
        with pytest.raises(DiskError, match="Input/output error"):
            await ending
    await batch_writer.save()
    assert schedule.held == Spans.of([(0, 4 * MIB)])
    assert journal(part_file) == Record(VERSION, schedule.held, schedule.held)


@pytest.mark.parametrize(("gaps", "saved"), [(0, 8), (1000, 2), (100_000, 0)])
async def test_the_journal_of_a_patchy_file_is_saved_less_often(
    part_file: PartFile, gaps: int, saved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule, segment = started()
    schedule.keep_only(Spans.of((3 * at, 3 * at + 1) for at in range(gaps)))
    segment.start = segment.done = segment.received = 4 * MIB
    records: list[Record] = []
    monkeypatch.setattr(Journal, "save", lambda _, record: records.append(record))
    batch_writer = BatchWriter(part_file, schedule)
    for _ in range(8):
        await stored(batch_writer, segment, 16)
    assert len(records) == saved
