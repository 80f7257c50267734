"""Fixtures for the tests of files and of SQLite."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Final

import pytest
from harness.waiting import HANGING

from async_downloads.sources.database import sqlite_schema
from async_downloads.sources.database.sqlite import SqliteStore

_READ_CHUNK: Final = [pytest.param(sqlite_schema._read_by_query, id="query")]
if sys.version_info >= (3, 11, 3):
    _READ_CHUNK.append(pytest.param(sqlite_schema._read_by_blob, id="blob"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a directory to serve, and a secret file beside it."""
    root = tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a")
    (root / "docs" / "b.txt").write_bytes(b"b")
    (root / ".hidden").write_bytes(b"hidden")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a path for a database; no file is there yet."""
    return tmp_path / "files.db"


@pytest.fixture(params=_READ_CHUNK)
def read_chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read chunks from SQLite in each way that this version of Python supports."""
    monkeypatch.setattr(sqlite_schema, "_read_chunk", request.param)


@pytest.fixture
async def fresh(path: Path) -> AsyncIterator[Callable[[], SqliteStore]]:
    """Open stores of the same file, and close them after the test. They wait long for a lock: disks may be slow."""
    async with AsyncExitStack() as stores:

        def another() -> SqliteStore:
            store = SqliteStore(str(path), patience=HANGING)
            stores.push_async_callback(store.aclose)
            return store

        yield another


@pytest.fixture
def bare(fresh: Callable[[], SqliteStore]) -> SqliteStore:
    """Return a store whose file does not exist."""
    return fresh()


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the content of an empty database. Writing it is faster than `init`, which waits for the disk."""
    path = tmp_path_factory.mktemp("sqlite") / "files.db"

    async def init() -> None:
        async with aclosing(SqliteStore(str(path))) as store:
            await store.init()

    asyncio.run(init())
    return path.read_bytes()


@pytest.fixture
def catalogue(fresh: Callable[[], SqliteStore], path: Path, initialised: bytes) -> SqliteStore:
    """Return an empty store."""
    path.write_bytes(initialised)
    return fresh()
