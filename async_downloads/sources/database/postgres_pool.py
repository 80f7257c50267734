"""A small pool of connections to PostgreSQL.

asyncpg keeps prepared statements with their connection. So the pool works with a PgBouncer that pools sessions, but not
with one that pools transactions.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import asyncpg

from ...errors import SourceBusy, SourceError
from .postgres_errors import is_unambiguous, map_postgres_errors, redacted, unreadable_url

__all__ = ["Connections", "retrieve_exception"]


T = TypeVar("T")


class Connections:
    """Up to `size` connections, each in use for one piece of work at a time.

    `patience` is the number of seconds that a request waits for a free connection, and `timeout` the number of seconds
    that PostgreSQL has for a response. `name` is the URL without its password.

    Owner: one PostgresStore. It belongs to the event loop that uses it first.

    States: unopened until the first work; open, with connections made when they are needed; closed by `aclose`, after
    which `run` raises SourceError.

    A cancelled caller leaves the queue for connections. Work that has begun continues to its end in a task of its own:
    it is short, and PostgreSQL needs another connection to cancel it.
    """

    def __init__(self, dsn: str, *, size: int, patience: float, timeout: float) -> None:
        self.name: str = redacted(dsn)
        self.timeout: float = timeout
        self._dsn = dsn
        self._size = size
        self._patience = patience
        self._pool: asyncpg.Pool | None = None
        self._closed = False

    async def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]], *, patience: float | None = None) -> T:
        """Call `work` with a connection and return its result. Raises DownloadError for errors of PostgreSQL."""
        connection = await self._acquire(patience or self._patience)
        working = asyncio.ensure_future(self._work(work, connection))
        working.add_done_callback(retrieve_exception)
        return await asyncio.shield(working)

    async def row(self, statement: str, *values: object, patience: float | None = None) -> asyncpg.Record | None:
        """Return the first row of the result, or None if it is empty."""
        return await self.run(lambda connection: connection.fetchrow(statement, *values), patience=patience)

    async def rows(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Return all rows of the result."""
        return await self.run(lambda connection: connection.fetch(statement, *values))

    async def _work(self, work: Callable[[asyncpg.Connection], Awaitable[T]], connection: asyncpg.Connection) -> T:
        pool = self._open_pool()
        with map_postgres_errors(self.name):
            try:
                return await work(connection)
            finally:
                await pool.release(connection, timeout=self._patience)

    async def _acquire(self, patience: float) -> asyncpg.Connection:
        pool = self._open_pool()
        with map_postgres_errors(self.name):
            try:
                await pool  # initialises the pool at its first use, without connecting
                async with asyncio.timeout(patience):
                    return await pool.acquire()
            except TimeoutError as error:
                if pool.get_size() < self._size:  # the server is slow; the pool is not exhausted
                    raise
                raise SourceBusy(f"{self.name}: all {self._size} connections were in use for {patience:g} s") from error
            except ValueError:
                raise unreadable_url() from None  # the message of asyncpg may contain the password

    def _open_pool(self) -> asyncpg.Pool:
        """Return the pool, and create it first if necessary.

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
                reset=_skip_reset,
                server_settings={"application_name": "async-downloads"},
            )
        return self._pool

    async def aclose(self) -> None:
        """Wait up to `patience` seconds for running work, then close the connections."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await pool.close()


def retrieve_exception(task: "asyncio.Future[T]") -> None:
    """Retrieve the exception of a task whose caller may be cancelled; asyncio logs exceptions never retrieved."""
    if not task.cancelled():
        task.exception()


async def _skip_reset(connection: asyncpg.Connection) -> None:
    pass
