"""Direct access to a SQLite database, without the store."""

import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["change", "query"]


def change(path: Path, statement: str, *values: object) -> None:
    """Execute a statement that changes the database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def query(path: Path, statement: str) -> object:
    """Return the first value of the result of a query."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchone()[0]
