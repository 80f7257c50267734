"""PostgresStore reports a server that is stopped, frozen, full or denies access, and recovers afterwards."""

import asyncio
import os
import signal
import socket
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from random import Random
from typing import Final

import asyncpg
import pytest
from harness.clock import Clock
from harness.pgbouncer import pgbouncer
from harness.postgres import Postgres, schema_of_its_own
from harness.waiting import HANGING
from tools.programs import need

from async_downloads.errors import NotFound, SourceBusy, SourceError
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.database.catalogue import CHUNK_BYTES
from async_downloads.sources.database.postgres import PostgresStore
from async_downloads.sources.database.urls import open_catalogue
from sources.contract import read, read_whole
from sources.database.uploads import blocks

DATA: Final = Random(7).randbytes(12 * CHUNK_BYTES)
_BACKENDS: Final = "select pid from pg_stat_activity where application_name = 'async-downloads'"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Start a server that a test may stop, even if the environment provides another server."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def url(server: Postgres) -> AsyncIterator[str]:
    """Return the URL of a schema on the server."""
    async with schema_of_its_own(server.url) as url:
        yield url


@pytest.fixture
async def store(server: Postgres) -> AsyncIterator[PostgresStore]:
    """Open the database of the server, and put one file."""
    async with aclosing(PostgresStore(server.url, patience=HANGING, timeout=HANGING)) as store:
        await store.init()
        await store.put("a.bin", blocks(DATA), replace=True)
        yield store


async def test_a_download_whose_server_does_not_come_back_fails_and_the_next_succeeds(server: Postgres) -> None:
    async with aclosing(PostgresStore(server.url, patience=HANGING, timeout=1)) as store:
        await store.init()
        await store.put("a.bin", blocks(DATA), replace=True)
        source = await store.open("a.bin")
        async with aclosing(source.read(ByteRange(0, len(DATA)))) as chunks:
            received = [await anext(chunks)]
            server.stop()
            with pytest.raises(SourceBusy):
                await take(chunks, received)
        with pytest.raises(SourceBusy, match="cannot be reached") as refused:
            await store.open("a.bin")
        assert refused.value.retry_after > 0
        assert len(received) < 12
        assert DATA.startswith(b"".join(received))
        server.start()
        assert await read_whole(store, "a.bin") == DATA


async def test_a_running_download_survives_a_restart(server: Postgres, store: PostgresStore) -> None:
    source, received = await store.open("a.bin"), [b""]
    async with aclosing(source.read(ByteRange(0, len(DATA)))) as chunks:
        received = [await anext(chunks)]
        await asyncio.to_thread(server.stop)
        taking = asyncio.create_task(take(chunks, received))
        await asyncio.to_thread(server.start)
        await taking
    assert b"".join(received) == DATA


@pytest.mark.parametrize("noticed", [True, False], ids=["the loop has run", "the loop has not run"])
async def test_a_running_download_survives_the_end_of_its_backends(
    server: Postgres, store: PostgresStore, noticed: bool
) -> None:
    source = await store.open("a.bin")
    async with aclosing(source.read(ByteRange(0, len(DATA)))) as chunks:
        received = [await anext(chunks)]
        await asyncio.sleep(0)
        administrator = await asyncpg.connect(server.url)
        ended = [row["pid"] for row in await administrator.fetch(_BACKENDS)]
        for pid in ended:
            os.kill(pid, signal.SIGTERM)  # as pg_terminate_backend does
        while noticed and await administrator.fetch(_BACKENDS):
            pass
        await administrator.close()
        await take(chunks, received)
    assert ended
    assert b"".join(received) == DATA


async def test_a_request_that_takes_too_long_for_the_server_is_not_called_a_lost_connection(
    server: Postgres, store: PostgresStore
) -> None:
    administrator = await asyncpg.connect(server.url)
    limited = PostgresStore(f"{server.url}&statement_timeout=50", patience=HANGING, timeout=HANGING)
    async with aclosing(limited), administrator.transaction():
        await administrator.execute("lock table ad_file in access exclusive mode")
        with pytest.raises(SourceBusy, match=r"did not finish the request: .* statement timeout"):
            await limited.open("a.bin")
    await administrator.close()
    assert await read_whole(store, "a.bin") == DATA


async def test_a_pooler_of_transactions_is_enough(server: Postgres, store: PostgresStore) -> None:
    with pgbouncer(need("pgbouncer"), server, connections=3) as url:
        async with AsyncExitStack() as stores:
            pooled = [await stores.enter_async_context(aclosing(PostgresStore(url))) for _ in range(2)]
            for _ in range(2):
                assert await asyncio.gather(*(read_whole(each, "a.bin") for each in pooled * 4)) == [DATA] * 8
            await asyncio.gather(*(each.put(f"{n}.bin", blocks(DATA)) for n, each in enumerate(pooled)))
            await asyncio.gather(*(each.put("1.bin", blocks(DATA[:9]), replace=True) for each in pooled))
            names = [[file.name for file in await each.files()] for each in pooled]
            assert names == [["0.bin", "1.bin", "a.bin"]] * 2
            assert await read_whole(pooled[0], "1.bin") == DATA[:9]


