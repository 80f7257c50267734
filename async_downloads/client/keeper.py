"""Puts bytes into the part and writes down that they are there, in this order.

    network ──chunks──▶ Writer ──1 to 4 MiB or half a second──▶ part ──4 MiB or half a second──▶ journal
                                                                  └────── every five seconds ──▶ disk

While one batch is written the next one is collected. Cancelled, a writer is so when the file has what it had begun.
"""

import asyncio
import errno
from typing import Final

from ..errors import DiskError
from ..fileio import in_thread, to_the_end
from .journal import Record
from .pieces import Piece
from .plan import Plan
from .spans import NOTHING, Spans
from .target import Target

__all__ = ["Keeper", "Writer"]

MIB: Final = 1024 * 1024
_LEAST: Final = MIB  # bytes of a batch: with fewer, the thread would be woken more than it works
_MOST: Final = 4 * MIB  # bytes of a batch, and of those of all connections together: what dies with the process
_UNSAVED: Final = 4 * MIB
_SOON: Final = 0.5  # seconds that a byte may be unwritten, or written and not in the journal
_FLUSHED: Final = 5.0  # seconds
_ROOM: Final = 64 * 1024  # bytes, more than a journal has
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Keeper:
    """Writes for all connections of one download, and keeps its journal."""

    def __init__(self, target: Target, plan: Plan, record: Record | None = None) -> None:
        self._target = target
        self._plan = plan
        self._flushed = record.flushed if record else NOTHING
        self._saving = asyncio.Lock()
        self._clock = asyncio.get_running_loop().time
        self._saved_at = self._flushed_at = self._clock()
        self._unsaved = 0
        self.batch: int = max(_MOST // plan.connections, _LEAST)

    async def write(self, piece: Piece, start: int, chunks: list[bytes], size: int) -> None:
        """Put the next bytes of a piece into their place in the file; the journal is told of them now and then."""
        self._unsaved += size
        due = self._is_due()
        flush = due and self._clock() - self._flushed_at >= _FLUSHED
        if due and not flush:
            async with self._saving:
                await self._target.write(chunks, start, self._record(self._plan.held.add(start, start + size)))
        else:
            await self._target.write(chunks, start)
        self._plan.wrote(piece, start, size)
        if flush:
            await self._save(flush=True)

    def _is_due(self) -> bool:
        """Whether it is time for the journal, and nobody is about to save it."""
        late = self._clock() - self._saved_at >= _SOON
        return (late or self._unsaved >= _UNSAVED) and self._plan.resumable and not self._saving.locked()

    def _record(self, held: Spans) -> Record | None:
        """Return what is to be saved, if anything can be gone on with."""
        version = self._plan.version
        if version is None or version.if_range is None or not held.spans:
            return None
        self._unsaved, self._saved_at = 0, self._clock()
        return Record(version, held, self._flushed)

    async def save(self) -> None:
        """Write down all that is held, safe from a loss of power; on a full disk the end of it makes room for that."""
        await to_the_end(self._save_safely())

    async def _save_safely(self) -> None:
        try:
            await self._flush()
        except DiskError:
            if not self._plan.held.spans:
                return await in_thread(self._target.discard)
        try:
            await self._save()
        except DiskError as error:
            if not _is_full(error):
                raise
            await self._make_room()
            await self._save()

    async def _flush(self) -> None:
        """Have the disk take what is held. When it fails to, only what it took before is still held."""
        held = self._plan.held
        try:
            await in_thread(self._target.flush)
        except DiskError:
            self._plan.held = self._flushed
            raise
        self._flushed, self._flushed_at = held, self._clock()

    async def _make_room(self) -> None:
        self._plan.held = self._plan.held.until(self._plan.held.end - _ROOM)
        self._flushed = self._flushed.until(self._plan.held.end)
        await in_thread(lambda: self._target.truncate(self._plan.held.end))

    async def _save(self, *, flush: bool = False) -> None:
        async with self._saving:
            if flush:
                await self._flush()
            if record := self._record(self._plan.held):
                await in_thread(lambda: self._target.save(record))

    async def clear(self) -> None:
        """Begin again with nothing."""
        self._flushed, self._unsaved = NOTHING, 0
        await to_the_end(in_thread(self._target.clear))


def _is_full(error: DiskError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL


class Writer:
    """Takes the chunks of one body, which belong into the piece one after the other."""

    def __init__(self, keeper: Keeper, piece: Piece) -> None:
        self._keeper = keeper
        self._piece = piece
        self._clock = asyncio.get_running_loop().time
        self._chunks: list[bytes] = []
        self.end: int = piece.done
        self._start = self.end
        self._since = 0.0
        self._writing: asyncio.Task[None] | None = None

    async def put(self, chunk: bytes) -> None:
        """Take the next chunk. Waits while one batch is being written and another one is ready."""
        if not self._chunks:
            self._since = self._clock()
        self._chunks.append(chunk)
        self.end += len(chunk)
        if self.end - self._start >= self._keeper.batch or self._clock() - self._since >= _SOON:
            await self._landed()
            self._begin()

    async def aclose(self) -> None:
        """Return when all that was put is in the file. DiskError when it cannot be."""
        try:
            await self._landed()
        finally:
            self._begin()
            await self._landed()

    def _begin(self) -> None:
        if self.end > self._start:
            batch = self._keeper.write(self._piece, self._start, self._chunks, self.end - self._start)
            self._writing = asyncio.create_task(batch)
            self._chunks, self._start = [], self.end

    async def _landed(self) -> None:
        writing, self._writing = self._writing, None
        if writing:
            await to_the_end(writing)
