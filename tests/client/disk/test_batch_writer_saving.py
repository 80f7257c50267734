"""What is written down in the end: nothing that a disk that fails, or is full, may not have."""

import asyncio
import errno
import os
import threading

import pytest
from harness.clock import StillClock

from async_downloads.client.decisions.schedule import Plan
from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.disk.batch_writer import Keeper, Writer
from async_downloads.client.disk.journal import Journal, Record
from async_downloads.client.disk.part_file import Target
from async_downloads.errors import DiskError
from client.disk.keeping import CHUNK, MIB, VERSION, failing, journal, started, stored

pytestmark = pytest.mark.usefixtures("still")


async def _one_mib_flushed_of_two(target: Target) -> tuple[Plan, Keeper]:
    plan, piece = started()
    keeper = Keeper(target, plan)
    await stored(keeper, piece, 4)
    await keeper.save()
    await stored(keeper, piece, 4)
    return plan, keeper


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
async def test_after_a_flush_that_failed_only_what_was_flushed_before_is_held(
    target: Target, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, keeper = await _one_mib_flushed_of_two(target)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(number))
        await keeper.save()
    flushed = Spans.of([(0, MIB)])
    assert (plan.held, journal(target)) == (flushed, Record(VERSION, flushed, flushed))
    await keeper.save()
    assert (plan.held, target.part.stat().st_size) == (flushed, 2 * MIB)


async def test_when_nothing_was_flushed_before_nothing_is_left(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, piece = started()
    keeper = Keeper(target, plan)
    await stored(keeper, piece, 16)
    assert journal(target)
    monkeypatch.setattr(os, "fdatasync", failing(errno.EIO))
    await keeper.save()
    assert (plan.held, journal(target), target.part.exists()) == (NOTHING, None, False)


async def test_only_a_full_disk_costs_the_end_of_the_part(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, keeper = await _one_mib_flushed_of_two(target)
    monkeypatch.setattr(Journal, "save", failing(errno.EACCES))
    with pytest.raises(DiskError, match="Permission denied"):
        await keeper.save()
    assert (plan.held.size, target.part.stat().st_size) == (2 * MIB, 2 * MIB)


async def test_on_a_full_disk_the_end_of_the_part_makes_room_for_the_journal(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, piece = started()
    keeper = Keeper(target, plan)
    await stored(keeper, piece, 1)
    save, calls = Journal.save, []

    def full_at_first(journal: Journal, record: Record) -> None:
        calls.append(record)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        save(journal, record)

    monkeypatch.setattr(Journal, "save", full_at_first)
    await keeper.save()
    rest = len(CHUNK) - 64 * 1024
    assert (journal(target), target.part.stat().st_size) == (Record(VERSION, *[Spans.of([(0, rest)])] * 2), rest)


async def test_a_flush_does_not_outlive_a_batch_that_cannot_be_written(
    still: StillClock, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, piece = started()
    keeper = Keeper(target, plan)
    still.now += 5
    begun, over = threading.Event(), threading.Event()

    def slowly(_: int) -> None:
        begun.set()
        over.wait()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", slowly)
        writer = Writer(keeper, piece)
        for _ in range(17):
            await writer.put(CHUNK)
        await asyncio.to_thread(begun.wait)
        patch.setattr(os, "pwritev", failing(errno.EIO))
        ending = asyncio.create_task(writer.aclose())
        asyncio.get_running_loop().call_later(0, over.set)
        with pytest.raises(DiskError, match="Input/output error"):
            await ending
    await keeper.save()
    assert plan.held == Spans.of([(0, 4 * MIB)])
    assert journal(target) == Record(VERSION, plan.held, plan.held)
