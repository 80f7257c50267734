"""What the tests of files, and those of SQLite, share."""

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

_WAYS: Final = [pytest.param(sqlite_schema._read_by_query, id="query")]
if sys.version_info >= (3, 11, 3):
    _WAYS.append(pytest.param(sqlite_schema._read_by_blob, id="blob"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory to serve, beside a secret."""
    root = tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a")
    (root / "docs" / "b.txt").write_bytes(b"b")
    (root / ".hidden").write_bytes(b"hidden")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be; nothing is there yet."""
    return tmp_path / "files.db"


@pytest.fixture(params=_WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the chunks of SQLite in each way that this Python has."""
    monkeypatch.setattr(sqlite_schema, "_read_chunk", request.param)


@pytest.fixture
async def fresh(path: Path) -> AsyncIterator[Callable[[], SqliteStore]]:
    """Open stores of the same file, which wait for each other however slow the disk is; they are closed in the end."""
    async with AsyncExitStack() as stores:

        def another() -> SqliteStore:
            store = SqliteStore(str(path), patience=HANGING)
            stores.push_async_callback(store.aclose)
            return store

        yield another


@pytest.fixture
def bare(fresh: Callable[[], SqliteStore]) -> SqliteStore:
    """Return a store without a database."""
    return fresh()


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What is in an empty store's file: to write that takes no waiting for the disk."""
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
