"""The tables that files have in SQLite, and every statement on them.

    file     what a name stands for, and the version it has now
    version  bytes that never change; without a digest while they are being put, `retired` when no file has them
    chunk    256 KiB of a version, but for its last; their number is version * 2**32 + place

A number is never given twice (`autoincrement`), so a chunk that is found is of the version it was asked for, and one
that was freed is never taken for another. Each function that writes is one transaction.
"""

import hashlib
import sqlite3
import sys
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from ...errors import AlreadyThere, NotFound, SourceChanged, SourceError
from ...semantics.ranges import ByteRange
from .catalogue import CHUNK, StoredFile, new_token, not_found

__all__ = [
    "Upload",
    "all_files",
    "begin",
    "create",
    "doomed",
    "files_below",
    "find",
    "free",
    "missing",
    "part_by_handle",
    "part_by_query",
    "read",
    "remove",
]


_PAGE: Final = (
    64 * 1024
)  # bytes, the most there can be: a chunk takes five pages instead of 65, and is read twice as fast
_COMMIT: Final = 8 * 1024 * 1024  # bytes that are written, or freed, in one transaction: others get their turn
_NO_BLOB: Final = ("no such rowid", "cannot open value of type")  # what a handle says when there is nothing to open
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


def create(connection: sqlite3.Connection) -> None:
    """Make the tables that are not there yet. The size of a page is that of a new file alone."""
    connection.execute(f"pragma page_size={_PAGE}")
    _log_ahead(connection)
    with connection:
        connection.execute("begin immediate")
        for statement in _SCHEMA:
            connection.execute(statement)


