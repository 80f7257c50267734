"""The errors of PostgreSQL as errors of this package. Each message is one line and never contains a password."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qsl, urlencode

import asyncpg

from ...errors import DownloadError, Forbidden, SourceBusy, SourceChanged, SourceError

__all__ = ["CONFLICTS", "LOST_STATEMENT", "is_unambiguous", "map_postgres_errors", "redacted", "unreadable_url"]


# A password may contain characters that should have been escaped. So everything from the first colon to the last @ is
# treated as the password.
_URL: Final = re.compile(r"(postgres(?:ql)?://)(?:([^:@/?#]*)(?::(.*))?@)?([^@?]*)(?:\?([^@]*))?", re.DOTALL)
_RESERVED: Final = re.compile(r"[/?#@\s]")
_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")  # asyncio joins the errors of several addresses into one text
_SHOWN_PARAMETERS: Final = ("host", "port", "dbname", "user", "search_path")  # any other may hold a password
# asyncpg names the statements that it prepares. A PgBouncer that pools transactions may send the values to another
# connection, which does not have the statement, or has a different statement with that name.
LOST_STATEMENT: Final = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.ProtocolViolationError,
)
# Two transactions were in conflict, and PostgreSQL ended one of them. That one can run again.
CONFLICTS: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_RETRY_AFTER_SECONDS: Final = 2  # PostgreSQL takes about that long to restart
_MEANINGS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[DownloadError], str], ...]] = (
    (
        asyncpg.UndefinedTableError,
        SourceError,
        "{0} has no tables for files: run 'async-downloads db init --database {0}'",
    ),
    (
        asyncpg.UndefinedColumnError,
        SourceError,
        "{0} has tables of another program, with equal names: use another database, or another schema",
    ),
    (
        (asyncpg.UntranslatableCharacterError, asyncpg.CharacterNotInRepertoireError),
        SourceError,
        "{0}: {1}: use a database with the encoding UTF8",
    ),
    (asyncpg.ReadOnlySQLTransactionError, SourceError, "{0} is read-only: {1}: name the primary server in the URL"),
    (asyncpg.UndefinedObjectError, SourceChanged, "{0}: {1}"),
    (asyncpg.DataCorruptedError, SourceChanged, "{0}: {1}"),
    (asyncpg.InsufficientPrivilegeError, Forbidden, "{0}: {1}: grant it to the user of the URL"),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        SourceError,
        "{0} denies access: {1}: correct the user or the password in the URL",
    ),
    (
        asyncpg.InvalidCatalogNameError,
        SourceError,
        "{0} does not exist: {1}: create it with createdb, or correct its name in the URL",
    ),
    (CONFLICTS, SourceBusy, "{0}: {1}"),
    (asyncpg.TooManyConnectionsError, SourceBusy, "{0} has no free connection: {1}"),
    (asyncpg.CannotConnectNowError, SourceBusy, "{0} accepts no connections at the moment: {1}"),
    (TimeoutError, SourceBusy, "{0} did not respond in time: check that its server is running"),
    (asyncpg.PostgresConnectionError, SourceBusy, "{0}: the connection was lost: {1}"),
    (asyncpg.QueryCanceledError, SourceBusy, "{0} did not finish the request: {1}"),
    (asyncpg.OperatorInterventionError, SourceBusy, "{0} ended the connection: {1}"),
    ((asyncpg.InterfaceError, asyncpg.InternalClientError), SourceBusy, "{0}: the connection was lost: {1}"),
    (OSError, SourceBusy, "{0} cannot be reached: {1}: start its server, or correct the host and the port in the URL"),
)


def redacted(dsn: str) -> str:
    """Return the URL without its password, to show it in messages.

    >>> redacted("postgresql://me:p/w@d?#@db:5432/files?sslmode=require&password=p&host=%2Ftmp")
    'postgresql://me@db:5432/files?host=%2Ftmp'
    >>> redacted("postgresql:///files"), redacted("postgresql://me@/files?password=a@b")
    ('postgresql:///files', 'the PostgreSQL database')
    """
    found = _URL.fullmatch(dsn)
    if not found:
        return "the PostgreSQL database"
    scheme, user, _, place, query = found.groups()
    shown = urlencode([(name, value) for name, value in parse_qsl(query or "") if name in _SHOWN_PARAMETERS])
    return "".join([scheme, f"{user}@" if user is not None else "", place, f"?{shown}" if shown else ""])


def is_unambiguous(dsn: str) -> bool:
    """Return whether the end of the password in the URL is certain, so that `redacted` cannot show a part of it.

    >>> is_unambiguous("postgresql://me:p%2Fw@db/files"), is_unambiguous("postgresql://me:p/w@db/files")
    (True, False)
    """
    found = _URL.fullmatch(dsn)
    return found is not None and not _RESERVED.search(found[3] or "")


def unreadable_url() -> SourceError:
    """Return the error for a URL that cannot be parsed. Its message does not show the URL."""
    return SourceError(
        "the URL of the database cannot be read: expected postgresql://user:password@host:port/name, with %-escapes"
    )


@contextmanager
def map_postgres_errors(database: str) -> Iterator[None]:
    """Turn an error of PostgreSQL or of its connection in the block into the DownloadError that it means.

    `database` is the redacted URL, which the message names.
    """
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        raise _error(error, database) from error


def _error(error: Exception, database: str) -> DownloadError:
    text = (getattr(error, "message", None) or _without_number(error) or type(error).__name__).partition("\n")[0]
    for kind, ours, message in _MEANINGS:
        if isinstance(error, kind):
            options = {"retry_after": _RETRY_AFTER_SECONDS} if ours is SourceBusy else {}
            return ours(message.format(database, text), **options)
    return SourceError(f"{database}: {text}")


def _without_number(error: Exception) -> str:
    """Return the text of an error. For an error of the system, it is that of its number: "Connection refused"."""
    found = _NUMBER.search(str(error)) if isinstance(error, OSError) else None
    if found:
        return os.strerror(int(found[1]))
    return getattr(error, "strerror", None) or str(error)
