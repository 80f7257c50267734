"""The catalogue for the URL of a database."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from ...extras import how_to_install
from ..object_urls import check_blobs_url
from .database_catalogue import DatabaseCatalogue

__all__ = ["open_catalogue", "path_of"]


_SQLITE: Final = "sqlite:///"


def open_catalogue(url: str, *, blobs: str | None = None, connections: int = 64) -> DatabaseCatalogue:
    """Return the catalogue at `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.

    `blobs` is the URL of the bucket for the bytes of a catalogue that `init` creates; the database stores this URL. At
    most `connections` requests to the bucket run at a time. This function makes no connection. Raises ValueError, with
    one line that says what to do, if a URL has another form.
    """
    if blobs is not None:
        check_blobs_url(blobs)
    if path := path_of(url):
        return _in_sqlite(str(path), blobs=blobs, connections=connections)
    if url.startswith(("postgresql://", "postgres://")):
        if not find_spec("asyncpg"):
            raise ValueError(f"PostgreSQL needs asyncpg: {how_to_install('postgres')}")
        return _in_postgres(url, blobs=blobs, connections=connections)
    kind = url.partition(":")[0]
    problem = (
        f"{url!r} has no path after three slashes" if kind == "sqlite" else f"{kind!r} is not a supported database"
    )
    raise ValueError(f"{problem}: expected sqlite:///path.db or postgresql://…")


def _in_sqlite(path: str, *, blobs: str | None, connections: int) -> DatabaseCatalogue:
    from .sqlite import PATIENCE_SECONDS, SqliteStore
    from .sqlite_schema import TABLE
    from .sqlite_sql import SqliteSql

    sql = SqliteSql(path, patience=PATIENCE_SECONDS)
    return DatabaseCatalogue(SqliteStore(path), TABLE, sql, blobs=blobs, connections=connections)


def _in_postgres(url: str, *, blobs: str | None, connections: int) -> DatabaseCatalogue:
    from .postgres import PostgresStore
    from .postgres_schema import TABLE
    from .postgres_sql import PostgresSql

    store = PostgresStore(url)
    return DatabaseCatalogue(store, TABLE, PostgresSql(store.connections), blobs=blobs, connections=connections)


def path_of(url: str) -> Path | None:
    """Return the path of the SQLite database, or None if the URL is not one of SQLite."""
    return Path(unquote(url.removeprefix(_SQLITE))) if url.startswith(_SQLITE) and len(url) > len(_SQLITE) else None
