"""Puts bytes into the part and writes down that they are there, in this order.

    network ──chunks of all connections──▶ 4 MiB or half a second ──▶ part, then journal
                                                          every five seconds ──▶ disk

While one batch is written the next one is collected. Cancelled, who puts something is so when the file has what was
begun.
"""

import asyncio
import errno
from dataclasses import dataclass, field
from typing import Final

from ...errors import DiskError
from ...threads import await_shielded, in_thread
from ..decisions.schedule import Schedule, Segment
from ..decisions.spans import NOTHING, Spans
from .journal import Record
from .part_file import PartFile

__all__ = ["BatchWriter", "SegmentWriter"]


MIB: Final = 1024 * 1024
_BATCH: Final = 4 * MIB  # bytes: with fewer the thread would be woken more than it works, and more may die with it
_SOON: Final = 0.5  # seconds that a byte may be unwritten, and the journal behind while more of them come
_FLUSHED: Final = 5.0  # seconds
_ROOM: Final = 64 * 1024  # bytes, more than a journal has
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class _Run:
    """Chunks that belong into the file one after the other."""

    start: int
    stop: int
    chunks: list[bytes] = field(default_factory=list)


class BatchWriter:
    """Writes for all connections of one download, and keeps its journal."""

    def __init__(self, part_file: PartFile, schedule: Schedule, record: Record | None = None) -> None:
        self._part_file = part_file
        self._schedule = schedule
        self._flushed = record.flushed if record else NOTHING
        self._loop = asyncio.get_running_loop()
        self._saved_at = self._flushed_at = self._loop.time()
        self._unsaved = 0
        self._runs: dict[Segment, _Run] = {}
        self._collected = 0
        self._late: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._flushing: asyncio.Task[None] | None = None

    async def put(self, segment: Segment, start: int, chunk: bytes) -> None:
        """Take the next chunk of a segment. Waits while one batch is being written and another one is ready."""
        self._late = self._late or self._loop.call_later(_SOON, self._hurry)
        run = self._runs.setdefault(segment, _Run(start, start))
        run.chunks.append(chunk)
        run.stop += len(chunk)
        self._collected += len(chunk)
        while self._collected >= _BATCH:  # and nobody who has waited, too, was faster
            await self._landed()
            if not self._writing:
                self._begin()

    def _hurry(self) -> None:
        """Write what has waited for long, even if nothing else comes."""
        self._late = None
        if not self._writing:
            self._begin(due=True)
        elif not self._writing.done():
            self._late = self._loop.call_later(_SOON, self._hurry)

    async def finish(self) -> None:
        """Return when all that was put so far is in the file. DiskError when it cannot be."""
        try:
            await self._landed()
        finally:
            try:
                if not self._writing:
                    self._begin()
                await self._landed()
            finally:
                await self._accepted()

    def _begin(self, *, due: bool = False) -> None:
        """Begin to write what was collected, and the journal with it if that is due or it is time for it."""
        if self._late:
            self._late.cancel()
            self._late = None
        if self._runs:
            runs, self._runs, self._collected = self._runs, {}, 0
            self._writing = asyncio.create_task(self._write(runs, due=due))

    async def _landed(self) -> None:
        """Wait for the batch that is being written."""
        writing = self._writing
        if writing:
            try:
                await await_shielded(writing)
            finally:
                if self._writing is writing:
                    self._writing = None
        self._look_at_the_disk()

    async def _write(self, runs: dict[Segment, _Run], *, due: bool) -> None:
        held = self._schedule.held
        for run in runs.values():
            held = held.add(run.start, run.stop)
            self._unsaved += run.stop - run.start
        record = self._record(held) if due or self._is_due() else None
        await self._part_file.write([(run.start, run.chunks) for run in runs.values()], record)
        for segment, run in runs.items():
            self._schedule.wrote(segment, run.start, run.stop - run.start)
        if self._schedule.resumable and not self._flushing and self._loop.time() - self._flushed_at >= _FLUSHED:
            self._flushing = asyncio.create_task(self._flush())
        self._writing = None  # what failed stays, until somebody is told

    def _is_due(self) -> bool:
        """Whether it is time for the journal. What is small and quick is whole before it has one."""
        return self._unsaved >= _BATCH or self._loop.time() - self._saved_at >= _SOON

    async def _accepted(self) -> None:
        """Wait for a flush that is under way: it must not outlive the file, or what is held of this version."""
        try:
            if self._flushing:
                await await_shielded(asyncio.wait([self._flushing]))
        finally:
            self._look_at_the_disk()

    def _look_at_the_disk(self) -> None:
        """Raise what a flush has met with that is over."""
        if self._flushing and self._flushing.done():
            flushing, self._flushing = self._flushing, None
            flushing.result()

    def _record(self, held: Spans) -> Record | None:
        """Return what is to be saved, if anything can be gone on with."""
        version = self._schedule.version
        if version is None or version.if_range is None or not held.spans:
            return None
        self._unsaved, self._saved_at = 0, self._loop.time()
        return Record(version, held, self._flushed)

    async def save(self) -> None:
        """Write down all that is held, safe from a loss of power; on a full disk the end of it makes room for that."""
        await await_shielded(self._save_safely())

    async def _save_safely(self) -> None:
        try:
            await self._flush()
        except DiskError:
            if not self._schedule.held.spans:
                return await in_thread(self._part_file.discard)
        try:
            await self._save()
        except DiskError as error:
            if not _is_full(error):
                raise
            await self._make_room()
            await self._save()

    async def _flush(self) -> None:
        """Have the disk take what is held. When it fails to, only what it took before is still held."""
        held = self._schedule.held
        try:
            await in_thread(self._part_file.flush)
        except DiskError:
            self._schedule.keep_only(self._flushed)
            raise
        self._flushed, self._flushed_at = held, self._loop.time()

    async def _make_room(self) -> None:
        held = self._schedule.held
        held = held.until(held.end - _ROOM)
        self._schedule.keep_only(held)
        self._flushed = self._flushed.until(held.end)
        await in_thread(lambda: self._part_file.truncate(held.end))

    async def _save(self) -> None:
        if record := self._record(self._schedule.held):
            await in_thread(lambda: self._part_file.save(record))

    async def clear(self) -> None:
        """Begin again with nothing."""
        self._flushed, self._unsaved = NOTHING, 0
        await await_shielded(in_thread(self._part_file.clear))


def _is_full(error: DiskError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL


class SegmentWriter:
    """Takes the chunks of one body, which belong into the segment one after the other."""

    def __init__(self, batch_writer: BatchWriter, segment: Segment) -> None:
        self._batch_writer = batch_writer
        self._segment = segment
        self.end: int = segment.done

    async def put(self, chunk: bytes) -> None:
        """Take the next chunk. Waits while the disk is slower than what comes. DiskError when it cannot take it."""
        start, self.end = self.end, self.end + len(chunk)
        self._segment.received = self.end
        await self._batch_writer.put(self._segment, start, chunk)

    async def aclose(self) -> None:
        """Return when all that was put is in the file. DiskError when it cannot be."""
        await self._batch_writer.finish()
