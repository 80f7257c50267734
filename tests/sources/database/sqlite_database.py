"""A SQLite database as others see it, who do not go through the store."""

import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["asked", "change"]


def change(path: Path, statement: str, *values: object) -> None:
    """Change the database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def asked(path: Path, question: str) -> object:
    """Ask the database."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchone()[0]