async def test_an_idle_download_survives_a_restart(server: Postgres, store: PostgresStore) -> None:
    source = await store.open("a.bin")
    async with aclosing(source.read(ByteRange(0, CHUNK_BYTES))) as chunks:
        assert await anext(chunks) == DATA[:CHUNK_BYTES]
        server.stop()
        server.start()
    await (await asyncpg.connect(server.url)).close()  # until then the event loop has noticed the lost connection
    assert await read(source, CHUNK_BYTES, len(DATA)) == DATA[CHUNK_BYTES:]


async def test_a_frozen_server_does_not_block_a_download_for_ever(server: Postgres, clock: Clock) -> None:
    async with aclosing(PostgresStore(server.url, patience=HANGING)) as store:
        await store.init()
        await store.put("a.bin", blocks(DATA), replace=True)
        source = await store.open("a.bin")
        administrator = await asyncpg.connect(server.url)
        frozen = [row["pid"] for row in await administrator.fetch(_BACKENDS)]
        async with aclosing(source.read(ByteRange(0, len(DATA)))) as chunks:
            await anext(chunks)
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            try:
                taking = asyncio.create_task(take(chunks, []))
                while not taking.done():
                    clock.forward(1)
                    await asyncio.sleep(0)
                with pytest.raises(SourceError, match="did not respond in time"):
                    await taking
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)
        await administrator.close()
        assert await read_whole(store, "a.bin") == DATA


async def test_a_wrong_password_is_reported(server: Postgres) -> None:
    administrator = await asyncpg.connect(server.url)
    await administrator.execute("create role locked login password 'secret'")
    await administrator.close()
    by_password = server.url.replace("postgres@", "locked:{}@")
    line = await refusal(by_password.format("hunter2"))
    assert line.startswith(f"postgresql://locked@/postgres?host={server.folder}".replace("/tmp/", "%2Ftmp%2F"))
    assert 'denies access: password authentication failed for user "locked": correct the user or the password' in line
    async with aclosing(PostgresStore(by_password.format("secret"))) as store:
        with pytest.raises(NotFound):
            await store.large_object(1, name="a")


async def test_a_missing_database_is_named(server: Postgres) -> None:
    line = await refusal(server.url.replace("/postgres?", "/files?"))
    assert 'database "files" does not exist: create it with createdb, or correct its name in the URL' in line


async def test_a_missing_server_is_reported_with_its_address(server: Postgres) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        line = await refusal(f"postgresql://me:hunter2@127.0.0.1:{port}/files")
    assert line.startswith(f"postgresql://me@127.0.0.1:{port}/files cannot be reached: Connection refused: ")
    assert line.endswith("start its server, or correct the host and the port in the URL")


async def test_a_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:hunter2@127.0.0.1:{silent.getsockname()[1]}/files?sslmode=disable"
        assert "did not respond in time" in await refusal(url, patience=0.2)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@host:port/files",
        "postgresql://me:1/hunter2@host/files",
        "postgresql://me:[hunter2@host/files",
        "postgresql://me@host/files?sslmode=hunter2",
    ],
)
async def test_an_unreadable_url_is_not_shown(url: str) -> None:
    assert "the URL of the database cannot be read: expected postgresql://user:password@" in await refusal(url)


async def test_a_full_server_raises_source_busy(server: Postgres) -> None:
    administrator = await asyncpg.connect(server.url)
    await administrator.execute("create role many login connection limit 0")
    await administrator.close()
    async with aclosing(PostgresStore(server.url.replace("postgres@", "many@"))) as store:
        with pytest.raises(SourceBusy, match="has no free connection: too many connections for role"):
            await store.files()


async def test_a_closed_store_says_so(url: str) -> None:
    store = PostgresStore(url)
    await store.aclose()
    with pytest.raises(SourceError, match="was closed"):
        await store.files()


async def test_a_download_from_a_bucket_needs_no_database(server: Postgres, tmp_path: Path) -> None:
    administrator = await asyncpg.connect(server.url)
    await administrator.execute("create database outside")
    await administrator.close()
    url = server.url.replace("@/postgres", "@/outside")
    async with aclosing(open_catalogue(url, blobs=f"file://{tmp_path}")) as catalogue:
        await catalogue.init()
        await catalogue.put("a.bin", blocks(DATA))
        source = await catalogue.open("a.bin")
        async with aclosing(source.read(ByteRange(0, len(DATA)))) as chunks:
            received = [await anext(chunks)]
            await asyncio.to_thread(server.stop)
            with pytest.raises(SourceBusy):
                await catalogue.open("a.bin")
            received += [chunk async for chunk in chunks]
        await asyncio.to_thread(server.start)
        assert b"".join(received) == await read_whole(catalogue, "a.bin") == DATA


async def take(chunks: AsyncIterator[bytes], received: list[bytes]) -> None:
    """Append all chunks to `received`."""
    async for chunk in chunks:
        received += [chunk]


async def refusal(url: str, *, patience: float = HANGING) -> str:
    """Return the error message of a database that cannot be used; check that no traceback shows the password."""
    async with aclosing(PostgresStore(url, patience=patience)) as store:
        with pytest.raises(SourceError) as raised:
            await store.files()
    assert type(raised.value) in {SourceError, SourceBusy}
    assert "\n" not in str(raised.value)
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))
    return str(raised.value)
