"""Databases for the tests of the command, and access to their files."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.database.catalogue import Catalogue, StoredFile
from async_downloads.sources.database.urls import open_catalogue
from tools.command import finished

__all__ = ["content", "database", "failure", "fill", "opened", "postgres", "ran", "sqlite", "stored"]


@pytest.fixture
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of an SQLite database without files."""
    url = f"sqlite:///{tmp_path_factory.mktemp('database')}/files.db"
    asyncio.run(_init(url))
    return url


@pytest.fixture
def postgres(postgres_url: str) -> str:
    """The URL of a PostgreSQL database without files."""
    asyncio.run(_init(postgres_url))
    return postgres_url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a database of each kind, without files."""
    url: str = request.getfixturevalue(request.param)
    return url


async def _init(url: str) -> None:
    async with opened(url) as catalogue:
        await catalogue.init()


def ran(
    *arguments: object, url: str, cwd: Path | None = None, stdin: int = subprocess.DEVNULL, env: Mapping[str, str] = {}
) -> str:
    """Run a command with a database; it must succeed. Return its standard output."""
    ended = finished(*arguments, env={"ASYNC_DOWNLOADS_DATABASE": url, **env}, cwd=cwd, stdin=stdin)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


def failure(*arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command that must fail, with file modes applied; return its one line of error."""
    ended = finished(*arguments, cwd=cwd, env=env, obey_modes=True)
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    line, end, more = ended.stderr.partition("\n")
    assert (end, more) == ("\n", "")
    return line


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Catalogue]:
    """The catalogue of a database until the end of the block."""
    async with aclosing(open_catalogue(url)) as catalogue:
        yield catalogue


async def fill(url: str, **files: bytes) -> dict[str, StoredFile]:
    """Put files into a database, by name."""

    async def data(whole: bytes) -> AsyncIterator[bytes]:
        yield whole

    async with opened(url) as catalogue:
        return {name: await catalogue.put(name, data(whole)) for name, whole in files.items()}


async def stored(url: str) -> dict[str, StoredFile]:
    """Return the files of a database by name."""
    async with opened(url) as catalogue:
        return {file.name: file for file in await catalogue.files()}


async def content(url: str, name: str) -> bytes:
    """Return the bytes of a file."""
    async with opened(url) as catalogue, aclosing(await catalogue.open(name)) as source:
        span = ByteRange(0, source.representation.size or 0)
        async with aclosing(source.read(span)) as chunks:
            return b"".join([chunk async for chunk in chunks])
