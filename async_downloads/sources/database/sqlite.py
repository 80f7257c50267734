"""Files in a SQLite database.

Four threads read and one writes. A download holds none of them while its client has a chunk, and no transaction: so
the log can be folded into the database at any time, and nobody's download makes a writer wait.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from ...errors import NotFound, SourceBusy, SourceChanged, SourceError
from ...pacing import ChunkSizer
from ...semantics.ranges import ByteRange
from ...semantics.representation import Representation
from ...threads import in_thread
from ..base import Listing
from ..media_types import media_type as type_of
from . import sqlite_schema as schema
from .catalogue import CHUNK, Corruption, Identifier, StoredFile, compared, describe, is_name, listing
from .sqlite_pool import SqlitePool

__all__ = ["SqliteSource", "SqliteStore"]


_READERS: Final = 4
_PATIENCE: Final = 5.0  # seconds to wait for another process that writes
_TURN: Final = 6  # chunks for a fast client from one turn of a thread, which costs as much as copying 1 MiB
_LAST: Final = 2  # of them are left when the next turn begins: no client has more than 2 MiB waiting
_GATHERED: Final = 8 * 1024 * 1024  # bytes of an upload that go to the writer together
_INTEGER: Final = re.compile(r"[1-9][0-9]{0,18}")
_BEYOND: Final = 2**63


@dataclass(frozen=True, slots=True)
class SqliteSource:
    """One version of a file in a database."""

    file: StoredFile
    representation: Representation
    _readers: SqlitePool

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield chunks: for a fast client several from one turn of a thread, and the next while it takes the last."""
        pace, offset = ChunkSizer(small=CHUNK // 2, modest=CHUNK, large=_TURN * CHUNK), span.start
        ahead: asyncio.Future[list[bytes]] | None = None
        try:
            while offset < span.stop:
                chunks = await (ahead or self._fetch(offset, span.stop, pace))
                offset, ahead = offset + sum(map(len, chunks)), None
                is_slow, begin = pace.chunk < CHUNK, time.monotonic()
                while chunks:
                    if not ahead and len(chunks) <= _LAST and not is_slow and offset < span.stop:
                        ahead = self._fetch(offset, span.stop, pace)
                    yield chunks.pop(0)  # so that what the client has is not kept
                pace.took(time.monotonic() - begin)
        finally:
            if ahead and not ahead.cancel() and not ahead.cancelled():
                ahead.exception()  # nobody else is there to take it

    def _fetch(self, offset: int, stop: int, pace: ChunkSizer) -> "asyncio.Future[list[bytes]]":
        """Begin to read as many bytes from `offset` as the pace allows: to the end of a chunk, or to `stop`."""
        end = min((offset // CHUNK + max(pace.chunk // CHUNK, 1)) * CHUNK, stop)
        return self._readers.run(schema.read, self.file, offset, end)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to give back."""


class SqliteStore:
    """A catalogue in a SQLite file, which other processes may use at the same time.

    `patience` is how many seconds a locked database is waited for.
    """

    def __init__(self, path: str, *, patience: float = _PATIENCE) -> None:
        self._threads = partial(SqlitePool, path, Path(path).absolute(), patience=patience)
        self._readers = self._threads("ro", count=_READERS)
        self._writer = self._threads("rw", count=1)

    async def init(self) -> None:
        """Create the file, and the tables in it, where they are not there yet."""
        creator = self._threads("rwc", count=1)
        try:
            await creator.run(schema.create)
        finally:
            await in_thread(creator.close)

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> SqliteSource:  # noqa: ARG002 - there are none
        """Open the current version of the file with that name."""
        if key and not is_name(key):
            raise NotFound(f"{key!r} is no name of a file")
        return self._source(await self._readers.run(_find, "name", key))

    async def open_id(self, public: str, identifier: Identifier) -> SqliteSource:
        """Open the current version of the file with that identifier; an integer is written in one way only."""
        if identifier == "token":
            if not public.isascii():
                raise NotFound(f"{public!r} is no token")
            return self._source(await self._readers.run(_find, "token", public))
        if not _INTEGER.fullmatch(public) or int(public) >= _BEYOND:
            raise NotFound(f"{public!r} is no number of a file")
        return self._source(await self._readers.run(_find, "id", int(public)))

    def _source(self, file: StoredFile) -> SqliteSource:
        return SqliteSource(file, describe(file), self._readers)

    async def list(self, key: str) -> Listing:
        """Return what stands directly below the key."""
        if key and not is_name(key):
            raise NotFound(f"{key!r} is the beginning of no name")
        return await self._readers.run(_list, key)

    async def files(self, most: int | None = None) -> Sequence[StoredFile]:
        """Return every file, or that many, by name."""
        return await self._readers.run(schema.all_files, -1 if most is None else most)

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredFile:
        """Keep the bytes under a name. ValueError for a name that no file may have."""
        if not is_name(key):
            raise ValueError(f"{key!r} cannot be the name of a file")
        kind = media_type or type_of(key)
        upload = await self._writer.run(schema.begin, key, kind, time.time(), replace=replace)
        async for blocks in _gather(data):
            await self._writer.run(upload.take, blocks, time.time())
        return await self._writer.run(upload.publish, key, time.time(), replace=replace)

    async def remove(self, key: str) -> None:
        """Take the file with that name away, and leave its bytes to `gc`."""
        if not is_name(key):
            raise NotFound(f"{key!r} is no name of a file")
        await self._writer.run(schema.remove, key, time.time())

    async def gc(self, grace: float) -> int:
        """Free versions that nobody needs, a few megabytes at a time; SQLite uses the space again."""
        freed = 0
        for version, size in await self._writer.run(schema.doomed, time.time() - grace):
            while (gone := await self._writer.run(schema.free, version)) is None:
                pass
            freed += size * gone
        return freed

    async def check(self) -> AsyncGenerator[StoredFile | Corruption, None]:
        """Read every file and compare its digest; what was taken away meanwhile is left out."""
        for file in await self.files():
            try:
                found = await compared(file, self._source(file))
            except SourceBusy:
                raise
            except SourceError as error:
                if not isinstance(error, SourceChanged) or await self._readers.run(_is_current, file):
                    yield Corruption(file, str(error))
            else:
                yield found

    async def aclose(self) -> None:
        """End the threads and close their connections; what is being read or written is waited for."""
        await in_thread(self._close)

    def _close(self) -> None:
        self._readers.close()
        self._writer.close()  # the last one to leave folds the log into the database, which readers cannot


async def _gather(data: AsyncIterable[bytes]) -> AsyncGenerator[list[bytes], None]:
    """Yield the blocks of an upload, a few megabytes of them at a time."""
    gathered: list[bytes] = []
    size = 0
    async for block in data:
        gathered.append(block)
        size += len(block)
        if size >= _GATHERED:
            yield gathered
            gathered, size = [], 0
    yield gathered


def _find(connection: Connection, column: str, value: str | int) -> StoredFile:
    found = schema.find(connection, column, value)
    if found:
        return found
    raise schema.missing(connection, str(value)) if column == "name" else NotFound(f"there is no file {value!r}")


def _is_current(connection: Connection, file: StoredFile) -> bool:
    return schema.find(connection, "id", file.id) == file


def _list(connection: Connection, key: str) -> Listing:
    return listing(key, schema.files_below(connection, key) if key else schema.all_files(connection))
