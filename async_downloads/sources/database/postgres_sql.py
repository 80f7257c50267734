"""A database with the protocol of PostgreSQL, for the tables of `blob_tables`.

This module uses neither large objects nor advisory locks, because other databases with this protocol have none. Such a
database may end a transaction that is in conflict with another one; the transaction is then run again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from itertools import count
from typing import Final, TypeVar

import asyncpg

from ...errors import SourceBusy, SourceError
from ...source_events import SourceKind
from .postgres_errors import CONFLICTS
from .postgres_pool import Connections
from .sql import Row, Transaction

__all__ = ["PostgresSql"]


T = TypeVar("T")
_TRIES: Final = 20
_FIRST_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.25
_CREATED_TWICE: Final = (asyncpg.UniqueViolationError, asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError)
_NOW: Final = "select extract(epoch from clock_timestamp())::double precision"
_TYPES: Final = {"number": "bigint generated always as identity primary key", "bytes": "bytea"}


class PostgresSql:
    """The database that a pool connects to.

    Owner: one DatabaseCatalogue, which closes the connections.
    """

    kind: SourceKind = "postgresql"

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._connections.name

    async def has_table(self, name: str) -> bool:
        """Return whether a table exists."""
        [row] = await self._connections.rows("select to_regclass($1) is not null", name)
        return bool(row[0])

    async def create(self, statements: Sequence[str]) -> None:
        """Create the tables that do not exist. If two processes do so at the same time, one of them tries again."""
        for statement in statements:
            await self._create(statement.format(**_TYPES))

    async def _create(self, statement: str) -> None:
        try:
            await self._connections.run(lambda connection: connection.execute(statement))
        except SourceError as error:
            if not isinstance(error.__cause__, _CREATED_TWICE):
                raise
            await self._connections.run(lambda connection: connection.execute(statement))

    async def rows(self, statement: str, *values: object) -> Sequence[Row]:
        """Return the rows of a result."""
        return await self._connections.rows(_numbered(statement), *values)

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a transaction. Run it again after a conflict with another transaction."""
        for tries in count(1):
            try:
                return await self._connections.run(partial(_write, work))
            except SourceBusy as error:
                if tries == _TRIES or not isinstance(error.__cause__, CONFLICTS):
                    raise
            # Writers that try again at the same time would be in conflict again, so each waits for a random time.
            longest = min(_FIRST_PAUSE_SECONDS * 2**tries, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
        raise AssertionError  # `count` never ends

    async def aclose(self) -> None:
        """Wait for short work that has begun, then close the connections."""
        await self._connections.aclose()


class _InConnection:
    """A transaction of asyncpg."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def rows(self, statement: str, *values: object) -> Sequence[Row]:
        rows: Sequence[Row] = await self._connection.fetch(_numbered(statement), *values)
        return rows

    async def change(self, statement: str, *values: object) -> int:
        status = await self._connection.execute(_numbered(statement), *values)
        return int(status.rpartition(" ")[2])

    async def now(self) -> float:
        now: float = await self._connection.fetchval(_NOW)
        return now


async def _write(work: Callable[[Transaction], Awaitable[T]], connection: asyncpg.Connection) -> T:
    async with connection.transaction():
        return await work(_InConnection(connection))


@lru_cache(256)
def _numbered(statement: str) -> str:
    """Return a statement with PostgreSQL's placeholders for its values.

    >>> _numbered("select a from b where c = ? and d < ?")
    'select a from b where c = $1 and d < $2'
    """
    first, *others = statement.split("?")
    return first + "".join(f"${number}{text}" for number, text in enumerate(others, 1))
