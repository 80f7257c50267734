"""Fixtures for the tests of catalogues whose bytes are in a bucket: `url` is their database, `bucket` their bucket."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
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


@pytest.fixture
async def catalogue(bare: DatabaseCatalogue) -> DatabaseCatalogue:
    """Return a catalogue without files."""
    await bare.init()
    return bare
