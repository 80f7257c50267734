"""What PostgreSQL's errors mean to us, each in one line that never holds a password."""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode

import asyncpg

from ...errors import DownloadError, Forbidden, SourceBusy, SourceChanged, SourceError

__all__ = ["error_for", "is_readable", "label"]


# A password may hold what it should not, unescaped: all from the first colon to the last @ counts as one.
_URL: Final = re.compile(r"(postgres(?:ql)?://)(?:([^:@/?#]*)(?::(.*))?@)?([^@?]*)(?:\?([^@]*))?", re.DOTALL)
_ODD: Final = re.compile(r"[/?#@\s]")
_TOLD: Final = ("host", "port", "dbname", "user", "search_path")  # of the parameters: others may hold a password
_MEANINGS: Final[tuple[tuple[type[Exception], type[DownloadError], str], ...]] = (
    (
        asyncpg.UndefinedTableError,
        SourceError,
        "{0} has no tables for files: run 'async-downloads db init --database {0}'",
    ),
    (asyncpg.UndefinedObjectError, SourceChanged, "{0}: {1}"),
    (asyncpg.DataCorruptedError, SourceChanged, "{0}: {1}"),
    (asyncpg.InsufficientPrivilegeError, Forbidden, "{0}: {1}: grant it to the user of the URL"),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        SourceError,
        "{0} refuses us: {1}: correct the user or the password in the URL",
    ),
    (
        asyncpg.InvalidCatalogNameError,
        SourceError,
        "{0} is not there: {1}: create it with createdb, or correct its name in the URL",
    ),
    (asyncpg.TooManyConnectionsError, SourceBusy, "{0} has no connection to spare: {1}"),
    (asyncpg.CannotConnectNowError, SourceBusy, "{0} takes no connections now: {1}"),
    (TimeoutError, SourceError, "{0} gave no answer in time: is its server alive?"),
    (asyncpg.PostgresConnectionError, SourceError, "{0}: the connection was lost: {1}"),
    (OSError, SourceError, "{0} cannot be reached: {1}: start its server, or correct the host and the port in the URL"),
    (
        ValueError,
        SourceError,
        "the database's URL cannot be read: expected postgresql://user:password@host:port/name, with %-escapes",
    ),
)


def label(dsn: str) -> str:
    """Return a URL to show: without its password.

    >>> label("postgresql://me:p/w@d?#@db:5432/files?sslmode=require&password=p&host=%2Ftmp")
    'postgresql://me@db:5432/files?host=%2Ftmp'
    >>> label("postgresql:///files"), label("postgresql://me@/files?password=a@b")
    ('postgresql:///files', 'the PostgreSQL database')
    """
    found = _URL.fullmatch(dsn)
    if not found:
        return "the PostgreSQL database"
    scheme, user, _, place, query = found.groups()
    told = urlencode([(name, value) for name, value in parse_qsl(query or "") if name in _TOLD])
    return "".join([scheme, f"{user}@" if user is not None else "", place, f"?{told}" if told else ""])


def is_readable(dsn: str) -> bool:
    """Whether a URL has no password that could be taken for something else, and then be told.

    >>> is_readable("postgresql://me:p%2Fw@db/files"), is_readable("postgresql://me:p/w@db/files")
    (True, False)
    """
    found = _URL.fullmatch(dsn)
    return found is not None and not _ODD.search(found[3] or "")


def error_for(error: Exception, database: str) -> DownloadError:
    """Return the error of ours that says what went wrong with a database, which is named without its password."""
    said = (getattr(error, "message", None) or str(error) or type(error).__name__).partition("\n")[0]
    for theirs, ours, text in _MEANINGS:
        if isinstance(error, theirs) and not isinstance(error, asyncpg.DataError):
            return ours(text.format(database, said))
    return SourceError(f"{database}: {said}")
