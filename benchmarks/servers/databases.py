"""The large file in a database: SQLite in the scratch folder, PostgreSQL where ``BENCHMARK_POSTGRES`` says."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from async_downloads.sources.database.catalogue import Catalogue
from async_downloads.sources.database.urls import open_catalogue
from benchmarks.servers.base import Site, missing_module
from benchmarks.tree import LARGE

__all__ = ["POSTGRES", "no_postgres", "prepare_postgres", "prepare_sqlite", "sqlite_url"]

POSTGRES = "BENCHMARK_POSTGRES"  # the environment variable with the URL of a database that may be written to
PART = 1024 * 1024


def sqlite_url(scratch: Path) -> str:
    """Return where the SQLite database is."""
    return f"sqlite:///{scratch / 'files.db'}"


def no_postgres() -> str | None:
    """Return why PostgreSQL cannot take part."""
    return missing_module("asyncpg", "hypercorn") or (None if os.environ.get(POSTGRES) else f"{POSTGRES} is not set")


def prepare_sqlite(site: Site) -> None:
    """Put the large file into a new database."""
    asyncio.run(_fill(sqlite_url(site.scratch), site.directory / LARGE))


def prepare_postgres(site: Site) -> None:
    """Put the large file into the database, unless it is there."""
    asyncio.run(_fill(os.environ[POSTGRES], site.directory / LARGE))


async def _fill(url: str, path: Path) -> None:
    catalogue = open_catalogue(url)
    try:
        await catalogue.init()
        if not await _has(catalogue, path):
            await catalogue.put(LARGE, _parts(path), replace=True)
            await catalogue.gc(0)
    finally:
        await catalogue.aclose()


async def _has(catalogue: Catalogue, path: Path) -> bool:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return any(file.name == LARGE and file.sha256 == digest for file in await catalogue.files())


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PART):
            yield part
