"""Connections to a SQLite file, each in a thread of its own.

Whoever stops waiting for a thread leaves nothing behind: a function that has not begun never does, and one that has
is a whole transaction, which ends by itself.
"""

import asyncio
import os
import shlex
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar
from urllib.parse import quote

from ...errors import SourceBusy, SourceError
from ...threads import raise_mmap_threshold

__all__ = ["Mode", "SqlitePool", "connect"]


P = ParamSpec("P")
T = TypeVar("T")
Mode = Literal["ro", "rw", "rwc"]
_MISSING: Final = ("no such table", "no such column")
_WAL: Final = 64 * 1024 * 1024  # bytes that the log may keep when all of it is in the database
_CACHE: Final = 512  # KiB of pages: chunks go through it, and a processor has that much close by


class SqlitePool:
    """A few threads that run functions of a connection, which each of them opens when it first needs one."""

    def __init__(self, path: str, file: Path, mode: Mode, *, count: int, patience: float) -> None:
        self._path = path  # as it was given, for messages
        self._file = file
        self._mode: Mode = mode
        self._patience = patience
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._closing = threading.Lock()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=f"sqlite-{mode}")
        raise_mmap_threshold()

    def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "asyncio.Future[T]":
        """Run the function in the next thread that is free. The future raises `SourceError` for what SQLite says."""
        try:
            return asyncio.wrap_future(self._pool.submit(self._within, function, *args, **kwargs))
        except RuntimeError as error:
            raise SourceError(f"{self._path} is closed") from error

    def _within(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return function(self._connection(), *args, **kwargs)
        except sqlite3.Error as error:
            raise _error_for(error, self._path, self._file) from error

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection; one that cannot be had is tried for again the next time."""
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = self._own.connection = connect(self._file, self._mode, patience=self._patience)
            self._connections.append(found)
        return found

    def close(self) -> None:
        """Wait for what was asked for, end the threads and close their connections. Closing again does nothing."""
        self._pool.shutdown()
        with self._closing:  # whoever closes again waits, too, until they are closed
            while self._connections:
                self._connections.pop().close()


def connect(path: Path, mode: Mode, *, patience: float) -> sqlite3.Connection:
    """Open a file; only "rwc" creates one. What is locked is waited for, `patience` seconds at the most."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=patience,
        isolation_level=None,  # a transaction begins where it says so
        check_same_thread=False,  # it is closed when its thread has ended
    )
    try:
        if mode == "ro":
            connection.execute(f"pragma cache_size=-{_CACHE}")
        else:
            connection.executescript(f"pragma synchronous=full; pragma journal_size_limit={_WAL}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _error_for(error: sqlite3.Error, path: str, file: Path) -> SourceError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # without what it says more exactly
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return SourceBusy(f"{path}: {error}")
    if code == sqlite3.SQLITE_CANTOPEN and not os.path.isdir(file.parent) and _is_absent(file):
        folder = str(Path(path).parent)
        return SourceError(f"{folder}: no such folder (mkdir -p {shlex.quote(folder)} makes it)")
    if (code == sqlite3.SQLITE_CANTOPEN and _is_absent(file)) or str(error).startswith(_MISSING):
        command = f"async-downloads db init --database sqlite:///{quote(path)}"
        return SourceError(f"{path} has no tables for files: run '{command}'")
    return SourceError(f"{path}: {error}")


def _is_absent(file: Path) -> bool:
    """Whether there is no file; one that we may not see may be there."""
    try:
        file.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False
