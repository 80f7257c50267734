"""A database for the tables of `blob_tables`, of any kind.

Their statements are those that SQLite, PostgreSQL, and databases that only speak the protocol of PostgreSQL have in
common. Values are marked by `?`. A piece of work that writes is a coroutine function: it is one transaction, and awaits
nothing but the transaction's own methods.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from ...source_events import SourceKind

__all__ = ["Row", "Sql", "Transaction"]


T = TypeVar("T")
Row = Sequence[Any]


class Transaction(Protocol):
    """What a piece of work can do."""

    async def rows(self, statement: str, *values: object) -> Sequence[Row]:
        """Return the rows of a result."""

    async def change(self, statement: str, *values: object) -> int:
        """Execute a statement, and return how many rows it changed."""

    async def now(self) -> float:
        """Return the time of the database, in seconds since 1970: the clocks of several hosts may differ."""


class Sql(Protocol):
    """A database. Every method raises SourceError as those of a `Catalogue` do."""

    @property
    def kind(self) -> SourceKind:
        """The kind of database, for metrics."""

    @property
    def name(self) -> str:
        """The database in messages, without a password."""

    async def has_table(self, name: str) -> bool:
        """Whether a table exists. False if there is no database yet."""

    async def create(self, statements: Sequence[str]) -> None:
        """Execute statements that create what does not exist. `{number}` and `{bytes}` in them are types of columns."""

    async def rows(self, statement: str, *values: object) -> Sequence[Row]:
        """Return the rows of a result; the statement must only read."""

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a piece of work in a transaction, and return its result. It may run again if others write, too."""

    async def aclose(self) -> None:
        """Close the connections."""
