"""Free the space of the SQLite catalogue: delete the versions that no file has, then shrink the database file.

Each step is a short transaction, so downloads and other writers need not wait. The steps also work on a full disk,
because they need less space in SQLite's log than a failed upload has left there.
"""

import sqlite3
from typing import Final

from .catalogue import CHUNK_BYTES
from .sqlite_schema import COMMIT_BYTES

__all__ = ["free", "retire_unfinished", "shrink"]


_RETIRE: Final = "update version set retired = created where sha256 is null and retired is null and created <= ?"
_FREE_CHUNKS: Final = (
    "delete from chunk where id in (select id from chunk where id >= ? and id < ? order by id limit ?)"
)
# So many pages fit into SQLite's cache even at the largest page size. A page that does not fit would be written to the
# log again and again.
_SHRINK_PAGES: Final = 16


def retire_unfinished(connection: sqlite3.Connection, before: float) -> list[tuple[int, int]]:
    """Retire uploads that have not written since `before`. Return number and size of all versions retired until then.

    `before` is in seconds since 1970. An upload whose version is retired cannot continue, so it never adds chunks to a
    version that is being deleted.
    """
    with connection:
        connection.execute("begin immediate")
        connection.execute(_RETIRE, (before,))
        return connection.execute("select id, size from version where retired <= ?", (before,)).fetchall()


def free(connection: sqlite3.Connection, version: int) -> bool | None:
    """Delete some chunks of a retired version, or the version itself if it has no chunks left.

    Return None if there may be more chunks. Otherwise return whether this call deleted the version: another process may
    have deleted it.
    """
    first = version << 32
    limits = (first, first + 2**32, COMMIT_BYTES // CHUNK_BYTES)
    with connection:
        connection.execute("begin immediate")
        if connection.execute(_FREE_CHUNKS, limits).rowcount:
            return None
        return connection.execute("delete from version where id = ?", (version,)).rowcount > 0


def shrink(connection: sqlite3.Connection) -> bool:
    """Move some pages into free places and shorten the file. Return whether it may be possible to shorten it more.

    SQLite shortens the file when it has moved its log into it. A file of an older release keeps its size.
    """
    before = _free_pages(connection)
    # The pragma takes one step for each page. Before Python 3.12, `execute` runs only the first step.
    connection.executescript(f"pragma incremental_vacuum({_SHRINK_PAGES})")
    after = _free_pages(connection)
    if not 0 < after < before:
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        return False
    return True


def _free_pages(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("pragma freelist_count").fetchone()[0]
    return count
