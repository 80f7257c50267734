"""Writes the bytes of all connections into the part file, and then records them in the journal.

network ──chunks of all connections──▶ 4 MiB or half a second ──▶ part file, then journal
                                                      every five seconds ──▶ disk
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from ...errors import DiskError
from ...threads import await_shielded, in_thread
from ..decisions.schedule import Schedule
from ..decisions.segment import Segment
from ..decisions.spans import NOTHING, Spans
from .journal import Record
from .part_file import PartFile
from .targets import is_disk_full

__all__ = ["BatchWriter", "SegmentWriter"]


_BATCH_BYTES: Final = 4 * 1024 * 1024  # smaller ones wake the thread too often; a killed process loses up to two
_BATCH_SECONDS: Final = 0.5  # a byte waits no longer to be written, and the journal is no older
_CHEAP_SPANS: Final = 256  # writing a journal with fewer spans takes almost no time
_FLUSH_SECONDS: Final = 5.0  # between two flushes; a power loss can lose only the bytes since the last flush
_JOURNAL_BYTES: Final = 64 * 1024  # more bytes than a journal needs


@dataclass(slots=True)
class _Run:
    """Chunks at consecutive positions of the file."""

    start: int
    stop: int
    chunks: list[bytes] = field(default_factory=list)


class BatchWriter:
    """Writes for all connections of one download and keeps its journal. The destination owns it.

    All methods run on the event loop; the disk is used in threads. At most one batch is written at a time, while the
    next one is collected:

        collecting   `_runs` has chunks; `_timer` runs from the first one on
        writing      `_batch` is the task that writes a batch. A failed task stays until its error was raised to a
                     caller.
        flushing     `_flush_task` runs at the same time. Its error is raised at the next wait.

    Order of writes: bytes first, then the journal, so the journal never names bytes that are not in the file. Only the
    schedule knows which bytes are held; this class informs it after each batch.

    If a caller is cancelled, CancelledError is raised only after the batch being written is in the file, because a
    thread uses the descriptor until then.
    """

    def __init__(self, part_file: PartFile, schedule: Schedule, record: Record | None = None) -> None:
        self._part_file = part_file
        self._schedule = schedule
        self._flushed = record.flushed if record else NOTHING
        self._loop = asyncio.get_running_loop()
        self._saved_at = self._flushed_at = self._loop.time()
        self._unsaved_bytes = 0
        self._runs: dict[Segment, _Run] = {}
        self._collected_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._batch: asyncio.Task[None] | None = None
        self._flush_task: asyncio.Task[None] | None = None

    async def put(self, segment: Segment, start: int, chunk: bytes) -> None:
        """Collect the next chunk of a segment. Wait if one batch is being written and the next one is full."""
        self._timer = self._timer or self._loop.call_later(_BATCH_SECONDS, self._write_on_time)
        run = self._runs.setdefault(segment, _Run(start, start))
        run.chunks.append(chunk)
        run.stop += len(chunk)
        self._collected_bytes += len(chunk)
        while self._collected_bytes >= _BATCH_BYTES:  # re-check: another waiter may have started the batch
            await self._wait_for_batch()
            if not self._batch:
                self._start_batch()

    def _write_on_time(self) -> None:
        """Write a batch that is not full but half a second old."""
        self._timer = None
        if not self._batch:
            self._start_batch(with_journal=True)
        elif not self._batch.done():
            self._timer = self._loop.call_later(_BATCH_SECONDS, self._write_on_time)

    async def finish(self) -> None:
        """Return after all bytes put so far are in the file. Raises DiskError if they cannot be written."""
        try:
            await self._wait_for_batch()
        finally:  # even if that batch failed: the collected bytes may belong to other connections
            try:
                if not self._batch:
                    self._start_batch()
                await self._wait_for_batch()
            finally:
                await self._wait_for_flush()

    def _start_batch(self, *, with_journal: bool = False) -> None:
        """Start to write the collected bytes, and the journal if it is time."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._runs:
            runs, self._runs, self._collected_bytes = self._runs, {}, 0
            self._batch = asyncio.create_task(self._write(runs, with_journal=with_journal))

    async def _wait_for_batch(self) -> None:
        """Wait for the batch being written. Raises its DiskError, or that of a finished flush."""
        batch = self._batch
        if batch:
            try:
                await await_shielded(batch)
            finally:
                if self._batch is batch:  # another waiter may have started the next batch
                    self._batch = None
        self._raise_flush_error()

    async def _write(self, runs: dict[Segment, _Run], *, with_journal: bool) -> None:
        held = self._schedule.held
        for run in runs.values():
            held = held.add(run.start, run.stop)
            self._unsaved_bytes += run.stop - run.start
        record = self._record(held) if self._is_journal_due(on_time=with_journal) else None
        await self._part_file.write([(run.start, run.chunks) for run in runs.values()], record)
        for segment, run in runs.items():
            self._schedule.wrote(segment, run.start, run.stop - run.start)
        flush_due = self._loop.time() - self._flushed_at >= _FLUSH_SECONDS
        if self._schedule.resumable and not self._flush_task and flush_due:
            self._flush_task = asyncio.create_task(self._flush())
        self._batch = None  # not reached after an error, which a waiter must still get

    def _is_journal_due(self, *, on_time: bool) -> bool:
        """Return whether to write the journal with this batch. A small, fast download is complete before it needs one.

        The journal of a file with many gaps is long. It is written less often, because otherwise the work would grow
        with the square of its length.
        """
        scale = max(len(self._schedule.held.spans) / _CHEAP_SPANS, 1)
        unsaved_seconds = self._loop.time() - self._saved_at
        enough = self._unsaved_bytes >= _BATCH_BYTES * scale or unsaved_seconds >= _BATCH_SECONDS * scale
        return enough or (on_time and scale == 1)

    async def _wait_for_flush(self) -> None:
        """Wait for a running flush. It must end before the file is closed or another version begins."""
        try:
            if self._flush_task:
                await await_shielded(asyncio.wait([self._flush_task]))
        finally:
            self._raise_flush_error()

    def _raise_flush_error(self) -> None:
        """Raise the error of a flush that has ended, but only once."""
        if self._flush_task and self._flush_task.done():
            flush_task, self._flush_task = self._flush_task, None
            flush_task.result()

    def _record(self, held: Spans) -> Record | None:
        """Return the record to save; None if another run could not continue with it."""
        version = self._schedule.version
        if version is None or not version.resumable or not held.spans:
            return None
        self._unsaved_bytes, self._saved_at = 0, self._loop.time()
        return Record(version, held, self._flushed)

    async def save(self) -> None:
        """Flush the part file and save the journal. If the disk is full, shorten the part to make room for it."""
        await await_shielded(self._flush_and_save())

    async def _flush_and_save(self) -> None:
        try:
            await self._flush()
        except DiskError:
            if not self._schedule.held.spans:
                return await in_thread(self._part_file.discard)
        try:
            await self._save()
        except DiskError as error:
            if not is_disk_full(error):
                raise
            await self._make_room()
            await self._save()

    async def _flush(self) -> None:
        """Flush the held bytes to the disk. If that fails, only the bytes of the last good flush count as held."""
        held = self._schedule.held
        try:
            await in_thread(self._part_file.flush)
        except DiskError:
            self._schedule.keep_only(self._flushed)
            raise
        self._flushed, self._flushed_at = held, self._loop.time()

    async def _make_room(self) -> None:
        held = self._schedule.held
        held = held.until(held.end - _JOURNAL_BYTES)
        self._schedule.keep_only(held)
        self._flushed = self._flushed.until(held.end)
        await in_thread(lambda: self._part_file.truncate(held.end))

    async def _save(self) -> None:
        if record := self._record(self._schedule.held):
            await in_thread(lambda: self._part_file.save(record))

    async def clear(self) -> None:
        """Delete all bytes and the journal. The caller must call `finish` first, so that no batch is being written."""
        self._flushed, self._unsaved_bytes = NOTHING, 0
        await await_shielded(in_thread(self._part_file.clear))


class SegmentWriter:
    """Writes the chunks of one response body to consecutive positions of a segment."""

    def __init__(self, batch_writer: BatchWriter, segment: Segment) -> None:
        self._batch_writer = batch_writer
        self._segment = segment
        self.end: int = segment.done

    async def put(self, chunk: bytes) -> None:
        """Take the next chunk. Wait if the disk is slower than the network. Raises DiskError if a write failed."""
        start, self.end = self.end, self.end + len(chunk)
        self._segment.received = self.end
        await self._batch_writer.put(self._segment, start, chunk)

    async def aclose(self) -> None:
        """Return after all bytes put so far are in the file. Raises DiskError if they cannot be written."""
        await self._batch_writer.finish()
