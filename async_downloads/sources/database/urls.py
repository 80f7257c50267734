"""Which database a URL means."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

from .catalogue import Catalogue

__all__ = ["open_catalogue", "path_of"]


_SQLITE = "sqlite:///"


def open_catalogue(url: str) -> Catalogue:
    """Return the catalogue at `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.

    Nothing is connected to yet. ValueError, with a line that says what to do, for a URL that is none of them.
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
    problem = f"{url!r} has no path after three slashes" if kind == "sqlite" else f"{kind!r} is no database of ours"
    raise ValueError(f"{problem}: expected sqlite:///path.db or postgresql://…")


def path_of(url: str) -> Path | None:
    """Return the file of an SQLite database; None for any other URL."""
    return Path(unquote(url.removeprefix(_SQLITE))) if url.startswith(_SQLITE) and len(url) > len(_SQLITE) else None
