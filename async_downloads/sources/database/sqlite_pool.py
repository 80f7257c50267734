"""Connections to a SQLite file, each in a thread of its own."""

import asyncio
import os
import shlex
import sqlite3
import stat
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
_WAL_BYTES: Final = 64 * 1024 * 1024  # the largest size of the log file after its content was moved into the database
_LEAST_FREE_BYTES: Final = 1024 * 1024  # to remove a file: five pages of 64 KiB in the log, and the index of the log
_CACHE_KIB: Final = 512  # of pages: all chunks pass through this cache, so it must fit into a processor's cache


class SqlitePool:
    """`count` threads that run functions with a connection to the database.

    Owner: one SqliteStore. States: open from the start; closed for ever by `close`. A thread opens its connection when
    it runs its first function. If that fails, it tries again for the next function. If another file, such as a
    backup, is moved to the path, each thread opens that one for its next function.

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
        """Return the connection of this thread. Open it if there is none, or if another file is in its place now."""
        place = _place_of(self._path, self._file)
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is not None and place not in {None, self._local.place}:
            self._connections.remove(found)
            found.close()
            found = self._local.connection = None
        if found is None:
            found = self._local.connection = _connect(self._file, self._mode, patience=self._patience)
            self._local.place = place or _place_of(self._path, self._file)
            self._connections.append(found)
        return found

    def close(self) -> None:
        """Run all waiting functions, end the threads and close their connections. A second call does nothing."""
        self._executor.shutdown()
        with self._closing:
            while self._connections:
                self._connections.pop().close()


def _place_of(path: str, file: Path) -> tuple[int, int] | None:
    """Return the device and the inode of the file; None if it is missing or may not be read.

    Raises SourceError if it is something other than a regular file: SQLite would wait for a pipe for ever.
    """
    try:
        status = os.stat(file)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None  # the mode "rwc" creates it, or SQLite reports that it cannot be opened
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path} is not a regular file: give the path of a database file")
    return status.st_dev, status.st_ino


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
    if code == sqlite3.SQLITE_CANTOPEN:
        return SourceError(_not_opened(path, file, creates=creates))
    if str(error).startswith("no such table"):
        return SourceError(_no_tables(path))
    if str(error).startswith("no such column"):
        return SourceError(f"{path} has tables of another program, with equal names: use another file")
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_disk_full(file)):
        return SourceError(f"{path}: its disk is full: delete other files ('rm' and 'db gc' need 1 MB)")
    return SourceError(f"{path}: {error}")


def _not_opened(path: str, file: Path, *, creates: bool) -> str:
    """Return why a database could not be opened, and what to do."""
    is_missing = _is_missing(file)
    if is_missing and not os.path.isdir(file.parent):
        folder = str(Path(path).parent)
        return f"there is no folder {folder}: create it with mkdir -p {shlex.quote(folder)}"
    if creates or not is_missing:
        return f"{path} cannot be opened: check its permissions and those of its folder"
    return _no_tables(path)


def _no_tables(path: str) -> str:
    return f"{path} has no tables for files: run 'async-downloads db init --database sqlite:///{quote(path)}'"


def _is_disk_full(file: Path) -> bool:
    """Return whether the disk has no room for the log and the index that SQLite makes beside a database."""
    try:
        status = os.statvfs(file.parent)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < _LEAST_FREE_BYTES


def _is_missing(file: Path) -> bool:
    """Return whether the file does not exist; False if this process may not look there."""
    try:
        file.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False
