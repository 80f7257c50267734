"""Files in a SQLite database.

Four threads read and one thread writes. A download uses a thread only while it reads a chunk, not while its client
receives the chunk, and it holds no transaction. So SQLite can move its write-ahead log into the database at any time,
and no download makes a writer wait.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from ...errors import SourceBusy, SourceChanged, SourceError
from ...pacing import ChunkSizer
from ...semantics.ranges import ByteRange
from ...semantics.representation import Representation
from ...source_events import timed
from ...threads import abandon, in_thread
from ..base import Listing
from ..media_types import media_type as media_type_of
from . import sqlite_gc
from . import sqlite_schema as schema
from .catalogue import (
    CHUNK_BYTES,
    Corruption,
    Identifier,
    StoredFile,
    check_key,
    check_name,
    describe,
    listing,
    parse_identifier,
    verify,
)
from .sqlite_pool import SqlitePool

__all__ = ["PATIENCE_SECONDS", "SqliteSource", "SqliteStore"]


_READER_THREADS: Final = 4
PATIENCE_SECONDS: Final = 5.0  # to wait for a lock of another process
_BATCH_CHUNKS: Final = 6  # that a fast client's read takes in one thread hop, which costs as much as copying 1 MiB
_READ_AHEAD_CHUNKS: Final = 2  # so many unsent chunks start the next batch; at most 2 MiB wait for one client
_WRITE_BYTES: Final = 8 * 1024 * 1024  # how much of an upload goes to the writer thread at a time


@dataclass(frozen=True, slots=True)
class SqliteSource:
    """One version of a file in a SQLite database."""

    file: StoredFile
    representation: Representation
    _readers: SqlitePool

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield chunks. For a fast client, read several chunks together, and read the next ones before it needs them.

        Nothing is read ahead before the client has received the first chunk, because many clients leave before that.
        """
        offset, has_taken = span.start, False
        sizer = ChunkSizer(small=CHUNK_BYTES // 2, modest=CHUNK_BYTES, large=_BATCH_CHUNKS * CHUNK_BYTES)
        ahead: asyncio.Future[list[bytes]] | None = None
        try:
            while offset < span.stop:
                chunks = await (ahead or self._fetch(offset, span.stop, sizer))
                offset, ahead = offset + sum(map(len, chunks)), None
                is_slow, begin = sizer.chunk < CHUNK_BYTES, time.monotonic()
                while chunks:
                    wants_more = has_taken and not is_slow and offset < span.stop
                    if not ahead and len(chunks) <= _READ_AHEAD_CHUNKS and wants_more:
                        ahead = self._fetch(offset, span.stop, sizer)
                    yield chunks.pop(0)  # `pop` frees the memory of the chunk as soon as it is sent
                    has_taken = True
                sizer.took(time.monotonic() - begin)
        finally:
            abandon(ahead)

    def _fetch(self, offset: int, stop: int, sizer: ChunkSizer) -> "asyncio.Future[list[bytes]]":
        """Begin to read from `offset` up to the end of a chunk or `stop`. `sizer` says how many bytes to read."""
        count = max(sizer.chunk // CHUNK_BYTES, 1)
        end = min((offset // CHUNK_BYTES + count) * CHUNK_BYTES, stop)
        return self._readers.run(schema.read, self.file, offset, end)

    async def aclose(self) -> None:
        """Do nothing: the source holds no resource."""


class SqliteStore:
    """A catalogue in a SQLite file that other processes may use at the same time.

    `patience` is the number of seconds to wait for a lock of another process.

    Owner: the application that created it. It calls `aclose` at its end; afterwards every method raises SourceError.
    Two pools belong to the store: four threads that only read, and one thread that writes, so that writers of one
    process never compete. Connections are opened when they are first needed. An uploaded version is unfinished until
    `publish`, then current, then retired after a replacement, until `gc` deletes it; see `sqlite_schema`.
    """

    def __init__(self, path: str, *, patience: float = PATIENCE_SECONDS) -> None:
        self._new_pool = partial(SqlitePool, path, Path(path).absolute(), patience=patience)
        self._readers = self._new_pool("ro", count=_READER_THREADS)
        self._writer = self._new_pool("rw", count=1)

    async def init(self) -> None:
        """Create the file and its tables if they do not exist yet."""
        creator = self._new_pool("rwc", count=1)
        try:
            await creator.run(schema.create)
        finally:
            await in_thread(creator.close)

    @timed("sqlite")
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> SqliteSource:  # noqa: ARG002 - a catalogue has no codings
        """Open the current version of the file with that name."""
        check_key(key)
        return self._source(await self._readers.run(_find, "name", key))

    @timed("sqlite")
    async def open_id(self, public: str, identifier: Identifier) -> SqliteSource:
        """Open the current version of the file with that identifier."""
        return self._source(await self._readers.run(_find, *_by(public, identifier)))

    def _source(self, file: StoredFile) -> SqliteSource:
        return SqliteSource(file, describe(file), self._readers)

    async def list(self, key: str) -> Listing:
        """Return the entries directly below the key."""
        check_key(key)
        return await self._readers.run(_list, key)

    async def files(self, limit: int | None = None) -> Sequence[StoredFile]:
        """Return all files, or the first `limit` of them, in the order of their names."""
        return await self._readers.run(schema.all_files, -1 if limit is None else limit)

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredFile:
        """Store the bytes as a file with that name."""
        check_name(key)
        media_type = media_type or media_type_of(key)
        upload = await self._writer.run(schema.begin, key, media_type, time.time(), replace=replace)
        async for blocks in _group(data):
            await self._writer.run(upload.write, blocks, time.time())
        return await self._writer.run(upload.publish, key, time.time(), replace=replace)

    async def remove(self, key: str) -> None:
        """Remove a file; `gc` deletes its bytes later."""
        check_key(key)
        await self._writer.run(schema.remove, "name", key, time.time())

    async def remove_id(self, public: str, identifier: Identifier) -> None:
        """Remove the file with that identifier; `gc` deletes its bytes later."""
        await self._writer.run(schema.remove, *_by(public, identifier), time.time())

    async def gc(self, grace: float) -> int:
        """Delete retired versions, 8 MiB in each transaction, then shrink the file as far as possible."""
        freed = 0
        for version, size in await self._writer.run(sqlite_gc.retire_unfinished, time.time() - grace):
            while (is_deleted := await self._writer.run(sqlite_gc.free, version)) is None:
                pass
            freed += size * is_deleted
        with suppress(SourceError):
            while await self._writer.run(sqlite_gc.shrink):
                pass
        return freed

    async def check(self) -> AsyncGenerator[StoredFile | Corruption, None]:
        """Read every file and compare its digest. Skip files that are removed or replaced meanwhile."""
        for file in await self.files():
            try:
                found = await verify(file, self._source(file))
            except SourceBusy:
                raise
            except SourceError as error:
                if not isinstance(error, SourceChanged) or await self._readers.run(_is_current, file):
                    yield Corruption(file, str(error))
            else:
                yield found

    async def aclose(self) -> None:
        """Wait for running reads and writes, then end the threads and close their connections."""
        await in_thread(self._close)

    def _close(self) -> None:
        self._readers.close()
        self._writer.close()  # after the readers: only a writer can move the log into the database


async def _group(data: AsyncIterable[bytes]) -> AsyncGenerator[list[bytes], None]:
    """Yield the blocks of an upload in groups of about 8 MiB."""
    group: list[bytes] = []
    size = 0
    async for block in data:
        group.append(block)
        size += len(block)
        if size >= _WRITE_BYTES:
            yield group
            group, size = [], 0
    yield group


def _find(connection: Connection, column: str, value: str | int) -> StoredFile:
    if file := schema.find(connection, column, value):
        return file
    raise schema.missing(connection, column, value)


def _by(public: str, identifier: Identifier) -> tuple[str, str | int]:
    """Return the column and the value that a file with that identifier has."""
    return "token" if identifier == "token" else "id", parse_identifier(public, identifier)


def _is_current(connection: Connection, file: StoredFile) -> bool:
    return schema.find(connection, "id", file.id) == file


def _list(connection: Connection, key: str) -> Listing:
    return listing(key, schema.files_below(connection, key) if key else schema.all_files(connection))
