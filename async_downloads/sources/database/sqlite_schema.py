"""The tables of the SQLite catalogue, and every statement on them.

    file     a name, its identifiers, and the number of its current version
    version  a version: its description; `sha256` is null during the upload, and `retired` is the time when the
             version no longer belonged to a file
    chunk    256 KiB of a version, or less at its end; its id is version * 2**32 + position

`autoincrement` never gives a number twice, so a chunk id always means the same bytes. Each function that writes is one
transaction; only `Upload.write` uses several.
"""

import hashlib
import sqlite3
import sys
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from ...errors import NotFound, SourceChanged, SourceError
from ...semantics.ranges import ByteRange
from .catalogue import CHUNK_BYTES, StoredFile, already_there, new_token, not_found

__all__ = [
    "COMMIT_BYTES",
    "TABLE",
    "Upload",
    "all_files",
    "begin",
    "create",
    "files_below",
    "find",
    "missing",
    "read",
    "remove",
]


TABLE: Final = "version"  # only a catalogue with its bytes in the database has this table
_PAGE_BYTES: Final = 64 * 1024  # SQLite's largest: a chunk takes 5 pages and not 65, so it is read twice as fast
COMMIT_BYTES: Final = 8 * 1024 * 1024  # in one transaction; with more, other writers would wait too long
_NO_BLOB: Final = ("no such rowid", "cannot open value of type")  # how `blobopen` reports that there is no blob
_WAL_ATTEMPTS: Final = 50
_WAL_RETRY_SECONDS: Final = 0.1
_SCHEMA: Final = (
    """create table if not exists version (
        id integer primary key autoincrement, media_type text not null, size integer not null,
        sha256 blob, created real not null, retired real)""",
    """create table if not exists file (
        id integer primary key autoincrement, token text not null unique, name text not null unique,
        current integer not null references version)""",
    "create table if not exists chunk (id integer primary key, data blob not null)",
    "create index if not exists version_retired on version (retired) where retired is not null",
    "create index if not exists version_unfinished on version (created) where sha256 is null",
)
_FILES: Final = """select file.id, token, version.id, name, media_type, size, sha256, cast(created as integer)
    from file join version on version.id = current"""


def create(connection: sqlite3.Connection, statements: Iterable[str] = _SCHEMA) -> None:
    """Create the tables that do not exist yet. Only a new file gets our page size, and can be shrunk later."""
    connection.execute(f"pragma page_size={_PAGE_BYTES}")
    connection.execute("pragma auto_vacuum=incremental")
    _enable_wal(connection)
    with connection:
        connection.execute("begin immediate")
        for statement in statements:
            connection.execute(statement)


