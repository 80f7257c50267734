"""Bytes into the part, and then into the journal, in this order."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from async_downloads.client.identity import Version
from async_downloads.client.journal import Record
from async_downloads.client.keeper import Keeper, Writer
from async_downloads.client.plan import Plan
from async_downloads.client.spans import NOTHING, Spans
from async_downloads.client.target import Target
from async_downloads.errors import DiskError

from .keeping import CHUNK, MIB, VERSION, Clock, failing, journal, started
from .keeping import clock as clock  # noqa: PLC0414

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """Where it goes."""
    target = Target(tmp_path / "file", "u")
    yield target
    target.close()


async def put(writer: Writer, count: int) -> None:
    """Put so many chunks."""
    for _ in range(count):
        await writer.put(CHUNK)


async def test_a_mib_is_written_at_once(clock: Clock, target: Target) -> None:
    plan, piece = started()
    writer = Writer(Keeper(target, plan), piece)
    await put(writer, 3)
    assert target.part.stat().st_size == 0
    await put(writer, 5)  # which waits for the first four
    assert plan.held == Spans.of([(0, MIB)])
    await writer.aclose()
    assert target.part.read_bytes() == CHUNK * 8


@pytest.mark.parametrize(("connections", "batch"), [(1, 4 * MIB), (2, 2 * MIB), (4, MIB), (64, MIB)])
async def test_a_batch_is_larger_when_there_are_fewer_connections(target: Target, connections: int, batch: int) -> None:
    plan, _ = started(connections=connections)
    assert Keeper(target, plan).batch == batch


async def test_half_a_second_is_as_good_as_a_mib(clock: Clock, target: Target) -> None:
    plan, piece = started()
    writer = Writer(Keeper(target, plan), piece)
    await put(writer, 1)
    clock.now += 0.5
    await put(writer, 1)
    await put(writer, 1)
    await writer.aclose()
    assert (plan.held.size, piece.done) == (3 * len(CHUNK), 3 * len(CHUNK))
    assert journal(target)


async def test_the_journal_is_saved_after_four_mib(clock: Clock, target: Target) -> None:
    plan, piece = started()
    keeper = Keeper(target, plan)
    writer = Writer(keeper, piece)
    await put(writer, 12)
    await writer.aclose()
    assert journal(target) is None
    writer = Writer(keeper, piece)
    await put(writer, 4)
    await writer.aclose()
    assert journal(target) == Record(VERSION, Spans.of([(0, 4 * MIB)]), NOTHING)


async def test_what_the_disk_has_is_noted_every_five_seconds(clock: Clock, target: Target) -> None:
    plan, piece = started()
    keeper = Keeper(target, plan)
    for _ in range(2):
        clock.now += 2.5
        writer = Writer(keeper, piece)
        await put(writer, 1)
        await writer.aclose()
    record = journal(target)
    assert record
    assert record.flushed == record.held == Spans.of([(0, 2 * len(CHUNK))])


async def test_what_is_saved_in_the_end_is_on_the_disk(target: Target) -> None:
    plan, piece = started()
    keeper = Keeper(target, plan)
    writer = Writer(keeper, piece)
    await put(writer, 1)
    await writer.aclose()
    await keeper.save()
    assert journal(target) == Record(VERSION, plan.held, plan.held)


async def test_without_a_strong_validator_there_is_no_journal(target: Target) -> None:
    plan, piece = started(Version(100 * MIB))
    keeper = Keeper(target, plan)
    writer = Writer(keeper, piece)
    await put(writer, 1)
    await writer.aclose()
    await keeper.save()
    assert journal(target) is None


async def test_what_was_flushed_before_stays_flushed(target: Target) -> None:
    held = Spans.of([(0, MIB)])
    plan = Plan(1, VERSION, held)
    keeper = Keeper(target, plan, Record(VERSION, held, held))
    piece = plan.take()
    assert piece
    await keeper.write(piece, MIB, [CHUNK] * 16, 4 * MIB)
    assert journal(target) == Record(VERSION, Spans.of([(0, 5 * MIB)]), held)


async def test_of_another_version_nothing_is_kept(target: Target) -> None:
    plan, piece = started()
    keeper = Keeper(target, plan)
    await keeper.write(piece, 0, [CHUNK] * 16, 4 * MIB)
    await keeper.clear()
    assert (journal(target), target.part.stat().st_size) == (None, 0)


async def test_one_connection_saves_while_the_others_write(target: Target) -> None:
    plan = Plan(2, VERSION, Spans.of([(99 * MIB, 100 * MIB)]))
    plan.proven = True
    keeper = Keeper(target, plan)
    pieces = [plan.take() for _ in range(2)]
    await asyncio.gather(*(keeper.write(each, each.done, [CHUNK] * 16, 4 * MIB) for each in pieces if each))
    assert plan.held.size == 9 * MIB
    record = journal(target)
    assert record
    assert record.held.size >= 5 * MIB


async def test_what_could_not_be_written_is_not_held(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, piece = started()
    writer = Writer(Keeper(target, plan), piece)
    await put(writer, 3)
    monkeypatch.setattr("os.pwritev", _full_once())
    await put(writer, 1)
    await put(writer, 1)
    with pytest.raises(DiskError, match="No space left"):
        await writer.aclose()
    assert plan.held == Spans.of([(MIB, MIB + len(CHUNK))])
    assert target.part.read_bytes()[MIB:] == CHUNK


def _full_once() -> Callable[..., int]:
    """A disk that is full for one call."""
    from os import pwritev

    calls = iter([OSError(28, "No space left on device")])

    def function(fd: int, buffers: list[bytes], offset: int) -> int:
        for error in calls:
            raise error
        return pwritev(fd, buffers, offset)

    return function


async def test_who_is_cancelled_is_so_after_the_write(target: Target) -> None:
    plan, piece = started()
    writer = Writer(Keeper(target, plan), piece)

    async def downloading() -> None:
        try:
            await put(writer, 4)
            await asyncio.Event().wait()
        finally:
            await writer.aclose()

    task = asyncio.create_task(downloading())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert plan.held == Spans.of([(0, MIB)])
    assert target.part.read_bytes() == CHUNK * 4


async def test_while_it_writes_a_flush_that_fails_is_told(
    clock: Clock, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, piece = started()
    keeper = Keeper(target, plan)
    clock.now += 5
    monkeypatch.setattr(os, "fdatasync", failing(errno.EIO))
    with pytest.raises(DiskError, match="Input/output error"):
        await keeper.write(piece, 0, [CHUNK], len(CHUNK))
    assert (plan.held, journal(target)) == (NOTHING, None)
