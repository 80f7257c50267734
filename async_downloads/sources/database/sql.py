"""The interface of a database for the tables of `blob_tables`.

The statements use only SQL that SQLite, PostgreSQL, and other databases with the protocol of PostgreSQL have in common,
with `?` for each value. Work that writes is a coroutine function. It is one transaction, and awaits only the methods of
that transaction.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from ...source_events import SourceKind

__all__ = ["Row", "Sql", "Transaction"]


T = TypeVar("T")
Row = Sequence[Any]


class Transaction(Protocol):
    """The methods that work in a transaction can use."""

    async def rows(self, statement: str, *values: object) -> Sequence[Row]:
        """Return the rows of a result."""

    async def change(self, statement: str, *values: object) -> int:
        """Execute a statement, and return how many rows it changed."""

    async def now(self) -> float:
        """Return the time of the database in seconds since 1970, because the clocks of several hosts may differ."""


class Sql(Protocol):
    """A database. Every method raises SourceError as the methods of `Catalogue` do."""

    @property
    def kind(self) -> SourceKind:
        """The kind of database, for metrics."""

    @property
    def name(self) -> str:
        """The name of the database for messages, without a password."""

    async def has_table(self, name: str) -> bool:
        """Return whether a table exists. False if there is no database yet."""

    async def create(self, statements: Sequence[str]) -> None:
        """Execute statements that create missing tables. `{number}` and `{bytes}` in them become types of columns."""

    async def rows(self, statement: str, *values: object) -> Sequence[Row]:
        """Return the rows of a result; the statement must only read."""

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a transaction and return its result. It may run again after a conflict with another writer."""

    async def aclose(self) -> None:
        """Close the connections."""
