"""A pool of connections to PostgreSQL.

asyncpg keeps prepared statements for each connection. A PgBouncer that pools transactions may run each transaction on
another connection to PostgreSQL, where the prepared statement may not exist. After the first such error, the pool uses
statements without names: asyncpg then sends each statement together with its values.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import chain, count, repeat
from typing import Final, TypeVar

import asyncpg

from ...errors import SourceBusy, SourceError
from ...threads import retrieve_exception
from .postgres_errors import LOST_STATEMENT, is_unambiguous, map_postgres_errors, redacted, unreadable_url

__all__ = ["Connections"]


T = TypeVar("T")
# Seconds between two tries of a query that only reads. The last value is used again and again.
_PAUSES: Final = (0.0, 0.1, 0.2, 0.5, 1.0)


class Connections:
    """Up to `size` connections, each in use for one piece of work at a time.

    `patience` is the number of seconds that a request waits for a free connection, and `timeout` the number of seconds
    that PostgreSQL has for a response. `name` is the URL without its password.

    Owner: one PostgresStore. Only the event loop that first uses the pool may use it.

    States: unopened until the first work; open, with connections that are made when they are needed; closed by
    `aclose`, after which `run` raises SourceError. Independently, `_names_statements` may change once, from True to
    False.

    A cancelled caller leaves the queue for connections. Work that has begun continues to its end in its own task,
    because it is short, and because cancelling it would need another connection to PostgreSQL.
    """

    def __init__(self, dsn: str, *, size: int, patience: float, timeout: float) -> None:
        self.name: str = redacted(dsn)
        self.timeout: float = timeout
        self._dsn = dsn
        self._size = size
        self._patience = patience
        self._pool: asyncpg.Pool | None = None
        self._closed = False
        self._names_statements = True

    async def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]], *, patience: float | None = None) -> T:
        """Call `work` with a connection and return its result. Raises DownloadError for errors of PostgreSQL.

        `work` is called a second time if a prepared statement of the first call was lost. The first call then had no
        effect.
        """
        names_statements = self._names_statements
        try:
            return await self._run(work, patience or self._patience)
        except _LostStatement:
            if not names_statements:
                raise
            await self._stop_naming_statements()
            return await self._run(work, patience or self._patience)

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[T]], patience: float) -> T:
        pool = self._open_pool()
        connection = await self._acquire(pool, patience)
        working = asyncio.ensure_future(self._work(work, pool, connection))
        working.add_done_callback(retrieve_exception)
        return await asyncio.shield(working)

    async def row(self, statement: str, *values: object) -> asyncpg.Record | None:
        """Return the first row of the result, or None if it is empty. The statement must only read."""
        return await self._retried(lambda connection: connection.fetchrow(statement, *values))

    async def rows(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Return all rows of the result. The statement must only read."""
        return await self._retried(lambda connection: connection.fetch(statement, *values))

    async def row_of_download(self, statement: str, *values: object) -> asyncpg.Record | None:
        """Return the first row as `row` does, but wait for a connection up to `timeout`, also during a restart."""
        return await self._retried(lambda connection: connection.fetchrow(statement, *values), is_running=True)

    async def _retried(self, read: Callable[[asyncpg.Connection], Awaitable[T]], *, is_running: bool = False) -> T:
        """Read, and try again if PostgreSQL is busy or the connection was lost.

        A new request tries once more, or waits up to `patience` if PostgreSQL is starting; then its client gets a 503.
        A running download tries for up to `timeout`, because otherwise its client must make a new request.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + (self.timeout if is_running else self._patience)
        pauses = chain(_PAUSES, repeat(_PAUSES[-1]))
        for tries in count():
            try:
                return await self.run(read, patience=end - loop.time())
            except SourceBusy as error:
                is_starting = isinstance(error.__cause__, asyncpg.CannotConnectNowError)
                is_first = tries == 0 and not isinstance(error.__cause__, TimeoutError)
                pause = next(pauses)
                if loop.time() + pause >= end or not (is_running or is_starting or is_first):
                    raise
            await asyncio.sleep(pause)
        raise AssertionError  # `count` never ends

    async def _work(
        self, work: Callable[[asyncpg.Connection], Awaitable[T]], pool: asyncpg.Pool, connection: asyncpg.Connection
    ) -> T:
        with map_postgres_errors(self.name):
            try:
                return await work(connection)
            except LOST_STATEMENT as error:
                raise _LostStatement(f"{self.name}: {error}: let PgBouncer pool sessions") from error
            except (asyncpg.InterfaceError, asyncpg.InternalClientError):
                connection.terminate()  # asyncpg does not know its state
                raise
            finally:
                await pool.release(connection, timeout=self._patience)

    async def _stop_naming_statements(self) -> None:
        """Replace the pool with one whose statements have no names. Running work ends in the old pool."""
        if self._names_statements:
            self._names_statements = False
            pool, self._pool = self._pool, None
            if pool:
                await self._close_pool(pool)

    async def _acquire(self, pool: asyncpg.Pool, patience: float) -> asyncpg.Connection:
        with map_postgres_errors(self.name):
            try:
                await pool  # the first await initialises the pool, without connecting
                async with asyncio.timeout(patience):
                    return await pool.acquire()
            except TimeoutError as error:
                if pool.get_size() < self._size:  # the server is slow; the pool is not exhausted
                    raise
                raise SourceBusy(f"{self.name}: all {self._size} connections were in use for {patience:g} s") from error
            except ValueError:
                raise unreadable_url() from None  # asyncpg's message may contain the password

    def _open_pool(self) -> asyncpg.Pool:
        """Return the pool. Create it if necessary.

        A connection is not reset after its work, because our statements leave no state behind.
        """
        if self._closed:
            raise SourceError(f"{self.name} was closed")
        if not is_unambiguous(self._dsn):
            raise unreadable_url()
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                self._dsn,
                min_size=0,
                max_size=self._size,
                timeout=self._patience,
                command_timeout=self.timeout,
                **({} if self._names_statements else {"statement_cache_size": 0}),
                reset=_skip_reset,
                server_settings={"application_name": "async-downloads"},
            )
        return self._pool

    async def aclose(self) -> None:
        """Wait up to `patience` seconds for running work, then close the connections."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool:
            await self._close_pool(pool)

    async def _close_pool(self, pool: asyncpg.Pool) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await pool.close()


class _LostStatement(SourceError):
    """PostgreSQL does not have a statement that was prepared."""


async def _skip_reset(connection: asyncpg.Connection) -> None:
    pass
