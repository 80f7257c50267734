"""The catalogue for the URL of a database."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from .catalogue import Catalogue

__all__ = ["open_catalogue", "path_of"]


_SQLITE: Final = "sqlite:///"


def open_catalogue(url: str) -> Catalogue:
    """Return the catalogue at `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.

    No connection is made yet. Raises ValueError, with one line that says what to do, if the URL is of another kind.
    """
    if path := path_of(url):
        from .sqlite import SqliteStore

        return SqliteStore(str(path))
    if url.startswith(("postgresql://", "postgres://")):
        if not find_spec("asyncpg"):
            raise ValueError("PostgreSQL needs asyncpg: pip install 'async-downloads[postgres]'")
        from .postgres import PostgresStore

        return PostgresStore(url)
    kind = url.partition(":")[0]
    problem = (
        f"{url!r} has no path after three slashes" if kind == "sqlite" else f"{kind!r} is not a supported database"
    )
    raise ValueError(f"{problem}: expected sqlite:///path.db or postgresql://…")


def path_of(url: str) -> Path | None:
    """Return the path of the SQLite database, or None if the URL is not one of SQLite."""
    return Path(unquote(url.removeprefix(_SQLITE))) if url.startswith(_SQLITE) and len(url) > len(_SQLITE) else None
