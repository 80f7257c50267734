"""PostgresStore keeps the contracts of stores and of catalogues, with a real PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from harness.waiting import HANGING

from async_downloads.errors import SourceChanged, SourceError
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.database.postgres import PostgresStore
from sources.contract import CONTENTS, BrowsableContract, read_whole
from sources.database.catalogue_contract import CatalogueContract
from sources.database.uploads import LARGE, blocks, checked, read_rest


@pytest.fixture
def url(postgres_url: str) -> str:
    """Return the URL of the database of this test."""
    return postgres_url


@pytest.fixture
async def fresh(url: str) -> AsyncIterator[Callable[[], PostgresStore]]:
    """Return a function that opens the database again; the stores are closed after the test."""
    opened: list[PostgresStore] = []

    def another() -> PostgresStore:
        opened.append(PostgresStore(url, patience=HANGING))
        return opened[-1]

    yield another
    for store in opened:
        await store.aclose()


@pytest.fixture
async def bare(fresh: Callable[[], PostgresStore]) -> PostgresStore:
    """Open the database, which has no tables."""
    return fresh()


@pytest.fixture
async def catalogue(bare: PostgresStore) -> PostgresStore:
    """Open the database and create the tables."""
    await bare.init()
    return bare


@dataclass
class PostgresBench:
    """A store whose files are replaced through the store."""

    store: PostgresStore

    async def put(self, key: str, data: bytes) -> None:
        await self.store.put(key, blocks(data), replace=True)

    async def remove(self, key: str) -> None:
        await self.store.remove(key)


class TestPostgresStore(BrowsableContract):
    """The contract of stores."""

    @pytest.fixture
    async def bench(self, catalogue: PostgresStore) -> PostgresBench:
        for name, data in CONTENTS.items():
            await catalogue.put(name, blocks(data, 1024 * 1024))
        return PostgresBench(catalogue)


class TestPostgresCatalogue(CatalogueContract):
    """The contract of catalogues."""


async def test_tables_of_another_program_are_left_alone(bare: PostgresStore) -> None:
    await bare.connections.run(lambda connection: connection.execute("create table ad_file (x int)"))
    with pytest.raises(SourceError, match="tables of another program"):
        await bare.init()


async def test_a_standby_says_that_it_is_read_only(catalogue: PostgresStore, url: str) -> None:
    await catalogue.put("a", blocks(b"a"))
    standby = PostgresStore(f"{url}&default_transaction_read_only=on")
    assert [file.name for file in await standby.files()] == ["a"]
    for attempt in (standby.init(), standby.remove("a"), standby.put("b", blocks(b"b"))):
        with pytest.raises(SourceError, match=r"is read-only: .*: name the primary server in the URL"):
            await attempt
    await standby.aclose()


async def _restore(store: PostgresStore, data: bytes) -> None:
    """Replace all tables, as a restored backup does. Its versions have the same numbers."""
    drop = "select lo_unlink(lo) from ad_version; drop table ad_file, ad_version"
    await store.connections.run(lambda connection: connection.execute(drop))
    await store.init()
    await store.put("a", blocks(data))


async def test_a_download_gets_no_bytes_of_a_restored_database(catalogue: PostgresStore) -> None:
    await catalogue.put("a", blocks(LARGE))
    received = bytearray()
    async with aclosing((await catalogue.open("a")).read(ByteRange(0, len(LARGE)))) as chunks:
        received += await anext(chunks)
        await _restore(catalogue, LARGE[::-1])
        with pytest.raises(SourceChanged, match="was deleted"):
            await read_rest(chunks, received)
    assert LARGE.startswith(received)
    assert await read_whole(catalogue, "a") == LARGE[::-1]


async def test_an_upload_does_not_continue_in_a_restored_database(catalogue: PostgresStore) -> None:
    async def restoring() -> AsyncIterator[bytes]:
        yield bytes(2 * 1024 * 1024)
        await _restore(catalogue, LARGE)
        yield bytes(2 * 1024 * 1024)

    with pytest.raises(SourceError, match="deleted before its upload was complete"):
        await catalogue.put("b", restoring())
    assert await checked(catalogue) == ["a"]
