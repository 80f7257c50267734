"""Large objects of files and of other tables, and connections that many readers share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from random import Random
from typing import Any, Final

import asyncpg
import pytest
from harness.clock import Clock
from harness.waiting import HANGING

from async_downloads.errors import Forbidden, NotFound, SourceBusy, SourceChanged, SourceError, SourceTruncated
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.database.catalogue import CHUNK_BYTES, Corruption
from async_downloads.sources.database.postgres import PostgresStore
from sources.contract import read, read_whole
from sources.database.uploads import blocks

DATA: Final = Random(4).randbytes(4 * CHUNK_BYTES + 7)
FAR: Final = 1024**4
LAST: Final = Random(5).randbytes(1024)
_OURS: Final = "select count(*) from pg_stat_activity where application_name = 'async-downloads'"
_BUSY: Final = f"{_OURS} and state <> 'idle'"


@pytest.fixture
async def sql(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to the database without the store."""
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """Open the database, and put one file."""
    async with aclosing(PostgresStore(postgres_url, patience=HANGING)) as store:
        await store.init()
        await store.put("a.bin", blocks(DATA))
        yield store


@pytest.fixture
async def oid(sql: asyncpg.Connection) -> AsyncIterator[int]:
    """Make a large object that belongs to no file."""
    oid: int = await sql.fetchval("select lo_from_bytea(0, $1)", DATA)
    yield oid
    await sql.execute("select lo_unlink(oid) from pg_largeobject_metadata where oid = $1", oid)


async def until(sql: asyncpg.Connection, condition: str) -> None:
    """Wait until the condition is true in the database."""
    async with asyncio.timeout(HANGING):
        while not await sql.fetchval(f"select {condition}"):
            pass


async def object_of(sql: asyncpg.Connection) -> int:
    """Return the number of the large object of the only version."""
    (row,) = await sql.fetch("select lo from ad_version")
    number: int = row["lo"]
    return number


async def test_a_reused_number_never_yields_bytes_of_another_object(
    store: PostgresStore, sql: asyncpg.Connection
) -> None:
    source, number = await store.open("a.bin"), await object_of(sql)
    await store.remove("a.bin")
    await store.gc(0)
    await sql.fetchval("select lo_from_bytea($1, $2)", number, DATA[::-1])
    with pytest.raises(SourceChanged):
        await read(source, 0, len(DATA))
    await sql.execute("select lo_unlink($1)", number)


async def test_the_end_of_a_huge_object_is_read_directly(store: PostgresStore, sql: asyncpg.Connection) -> None:
    await sql.execute("select lo_put(lo, $1, $2) from ad_version", FAR, LAST)
    await sql.execute("update ad_version set size = $1", FAR + len(LAST))
    source = await store.open("a.bin")
    async with asyncio.timeout(HANGING):  # 1 TiB would take half an hour
        assert await read(source, FAR, FAR + len(LAST)) == LAST
        assert await read(source, FAR - CHUNK_BYTES - 1, FAR + 1) == bytes(CHUNK_BYTES + 1) + LAST[:1]
        assert await read(source, 0, len(DATA)) == DATA


async def test_a_large_object_of_another_table_is_read(store: PostgresStore, sql: asyncpg.Connection, oid: int) -> None:
    await sql.execute("select lo_put($1, $2, $3)", oid, FAR, LAST)
    source = await store.large_object(oid, name="a.txt")
    described = source.representation
    assert (described.size, described.filename, described.media_type) == (
        FAR + len(LAST),
        "a.txt",
        "text/plain; charset=utf-8",
    )
    assert await read(source, FAR, FAR + len(LAST)) == LAST
    assert await read(source, 0, len(DATA)) == DATA


async def test_without_a_version_a_large_object_has_no_validator(store: PostgresStore, oid: int) -> None:
    validators = (await store.large_object(oid, name="a")).representation.validators
    assert (validators.etag, validators.last_modified) == (None, None)


async def test_a_version_or_a_digest_makes_a_strong_etag(store: PostgresStore, oid: int) -> None:
    by_version = (await store.large_object(oid, name="a", version='2026-11-21 "x"')).representation
    by_digest = (
        await store.large_object(oid, name="a", version="1", sha256=bytes(32), media_type="a/b")
    ).representation
    assert str(by_version.validators.etag) == '"2026-11-21%20%22x%22"'
    assert str(by_digest.validators.etag) == f'"{"00" * 32}"'
    assert (by_digest.digest, by_digest.media_type) == (bytes(32), "a/b")


@pytest.mark.parametrize("number", [-1, 0, 2**32 - 1, 2**32, 2**64])
async def test_an_invalid_number_of_a_large_object_is_not_found(store: PostgresStore, number: int) -> None:
    with pytest.raises(NotFound):
        await store.large_object(number, name="a")


async def test_a_large_object_that_shrinks_or_disappears_raises(
    store: PostgresStore, sql: asyncpg.Connection, oid: int
) -> None:
    source = await store.large_object(oid, name="a")
    async with sql.transaction():
        await sql.execute("select lo_truncate(lo_open($1, 131072), 10)", oid)
    with pytest.raises(SourceTruncated):
        await read(source, 0, len(DATA))
    await sql.execute("select lo_unlink($1)", oid)
    with pytest.raises(SourceChanged):
        await read(source, 0, len(DATA))


