"""Steps that the tests of the batch writer share."""

import asyncio
import os
from collections.abc import Callable

from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.segment import Segment
from async_downloads.client.decisions.verdict import Full
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.disk.batch_writer import BatchWriter, SegmentWriter
from async_downloads.client.disk.journal import Journal, Record
from async_downloads.client.disk.part_file import PartFile
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Validators

__all__ = ["CHUNK", "MIB", "VERSION", "failing", "journal", "started", "stored", "turn_until"]

MIB = 1024 * 1024
VERSION = RemoteVersion(100 * MIB, Validators(ETag("a")), '"a"')
CHUNK = bytes(range(256)) * 1024  # a quarter of a MiB


def started(version: RemoteVersion = VERSION, *, connections: int = 4) -> tuple[Schedule, Segment]:
    """Return a schedule whose only segment is the whole file."""
    schedule = Schedule(connections)
    segment = schedule.take()
    assert segment
    schedule.apply(segment, Full(version, version.total))
    return schedule, segment


async def stored(batch_writer: BatchWriter, segment: Segment, count: int) -> None:
    """Write `count` chunks to the next positions of the segment."""
    writer = SegmentWriter(batch_writer, segment)
    for _ in range(count):
        await writer.put(CHUNK)
    await writer.aclose()


def journal(part_file: PartFile) -> Record | None:
    """Return the current record of the journal."""
    return Journal(part_file.part.with_suffix(".part.json"), "u").load()


async def turn_until(condition: Callable[[], bool]) -> None:
    """Run the event loop, on any clock, until the condition is true."""
    while not condition():  # noqa: ASYNC110  # there is no event to wait for
        await asyncio.sleep(0)


def failing(number: int) -> Callable[..., None]:
    """Return a function that raises OSError with this number."""

    def function(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return function