def _enable_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. If two connections do so at the same time, one of them has to try again."""
    for retries in reversed(range(_WAL_ATTEMPTS)):
        try:
            connection.execute("pragma journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not retries:
                raise
            time.sleep(_WAL_RETRY_SECONDS)  # SQLite's own timeout does not apply to this statement


def find(connection: sqlite3.Connection, column: str, value: str | int) -> StoredFile | None:
    """Return the file whose column (`name`, `token` or `id`) has that value."""
    row = connection.execute(f"{_FILES} where file.{column} = ?", (value,)).fetchone()
    return StoredFile(*row) if row else None


def all_files(connection: sqlite3.Connection, limit: int = -1) -> list[StoredFile]:
    """Return the first `limit` files in the order of their names; -1 means all."""
    return [StoredFile(*row) for row in connection.execute(f"{_FILES} order by name limit ?", (limit,))]


def files_below(connection: sqlite3.Connection, key: str, limit: int = -1) -> list[StoredFile]:
    """Return the files below the key in the order of their names. The character after the slash in ASCII is 0."""
    query = f"{_FILES} where name > ? and name < ? order by name limit ?"
    return [StoredFile(*row) for row in connection.execute(query, (f"{key}/", f"{key}0", limit))]


def read(connection: sqlite3.Connection, file: StoredFile, start: int, stop: int) -> list[bytes]:
    """Return the bytes from `start` to `stop` of a version, in one piece for each chunk.

    Raises SourceChanged if the version is not in this database: another file may have been moved to its path.
    """
    row = connection.execute("select sha256 from version where id = ?", (file.version,)).fetchone()
    if row is None or row[0] != file.sha256:
        raise SourceChanged(f"{file.name!r}: version {file.version} was deleted")
    edges = [start, *range((start // CHUNK_BYTES + 1) * CHUNK_BYTES, stop, CHUNK_BYTES), stop]
    return [_read_piece(connection, file, first, last) for first, last in pairwise(edges)]


def _read_piece(connection: sqlite3.Connection, file: StoredFile, start: int, stop: int) -> bytes:
    """Return bytes of one chunk. Raises SourceChanged if the chunk is missing or incomplete."""
    position = start // CHUNK_BYTES
    begin, end = position * CHUNK_BYTES, min((position + 1) * CHUNK_BYTES, file.size)
    span = ByteRange(start - begin, stop - begin)
    piece = _read_chunk(connection, file.version << 32 | position, span, end - begin) if stop <= end else None
    if piece is None:
        raise SourceChanged(f"{file.name!r}: chunk {position} of version {file.version} is missing or incomplete")
    return piece


def _read_by_blob(connection: sqlite3.Connection, number: int, span: ByteRange, size: int) -> bytes | None:
    """Return a span of a chunk, or None if there is no chunk of that size. The bytes are copied only once."""
    try:
        with connection.blobopen("chunk", "data", number, readonly=True) as data:
            if len(data) != size:
                return None
            data.seek(span.start)
            return data.read(len(span))
    except sqlite3.OperationalError as error:
        if str(error).startswith(_NO_BLOB):
            return None
        raise


def _read_by_query(connection: sqlite3.Connection, number: int, span: ByteRange, size: int) -> bytes | None:
    """Return the same as `_read_by_blob`, with a second copy of the bytes: a server needs a seventh more CPU time."""
    query = "select data from chunk where id = ? and typeof(data) = 'blob'"
    data: bytes = (connection.execute(query, (number,)).fetchone() or [b""])[0]
    return data[span.start : span.stop] if len(data) == size else None


# Before Python 3.11.3, `blobopen` cannot open a row whose number has more than 32 bits. Debian 12 has Python 3.11.2.
_read_chunk = _read_by_blob if sys.version_info >= (3, 11, 3) else _read_by_query


class Upload:
    """A version that is being uploaded.

    Owner: one call of `SqliteStore.put`. Every method runs in the writer thread.

    States of the version:
    - unfinished, from `begin` on: its `sha256` is null and it belongs to no file. Its digest, its size and up to 256
      KiB of its end are in memory; all full chunks before are in the database.
    - published: it is the current version of a file.
    - retired: `gc` treated the unfinished upload as abandoned. The next `write` or `publish` raises SourceError.
    """

    def __init__(self, version: int, begun: float) -> None:
        self.version: int = version
        self._written = begun  # as the column `created` says
        self.size: int = 0
        self.digest: Any = hashlib.sha256()
        self._unwritten = b""

    def write(self, connection: sqlite3.Connection, blocks: Iterable[bytes], now: float) -> None:
        """Write the full chunks of these blocks, and keep the rest in memory for the next call."""
        data = memoryview(b"".join([self._unwritten, *blocks]))
        stop = len(data) - len(data) % CHUNK_BYTES
        for start in range(0, stop, COMMIT_BYTES):
            with connection:
                connection.execute("begin immediate")
                self._write_chunks(connection, data[start : min(start + COMMIT_BYTES, stop)], now)
        self._unwritten = bytes(data[stop:])

    def _write_chunks(self, connection: sqlite3.Connection, data: memoryview, now: float) -> None:
        first = self.version << 32 | self.size // CHUNK_BYTES
        self.size += len(data)
        self.digest.update(data)
        self._update(connection, now, "size = ?", self.size)
        chunks = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
        connection.executemany("insert into chunk values (?, ?)", enumerate(chunks, first))

    def _update(self, connection: sqlite3.Connection, now: float, change: str, value: object) -> None:
        """Change the version. In another database that was moved to the path, no version was written at this time."""
        where = "where id = ? and retired is null and sha256 is null and created = ?"
        statement = f"update version set {change}, created = ? {where}"  # noqa: S608 - `change` is our own text
        if connection.execute(statement, (value, now, self.version, self._written)).rowcount != 1:
            raise SourceError(f"version {self.version} was deleted before its upload was complete")
        self._written = now

    def publish(self, connection: sqlite3.Connection, name: str, now: float, *, replace: bool) -> StoredFile:
        """Write the rest and make this the current version of the file. Raises AlreadyThere as `begin` does."""
        with connection:
            connection.execute("begin immediate")
            self._write_chunks(connection, memoryview(self._unwritten), now)
            before = _check_free(connection, name, replace=replace)
            if before:
                connection.execute("update version set retired = ? where id = ?", (now, before.version))
                connection.execute("update file set current = ? where id = ?", (self.version, before.id))
            else:
                row = (new_token(), name, self.version)
                connection.execute("insert into file (token, name, current) values (?, ?, ?)", row)
            self._update(connection, now, "sha256 = ?", self.digest.digest())
            file = find(connection, "name", name)
        assert file is not None  # noqa: S101 - this transaction wrote it
        return file


def begin(connection: sqlite3.Connection, name: str, media_type: str, now: float, *, replace: bool) -> Upload:
    """Begin an upload. Raises AlreadyThere if the name is taken, before any byte has been sent."""
    with connection:
        connection.execute("begin immediate")
        _check_free(connection, name, replace=replace)
        row = (media_type, 0, now)
        version = connection.execute("insert into version (media_type, size, created) values (?, ?, ?)", row).lastrowid
    return Upload(version or 0, now)


def _check_free(connection: sqlite3.Connection, name: str, *, replace: bool) -> StoredFile | None:
    """Return the file with that name, if any. Raises AlreadyThere if there is one, unless `replace`."""
    if (before := find(connection, "name", name)) and not replace:
        raise already_there(name)
    return before


def remove(connection: sqlite3.Connection, column: str, value: str | int, now: float) -> None:
    """Delete the file whose column has that value, and retire its version. Raises NotFound if there is no such file."""
    with connection:
        connection.execute("begin immediate")
        if not (file := find(connection, column, value)):
            raise missing(connection, column, value)
        connection.execute("delete from file where id = ?", (file.id,))
        connection.execute("update version set retired = ? where id = ?", (now, file.version))


def missing(connection: sqlite3.Connection, column: str, value: str | int) -> NotFound:
    """Return the error for a name or an identifier that no file has."""
    if column != "name":
        return NotFound(f"there is no file {value!r}")
    return not_found(str(value), [file.name for file in files_below(connection, str(value), 1)])