def _log_ahead(connection: sqlite3.Connection, *, attempts: int = 50) -> None:
    """Turn the log on. Where two do that at once, SQLite tells one of them at once that it is locked."""
    for left in reversed(range(attempts)):
        try:
            connection.execute("pragma journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not left:
                raise
            time.sleep(0.1)  # its own waiting for locks does not cover this


def find(connection: sqlite3.Connection, column: str, value: str | int) -> StoredFile | None:
    """Return the file of that name, token or id."""
    row = connection.execute(f"{_FILES} where file.{column} = ?", (value,)).fetchone()
    return StoredFile(*row) if row else None


def all_files(connection: sqlite3.Connection, most: int = -1) -> list[StoredFile]:
    """Return that many files, by name; -1 is for every one."""
    return [StoredFile(*row) for row in connection.execute(f"{_FILES} order by name limit ?", (most,))]


def files_below(connection: sqlite3.Connection, key: str, most: int = -1) -> list[StoredFile]:
    """Return the files with names that begin with the key and a slash, by name: the character after it is a 0."""
    rows = connection.execute(
        f"{_FILES} where name > ? and name < ? order by name limit ?", (f"{key}/", f"{key}0", most)
    )
    return [StoredFile(*row) for row in rows]


def read(connection: sqlite3.Connection, file: StoredFile, start: int, stop: int) -> list[bytes]:
    """Return bytes of a version, in one piece for each chunk."""
    edges = [start, *range((start // CHUNK + 1) * CHUNK, stop, CHUNK), stop]
    return [_piece(connection, file, first, last) for first, last in pairwise(edges)]


def _piece(connection: sqlite3.Connection, file: StoredFile, start: int, stop: int) -> bytes:
    """Return bytes of one chunk. `SourceChanged` when it is not there, or not all of it."""
    place = start // CHUNK
    begin, end = place * CHUNK, min((place + 1) * CHUNK, file.size)
    wanted = ByteRange(start - begin, stop - begin)
    piece = _part(connection, file.version << 32 | place, wanted, end - begin) if stop <= end else None
    if piece is None:
        raise SourceChanged(f"{file.name!r}: chunk {place} of version {file.version} is not there, or not all of it")
    return piece


def part_by_handle(connection: sqlite3.Connection, number: int, wanted: ByteRange, size: int) -> bytes | None:
    """Return a part of a chunk, if there is one of that size: read into the very `bytes` that are sent."""
    try:
        with connection.blobopen("chunk", "data", number, readonly=True) as data:
            if len(data) != size:
                return None
            data.seek(wanted.start)
            return data.read(len(wanted))
    except sqlite3.OperationalError as error:
        if str(error).startswith(_NO_BLOB):
            return None
        raise


def part_by_query(connection: sqlite3.Connection, number: int, wanted: ByteRange, size: int) -> bytes | None:
    """Return the same: for a seventh more of the server's time, but with every Python."""
    query = "select data from chunk where id = ? and typeof(data) = 'blob'"
    row = connection.execute(query, (number,)).fetchone()
    data: bytes = row[0] if row else b""
    return data[wanted.start : wanted.stop] if len(data) == size else None


# Before 3.11.3, which Debian 12 does not have yet, a handle takes no number beyond 32 bits.
_part = part_by_handle if sys.version_info >= (3, 11, 3) else part_by_query


class Upload:
    """A version that is being put: nobody sees it before it is published, and `free` may take it away."""

    def __init__(self, version: int) -> None:
        self.version: int = version
        self.size: int = 0
        self.digest: Any = hashlib.sha256()
        self._rest = b""

    def take(self, connection: sqlite3.Connection, blocks: Iterable[bytes], now: float) -> None:
        """Write what came, in whole chunks, and keep the rest for the next time."""
        data = memoryview(b"".join([self._rest, *blocks]))
        stop = len(data) - len(data) % CHUNK
        for start in range(0, stop, _COMMIT):
            with connection:
                connection.execute("begin immediate")
                self._write(connection, data[start : min(start + _COMMIT, stop)], now)
        self._rest = bytes(data[stop:])

    def _write(self, connection: sqlite3.Connection, data: memoryview, now: float) -> None:
        first = self.version << 32 | self.size // CHUNK
        self.size += len(data)
        self.digest.update(data)
        self._update(connection, "size = ?, created = ?", self.size, now)
        parts = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
        connection.executemany("insert into chunk values (?, ?)", enumerate(parts, first))

    def _update(self, connection: sqlite3.Connection, changes: str, *values: object) -> None:
        statement = f"update version set {changes} where id = ? and retired is null"  # noqa: S608 - no user's text
        if connection.execute(statement, (*values, self.version)).rowcount != 1:
            raise SourceError(f"version {self.version} was freed before the last of it was there")

    def publish(self, connection: sqlite3.Connection, name: str, now: float, *, replace: bool) -> StoredFile:
        """Write the rest, and make it the version that the name has from now on."""
        with connection:
            connection.execute("begin immediate")
            self._write(connection, memoryview(self._rest), now)
            before = _taken(connection, name, replace=replace)
            if before:
                connection.execute("update version set retired = ? where id = ?", (now, before.version))
                connection.execute("update file set current = ? where id = ?", (self.version, before.id))
            else:
                row = (new_token(), name, self.version)
                connection.execute("insert into file (token, name, current) values (?, ?, ?)", row)
            self._update(connection, "sha256 = ?, created = ?", self.digest.digest(), now)
            file = find(connection, "name", name)
        assert file is not None  # noqa: S101 - it was written in the same transaction
        return file


def begin(connection: sqlite3.Connection, name: str, media_type: str, now: float, *, replace: bool) -> Upload:
    """Begin to put a file. `AlreadyThere` when the name is taken, so that its bytes need not come."""
    with connection:
        connection.execute("begin immediate")
        _taken(connection, name, replace=replace)
        row = (media_type, 0, now)
        version = connection.execute("insert into version (media_type, size, created) values (?, ?, ?)", row).lastrowid
    return Upload(version or 0)


def _taken(connection: sqlite3.Connection, name: str, *, replace: bool) -> StoredFile | None:
    """Return the file with that name. `AlreadyThere` when there is one and it is not to be replaced."""
    before = find(connection, "name", name)
    if before and not replace:
        raise AlreadyThere(f"there is a file {name!r}")
    return before


def remove(connection: sqlite3.Connection, name: str, now: float) -> None:
    """Take a file away, and retire its version. `NotFound` when there is none."""
    with connection:
        connection.execute("begin immediate")
        file = find(connection, "name", name)
        if not file:
            raise missing(connection, name)
        connection.execute("delete from file where id = ?", (file.id,))
        connection.execute("update version set retired = ? where id = ?", (now, file.version))


def missing(connection: sqlite3.Connection, key: str) -> NotFound:
    """Return the error for a key that no file has."""
    return not_found(key, [file.name for file in files_below(connection, key, 1)])


def doomed(connection: sqlite3.Connection, before: float) -> list[tuple[int, int]]:
    """Retire what was begun and not written to since then; return the versions that were retired till then, and sizes.

    An upload whose version was retired cannot go on, so that nothing comes after what is freed.
    """
    with connection:
        connection.execute("begin immediate")
        connection.execute(
            "update version set retired = created where sha256 is null and retired is null and created <= ?", (before,)
        )
        return connection.execute("select id, size from version where retired <= ?", (before,)).fetchall()


def free(connection: sqlite3.Connection, version: int) -> bool | None:
    """Take some chunks of a retired version away, and the version when there are no more.

    None is that there may be more; else whether it was us who took the version away.
    """
    base = version << 32
    some = (base, base + 2**32, _COMMIT // CHUNK)
    with connection:
        connection.execute("begin immediate")
        gone = connection.execute(
            "delete from chunk where id in (select id from chunk where id >= ? and id < ? order by id limit ?)", some
        ).rowcount
        if gone:
            return None
        return connection.execute("delete from version where id = ?", (version,)).rowcount > 0