async def test_check_reports_every_corruption(store: PostgresStore, sql: asyncpg.Connection) -> None:
    for name in ("changed", "cut", "gone"):
        await store.put(name, blocks(DATA))
    numbers = dict(await sql.fetch("select name, lo from ad_file join ad_version v on v.id = version"))
    await sql.execute("select lo_put($1, 5, 'x')", numbers["changed"])
    await sql.execute("select lo_truncate(lo_open($1, 131072), 10)", numbers["cut"])
    await sql.execute("select lo_unlink($1)", numbers["gone"])
    found = [each async for each in store.check()]
    wrong = {each.file.name: each.message for each in found if isinstance(each, Corruption)}
    assert list(wrong) == ["changed", "cut", "gone"]
    assert "not those that were stored" in wrong["changed"]
    assert "ended at byte 10" in wrong["cut"]
    assert "does not exist" in wrong["gone"]
    await store.remove("gone")
    assert await store.gc(0) == len(DATA)  # the missing object does not stop `gc`


async def test_names_too_long_for_an_index_entry_are_found(store: PostgresStore) -> None:
    random = Random(6)
    folder = "".join(chr(random.randrange(0x4E00, 0x9000)) for _ in range(600))
    names = [f"{folder}/{end}" for end in ("b", "a", "a" * 400)]
    for name in names:
        await store.put(name, blocks(name.encode()))
    assert [await read_whole(store, name) for name in names] == [name.encode() for name in names]
    assert [entry.name for entry in (await store.list(folder)).entries] == ["a", "a" * 400, "b"]


async def test_two_hundred_slow_downloads_share_ten_connections(store: PostgresStore, sql: asyncpg.Connection) -> None:
    received = [bytearray() for _ in range(200)]
    async with AsyncExitStack() as stack:
        downloads = []
        for _ in received:
            source = await store.open("a.bin")
            downloads.append(await stack.enter_async_context(aclosing(source.read(ByteRange(0, len(DATA))))))
        for _ in range(-(-len(DATA) // CHUNK_BYTES)):
            for mine, chunk in zip(received, await asyncio.gather(*map(anext, downloads)), strict=True):
                mine += chunk
            await until(sql, f"0 = ({_BUSY})")  # although all downloads continue
        await until(sql, f"10 = ({_OURS})")  # connections of the previous test may still be closing
    assert received == [DATA] * 200


async def test_all_connections_are_free_after_a_thousand_cancelled_downloads(store: PostgresStore) -> None:
    source = await store.open("a.bin")
    for steps in range(20):
        reads = [asyncio.create_task(read(source, 0, len(DATA))) for _ in range(50)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in reads:
            task.cancel()
        ended = await asyncio.gather(*reads, return_exceptions=True)
        assert all(isinstance(each, (asyncio.CancelledError, bytes)) for each in ended)
    barrier = asyncio.Barrier(10)
    async with asyncio.timeout(HANGING):
        await asyncio.gather(*(store.connections.run(lambda connection: barrier.wait()) for _ in range(10)))


@asynccontextmanager
async def _waiting_for_a_lock(store: PostgresStore, sql: asyncpg.Connection) -> AsyncIterator[asyncio.Task[Any]]:
    """In the block, a task of the store waits for a lock of PostgreSQL; afterwards the store must work."""
    assert await read_whole(store, "a.bin") == DATA
    async with sql.transaction():
        await sql.execute("lock table ad_file")
        waiting = asyncio.create_task(store.open("a.bin"))
        await until(sql, "exists (select from pg_locks where not granted)")
        yield waiting
    await asyncio.wait([waiting])
    assert await read_whole(store, "a.bin") == DATA


@pytest.mark.usefixtures("store")
async def test_a_long_wait_for_a_connection_raises_source_busy(
    sql: asyncpg.Connection, postgres_url: str, clock: Clock
) -> None:
    async with (
        aclosing(PostgresStore(postgres_url, size=1, patience=1000, timeout=10_000)) as small,
        _waiting_for_a_lock(small, sql) as waiting,
    ):
        late = asyncio.create_task(small.open("a.bin"))
        for _ in range(10):  # iterations of the loop until it waits
            await asyncio.sleep(0)
        clock.forward(1001)
        with pytest.raises(SourceBusy, match="all 1 connections were in use for 1000 s") as raised:
            await late
        assert (raised.value.status, raised.value.retry_after) == (503, 1)
    assert await waiting


@pytest.mark.usefixtures("store")
async def test_a_statement_without_a_response_times_out(
    sql: asyncpg.Connection, postgres_url: str, clock: Clock
) -> None:
    async with (
        aclosing(PostgresStore(postgres_url, size=1, patience=10_000, timeout=1000)) as hasty,
        _waiting_for_a_lock(hasty, sql) as waiting,
    ):
        clock.forward(1001)
        with pytest.raises(SourceError, match="did not respond in time"):
            await waiting


async def test_an_object_that_is_not_granted_is_forbidden(
    store: PostgresStore, sql: asyncpg.Connection, oid: int, postgres_url: str
) -> None:
    role = f"role_{oid}"
    await sql.execute(f"create role {role}; grant {role} to current_user; revoke all on large object {oid} from public")
    schema = await sql.fetchval("select current_schema")
    await sql.execute(f"grant usage on schema {schema} to {role}")
    try:
        async with aclosing(PostgresStore(f"{postgres_url}&role={role}")) as stranger:
            with pytest.raises(Forbidden, match=f"permission denied for large object {oid}: grant it"):
                await stranger.large_object(oid, name="a")
            with pytest.raises(Forbidden, match="permission denied for table ad_file: grant it"):
                await stranger.open("a.bin")
    finally:
        await sql.execute(f"drop owned by {role}; drop role {role}")
