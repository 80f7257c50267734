"""A SQLite database for the tables of `blob_tables`."""

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Final, TypeVar

from ...source_events import SourceKind
from ...threads import in_thread
from .sql import Row, Transaction
from .sqlite_pool import SqlitePool
from .sqlite_schema import create

__all__ = ["SqliteSql"]


T = TypeVar("T")
_HAS_TABLE: Final = "select 1 from sqlite_master where type = 'table' and name = ?"


class SqliteSql:
    """The database in a file, with a thread that reads and a thread that writes.

    Owner: one DatabaseCatalogue, which closes it. The threads start when they are first used.
    """

    kind: SourceKind = "sqlite"

    def __init__(self, path: str, *, patience: float) -> None:
        self.name: str = path
        self._file = Path(path).absolute()
        self._new_pool = partial(SqlitePool, path, self._file, patience=patience)
        self._reader = self._new_pool("ro", count=1)
        self._writer = self._new_pool("rw", count=1)

    async def has_table(self, name: str) -> bool:
        """Return whether a table exists."""
        return await in_thread(partial(os.path.exists, self._file)) and bool(await self.rows(_HAS_TABLE, name))

    async def create(self, statements: Sequence[str]) -> None:
        """Create the file and its tables if they do not exist yet."""
        creator = self._new_pool("rwc", count=1)
        types = {"number": "integer primary key autoincrement", "bytes": "blob"}
        try:
            await creator.run(create, [statement.format(**types) for statement in statements])
        finally:
            await in_thread(creator.close)

    async def rows(self, statement: str, *values: object) -> Sequence[Row]:
        """Return the rows of a result."""
        return await self._reader.run(_rows, statement, values)

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a transaction."""
        return await self._writer.run(_write, work)

    async def aclose(self) -> None:
        """Wait for running statements, then end the threads and close their connections."""
        await in_thread(self._reader.close)
        await in_thread(self._writer.close)


def _rows(connection: Connection, statement: str, values: Sequence[object]) -> Sequence[Row]:
    return connection.execute(statement, values).fetchall()


class _InThread:
    """A transaction whose methods never wait, because they run in the thread of the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def rows(self, statement: str, *values: object) -> Sequence[Row]:
        return _rows(self._connection, statement, values)

    async def change(self, statement: str, *values: object) -> int:
        return self._connection.execute(statement, values).rowcount

    async def now(self) -> float:
        return time.time()


def _write(connection: Connection, work: Callable[[Transaction], Awaitable[T]]) -> T:
    with connection:
        connection.execute("begin immediate")
        return _run_at_once(work(_InThread(connection)))


def _run_at_once(work: Awaitable[T]) -> T:
    """Run a coroutine to its end without an event loop. It must never wait."""
    try:
        next(work.__await__())
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError("the work waits for something other than its transaction")
