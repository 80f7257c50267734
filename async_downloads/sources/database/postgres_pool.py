"""A few connections to PostgreSQL, each lent for one piece of work.

Prepared statements are kept with a connection, as asyncpg does it: a PgBouncer that pools transactions, not sessions,
is not for us.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

import asyncpg

from ...errors import SourceBusy, SourceError
from .postgres_errors import error_for, is_readable, label

__all__ = ["Connections", "forget"]


T = TypeVar("T")
_THEIRS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class Connections:
    """Up to `size` connections, made when they are needed, in the event loop that needs the first.

    Whoever stops waiting for a connection leaves the queue. Work that was begun ends without him: it is short, and to
    end it early PostgreSQL needs a connection more. `patience` bounds, in seconds, the wait for a connection, and
    `timeout` that for an answer.
    """

    def __init__(self, dsn: str, *, size: int, patience: float, timeout: float) -> None:
        self.name: str = label(dsn)
        self.timeout: float = timeout
        self._dsn = dsn
        self._size = size
        self._patience = patience
        self._pool: asyncpg.Pool | None = None
        self._closed = False

    async def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]], *, patience: float | None = None) -> T:
        """Work with a connection. What PostgreSQL says against it is raised as an error of ours."""
        connection = await self._acquire(patience or self._patience)
        working = asyncio.ensure_future(self._work(work, connection))
        working.add_done_callback(forget)
        return await asyncio.shield(working)

    async def row(self, statement: str, *values: object, patience: float | None = None) -> asyncpg.Record | None:
        """Return the first row that the statement gives, if any."""
        return await self.run(lambda connection: connection.fetchrow(statement, *values), patience=patience)

    async def rows(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Return all rows that the statement gives."""
        return await self.run(lambda connection: connection.fetch(statement, *values))

    async def _work(self, work: Callable[[asyncpg.Connection], Awaitable[T]], connection: asyncpg.Connection) -> T:
        pool = self._opened()
        try:
            try:
                return await work(connection)
            finally:
                await pool.release(connection, timeout=self._patience)
        except _THEIRS as error:
            raise error_for(error, self.name) from error

    async def _acquire(self, patience: float) -> asyncpg.Connection:
        pool = self._opened()
        try:
            await pool  # its first use; nothing is waited for
            async with asyncio.timeout(patience):
                return await pool.acquire()
        except TimeoutError as error:
            if pool.get_size() < self._size:  # it is not that all of them are lent
                raise error_for(error, self.name) from error
            raise SourceBusy(f"{self.name}: all {self._size} connections were in use for {patience:g} s") from error
        except _THEIRS as error:
            raise error_for(error, self.name) from error
        except ValueError as error:
            raise error_for(error, self.name) from None  # which may tell the password

    def _opened(self) -> asyncpg.Pool:
        """Return the pool. No statement of ours leaves anything behind, so that a connection need not be reset."""
        if self._closed:
            raise SourceError(f"{self.name} was closed")
        if not is_readable(self._dsn):
            raise error_for(ValueError(), self.name)
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                self._dsn,
                min_size=0,
                max_size=self._size,
                timeout=self._patience,
                command_timeout=self.timeout,
                reset=_leave,
                server_settings={"application_name": "async-downloads"},
            )
        return self._pool

    async def aclose(self) -> None:
        """Close the connections, after the work that they are lent for, if that takes no longer than `patience`."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await pool.close()


def forget(task: "asyncio.Future[T]") -> None:
    """Take the exception of a task that nobody may be there to take."""
    if not task.cancelled():
        task.exception()


async def _leave(connection: asyncpg.Connection) -> None:
    pass
