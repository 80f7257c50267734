"""Fixtures for the tests of catalogues whose bytes are in a bucket: `url` is their database, `bucket` their bucket."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, closing
from pathlib import Path

import pytest

from async_downloads.sources.database.database_catalogue import DatabaseCatalogue
from async_downloads.sources.database.urls import open_catalogue
from sources.database.uploads import Fresh


@pytest.fixture
def url(path: Path) -> str:
    """Return the URL of a SQLite database."""
    return f"sqlite:///{path}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that is the bucket."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    return folder


@pytest.fixture
def bucket(folder: Path) -> str:
    """Return the URL of the folder."""
    return f"file://{folder}"


@pytest.fixture
async def fresh(url: str, bucket: str) -> AsyncIterator[Fresh]:
    """Open the database again, as a new catalogue, and close all of them after the test."""
    async with AsyncExitStack() as opened:

        def another() -> DatabaseCatalogue:
            catalogue = open_catalogue(url, blobs=bucket)
            opened.push_async_callback(catalogue.aclose)
            return catalogue

        yield another


@pytest.fixture
def bare(fresh: Fresh) -> DatabaseCatalogue:
    """Return a catalogue whose database has no tables."""
    catalogue = fresh()
    assert isinstance(catalogue, DatabaseCatalogue)
    return catalogue


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the content of an empty database. Writing it is faster than `init`, which waits for the disk."""
    folder = tmp_path_factory.mktemp("sqlite")

    async def init() -> None:
        async with aclosing(open_catalogue(f"sqlite:///{folder}/files.db", blobs=f"file://{folder}")) as catalogue:
            await catalogue.init()

    asyncio.run(init())
    return (folder / "files.db").read_bytes()


@pytest.fixture
def catalogue(bare: DatabaseCatalogue, path: Path, bucket: str, initialised: bytes) -> DatabaseCatalogue:
    """Return a catalogue without files."""
    path.write_bytes(initialised)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("pragma synchronous=off")
        connection.execute("update ad_bucket set url = ?", (bucket,))
    return bare
