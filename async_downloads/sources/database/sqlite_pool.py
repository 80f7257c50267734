"""Connections to a SQLite file, each in a thread of its own."""

import asyncio
import os
import shlex
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar
from urllib.parse import quote

from ...errors import SourceBusy, SourceError
from ...threads import raise_mmap_threshold

__all__ = ["SqlitePool", "map_sqlite_errors"]


P = ParamSpec("P")
T = TypeVar("T")
_Mode = Literal["ro", "rw", "rwc"]
_NO_TABLES: Final = ("no such table", "no such column")
_WAL_BYTES: Final = 64 * 1024 * 1024  # the largest size of the log file after its content was moved into the database
_CACHE_KIB: Final = 512  # of pages: all chunks pass through this cache, so it must fit into a processor's cache


class SqlitePool:
    """`count` threads that run functions with a connection to the database.

    Owner: one SqliteStore. States: open from the start; closed for ever by `close`. A thread opens its connection when
    it runs its first function. If that fails, it tries again for the next function.

    A function is one transaction. Cancelling the future of `run` removes a waiting function from the queue
    (`threads.in_thread` would not do that). A running function continues to its end.

    `close` holds the lock while it closes the connections, so a second `close` waits for the first.
    """

    def __init__(self, path: str, file: Path, mode: _Mode, *, count: int, patience: float) -> None:
        self._path = path  # as the caller wrote it, for messages
        self._file = file
        self._mode: _Mode = mode
        self._patience = patience
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._closing = threading.Lock()
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=f"sqlite-{mode}")
        raise_mmap_threshold()

    def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "asyncio.Future[T]":
        """Run the function in the next free thread. The future raises SourceError for an error of SQLite."""
        try:
            return asyncio.wrap_future(self._executor.submit(self._run_in_thread, function, *args, **kwargs))
        except RuntimeError as error:
            raise SourceError(f"{self._path} is closed") from error

    def _run_in_thread(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with map_sqlite_errors(self._path, self._file, creates=self._mode == "rwc"):
            return function(self._connection(), *args, **kwargs)

    def _connection(self) -> sqlite3.Connection:
        """Return the connection of this thread. Open it if necessary."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = _connect(self._file, self._mode, patience=self._patience)
            self._connections.append(found)
        return found

    def close(self) -> None:
        """Run all waiting functions, end the threads and close their connections. A second call does nothing."""
        self._executor.shutdown()
        with self._closing:
            while self._connections:
                self._connections.pop().close()


def _connect(path: Path, mode: _Mode, *, patience: float) -> sqlite3.Connection:
    """Open a database file; only the mode "rwc" creates it. Statements wait up to `patience` seconds for a lock."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=patience,
        isolation_level=None,  # only an explicit `begin` opens a transaction
        check_same_thread=False,  # `close` runs in another thread
    )
    try:
        if mode == "ro":
            connection.execute(f"pragma cache_size=-{_CACHE_KIB}")
        else:
            connection.executescript(f"pragma synchronous=full; pragma journal_size_limit={_WAL_BYTES}")
            # On some systems SQLite overwrites deleted bytes by default: `gc` would then need as much space as it
            # frees.
            connection.execute("pragma secure_delete=fast")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def map_sqlite_errors(path: str, file: Path, *, creates: bool) -> Iterator[None]:
    """Turn an error of SQLite in the block into the SourceError that it means. The message names `path`.

    `creates` says that the block creates the file if it does not exist.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _error(error, path, file, creates=creates) from error


def _error(error: sqlite3.Error, path: str, file: Path, *, creates: bool) -> SourceError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # the primary code of an extended code
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return SourceBusy(f"{path}: {error}")
    if code == sqlite3.SQLITE_CANTOPEN and not os.path.isdir(file.parent) and _is_missing(file):
        folder = str(Path(path).parent)
        return SourceError(f"there is no folder {folder}: create it with mkdir -p {shlex.quote(folder)}")
    if code == sqlite3.SQLITE_CANTOPEN and (creates or not _is_missing(file)):
        return SourceError(f"{path} cannot be opened: check its permissions and those of its folder")
    if code == sqlite3.SQLITE_CANTOPEN or str(error).startswith(_NO_TABLES):
        command = f"async-downloads db init --database sqlite:///{quote(path)}"
        return SourceError(f"{path} has no tables for files: run '{command}'")
    return SourceError(f"{path}: {error}")


def _is_missing(file: Path) -> bool:
    """Return whether the file does not exist; False if this process may not look there."""
    try:
        file.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False
