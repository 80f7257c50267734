"""A catalogue in a database that only speaks PostgreSQL's protocol, with its bytes in S3, keeps the contracts.

The role may use neither large objects nor advisory locks, and every transaction is serializable, as in other databases
with this protocol.
"""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import get_args

import asyncpg
import pytest
from harness.ports import reserved_port

from async_downloads.errors import IsDirectory, NotFound, SourceChanged, SourceError
from async_downloads.sources.database.catalogue import Catalogue, Identifier
from async_downloads.sources.database.database_catalogue import DatabaseCatalogue
from async_downloads.sources.database.postgres_pool import Connections
from async_downloads.sources.database.postgres_sql import PostgresSql
from async_downloads.sources.database.sql import Transaction
from sources.contract import BrowsableContract, read, read_whole
from sources.database.blobs.bench import BlobBench, fail_after_gc, filled
from sources.database.catalogue_uploading import UploadingContract
from sources.database.catalogue_writing import WritingContract
from sources.database.uploads import SMALL, Fresh, blocks, checked, content_of


@pytest.fixture
def url(limited_postgres_url: str) -> str:
    """Return the URL of a database with limits."""
    return f"{limited_postgres_url}&default_transaction_isolation=serializable"


@pytest.fixture
def bucket(s3_url: str) -> str:
    """Return the URL of a bucket."""
    return s3_url


@pytest.fixture
async def catalogue(bare: DatabaseCatalogue) -> DatabaseCatalogue:
    """Return a catalogue without files."""
    await bare.init()
    return bare


class TestStore(BrowsableContract):
    """The contract of stores, with a folder: that of buckets has tests of its own."""

    @pytest.fixture
    def bucket(self, folder: Path) -> str:
        return f"file://{folder}"

    @pytest.fixture
    async def bench(self, catalogue: Catalogue) -> BlobBench:
        return await filled(catalogue)


class TestCatalogue(WritingContract, UploadingContract):
    """The parts of the contract of catalogues that are about the database and the bucket together."""


async def test_names_are_found_and_ordered_by_their_characters(catalogue: DatabaseCatalogue) -> None:
    names = [
        "a",
        "a/b",
        "a0",
        "a-",
        "Z",
        "é",
        "a/é",
        "\U0001f600",
        "\uffee",
        "'; drop table ad_entry",
        "x" * 1024,
        "d/" * 511 + "d",
    ]
    for name in names:
        await catalogue.put(name, blocks(name.encode()))
    assert [file.name for file in await catalogue.files()] == sorted(names)
    assert [file.name for file in await catalogue.files(3)] == sorted(names)[:3]
    assert [entry.name for entry in (await catalogue.list("a")).entries] == ["b", "é"]
    assert [await read_whole(catalogue, name) for name in names] == [name.encode() for name in names]
    for key in ("d", "d/d"):
        with pytest.raises(IsDirectory):
            await catalogue.open(key)
    for key in ("A", "a%", "_", "e"):
        with pytest.raises(NotFound):
            await catalogue.open(key)


@pytest.mark.parametrize("identifier", get_args(Identifier))
async def test_a_file_is_found_and_removed_by_its_identifier(
    catalogue: DatabaseCatalogue, identifier: Identifier
) -> None:
    public = (await catalogue.put("a.txt", blocks(SMALL))).public(identifier)
    assert await content_of(await catalogue.open_id(public, identifier)) == SMALL
    await catalogue.remove_id(public, identifier)
    with pytest.raises(NotFound):
        await catalogue.open_id(public, identifier)


async def test_many_processes_can_create_the_tables_together(fresh: Fresh) -> None:
    catalogues = [fresh() for _ in range(4)]
    await asyncio.gather(*(each.init() for each in catalogues))
    file = await catalogues[0].put("a.txt", blocks(SMALL))
    assert [await each.files() for each in catalogues] == [[file]] * 4
    assert await read_whole(catalogues[1], "a.txt") == SMALL


async def test_large_objects_and_advisory_locks_are_really_refused(url: str) -> None:
    connection = await asyncpg.connect(url)
    for function in ("lo_create(0)", "lo_get(1)", "pg_advisory_xact_lock(1)", "pg_try_advisory_lock(1)"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"select {function}")
    await connection.close()


async def test_a_bucket_without_its_server_is_an_error_but_no_damage(
    catalogue: Catalogue, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalogue.put("a.txt", blocks(SMALL))
    with reserved_port() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        other = fresh()
        source = await other.open("a.txt")
        with pytest.raises(SourceError) as raised:
            await read(source, 0, 1)
        assert not isinstance(raised.value, SourceChanged)
        with pytest.raises(SourceError):
            await checked(other)
        with pytest.raises(SourceError):
            await other.put("b.txt", blocks(SMALL))
    assert [file.name for file in await catalogue.files()] == ["a.txt"]
    assert await checked(catalogue) == ["a.txt"]


async def test_an_upload_that_gc_took_for_abandoned_fails_with_a_reason(catalogue: DatabaseCatalogue) -> None:
    await fail_after_gc(catalogue, SMALL)
    assert await catalogue.files() == []


async def test_a_transaction_that_meets_others_is_run_until_it_succeeds(url: str) -> None:
    runs = 0

    async def meet(transaction: Transaction) -> float:
        nonlocal runs
        runs += 1
        if runs < 15:
            raise asyncpg.SerializationError("another transaction was faster")
        return await transaction.now()

    async with aclosing(PostgresSql(Connections(url, size=1, patience=10, timeout=10))) as sql:
        assert await sql.write(meet) > 0
    assert runs == 15
