"""Tests of SQLite only: the file on the disk, locks, a full disk, other processes, and closing."""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest
from harness.process import descriptors, unprivileged

from async_downloads.errors import SourceBusy, SourceChanged, SourceError
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.database.sqlite import SqliteStore
from async_downloads.sources.database.sqlite_pool import map_sqlite_errors
from async_downloads.sources.database.urls import open_catalogue
from sources.contract import read, read_whole
from sources.database.sqlite_database import change, query
from sources.database.uploads import LARGE, SMALL, blocks, checked, read_rest

Fresh = Callable[[], SqliteStore]

_PUTS: Final = """
import asyncio, sys
from async_downloads.sources.database.sqlite import SqliteStore

async def data():
    for _ in range(5):
        yield sys.argv[2].encode() * 100_000

async def main():
    catalogue = SqliteStore(sys.argv[1], patience=60)  # writers wait for each other, and the disk may be slow
    for place in range(5):
        await catalogue.put(f"{sys.argv[2]}/{place}", data())
        await catalogue.put("shared", data(), replace=True)
    await catalogue.aclose()

asyncio.run(main())
"""


class TestTheFile:
    """The database file."""

    async def test_only_init_creates_the_file(self, bare: SqliteStore, path: Path) -> None:
        for attempt in (bare.open("a"), bare.put("a", blocks(SMALL)), bare.gc(0)):
            with pytest.raises(SourceError, match="db init"):
                await attempt
        assert list(path.parent.iterdir()) == []

    async def test_the_file_has_large_pages_and_a_log(self, catalogue: SqliteStore, path: Path) -> None:
        assert query(path, "pragma page_size") == 65536
        assert query(path, "pragma journal_mode") == "wal"

    async def test_a_file_with_small_pages_works(self, bare: SqliteStore, path: Path) -> None:
        with closing(sqlite3.connect(path)) as other:
            other.executescript("pragma page_size=4096; create table theirs (a)")
        await bare.init()
        await bare.put("a", blocks(LARGE))
        await bare.init()
        assert query(path, "pragma page_size") == 4096
        assert await read_whole(bare, "a") == LARGE
        assert await checked(bare) == ["a"]

    async def test_stores_may_initialise_the_file_concurrently(self, fresh: Fresh) -> None:
        stores = [fresh() for _ in range(4)]
        await asyncio.gather(*(store.init() for store in stores))
        await stores[0].put("a", blocks(SMALL))
        assert await checked(stores[3]) == ["a"]

    async def test_foreign_tables_are_kept(self, bare: SqliteStore, path: Path) -> None:
        change(path, "create table theirs (a)")
        with pytest.raises(SourceError, match="has no tables for files"):
            await bare.files()
        await bare.init()
        await bare.put("a", blocks(SMALL))
        assert query(path, "select count(*) from theirs") == 0

    async def test_a_file_that_is_not_a_database_is_reported(self, bare: SqliteStore, path: Path) -> None:
        path.write_bytes(LARGE)
        for attempt in (bare.files(), bare.put("a", blocks(SMALL)), bare.init()):
            with pytest.raises(SourceError, match=r"\A.*file is not a database\Z"):
                await attempt
        assert path.read_bytes() == LARGE

    async def test_a_directory_is_reported(self, path: Path) -> None:
        async with aclosing(SqliteStore(str(path.parent))) as store:
            with pytest.raises(SourceError, match=path.parent.name):
                await store.files()

    async def test_a_folder_that_cannot_be_written_is_reported(self, tmp_path: Path) -> None:
        path = tmp_path / "closed" / "files.db"
        path.parent.mkdir(mode=0o555)
        async with aclosing(SqliteStore(str(path))) as store:
            with unprivileged(), pytest.raises(SourceError, match="cannot be opened: check its permissions"):
                await store.init()

    async def test_an_unreadable_file_is_not_reported_as_missing(self, catalogue: SqliteStore, path: Path) -> None:
        await catalogue.aclose()
        path.chmod(0)
        async with aclosing(SqliteStore(str(path))) as store:
            with unprivileged(), pytest.raises(SourceError) as raised:
                await store.files()
        assert "db init" not in str(raised.value)

    @pytest.mark.parametrize("name", ["a b.db", "ä?b#c%20.db", "%2e.db", "a;b&c=d.db"])
    async def test_every_path_is_possible(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        async with aclosing(SqliteStore(str(path))) as store:
            with pytest.raises(SourceError) as raised:
                await store.files()
            await store.init()
            await store.put("a", blocks(SMALL))
        assert path.is_file()
        url = str(raised.value).partition("--database ")[2].rstrip("'")
        async with aclosing(open_catalogue(url)) as again:
            assert await read_whole(again, "a") == SMALL

    async def test_a_catalogue_that_is_closed_leaves_no_log(self, path: Path) -> None:
        """A log that stays takes as much of the disk as the file, and a copy of the file alone would miss it."""
        async with aclosing(open_catalogue(f"sqlite:///{path}")) as catalogue:
            await catalogue.init()
            await catalogue.put("a", blocks(LARGE))
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    async def test_a_relative_path_keeps_its_meaning(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        async with aclosing(SqliteStore("files.db")) as store:
            monkeypatch.chdir("/")
            await store.init()
        assert (tmp_path / "files.db").is_file()

    async def test_freed_space_is_used_again(self, catalogue: SqliteStore, path: Path) -> None:
        for _ in range(6):
            await catalogue.put("a", blocks(LARGE), replace=True)
            await catalogue.gc(0)
        assert await catalogue.gc(0) == 0
        assert query(path, "select count(*) from version") == 1
        assert int(str(query(path, "pragma page_count"))) * 65536 < 3 * len(LARGE)

    async def test_gc_shrinks_the_file_and_needs_less_room_than_it_frees(
        self, catalogue: SqliteStore, path: Path
    ) -> None:
        await catalogue.put("small", blocks(SMALL))
        await catalogue.put("large", blocks(LARGE * 4))
        await catalogue.remove("large")
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("begin")
            reader.execute("select count(*) from file").fetchone()  # from here on, the log cannot start anew
            before = os.path.getsize(f"{path}-wal")
            async with aclosing(SqliteStore(str(path), patience=0.01)) as store:
                assert await store.gc(0) == 4 * len(LARGE)
            assert os.path.getsize(f"{path}-wal") - before < len(LARGE)
        await catalogue.gc(0)
        assert path.stat().st_size < len(LARGE)
        assert await checked(catalogue) == ["small"]


def _move(backup: Path, path: Path) -> None:
    """Move a database to a path, and delete the log of the one before: SQLite would write it into the new one."""
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()
    backup.replace(path)


class TestAnotherFile:
    """Another database that is moved to the path, such as a backup."""

    @pytest.fixture
    async def backup(self, tmp_path: Path) -> Path:
        """Another database, whose versions have the same numbers and sizes."""
        async with aclosing(SqliteStore(str(tmp_path / "backup.db"))) as store:
            await store.init()
            await store.put("a", blocks(LARGE[::-1]))
        return tmp_path / "backup.db"

    async def test_its_bytes_are_never_mixed_into_a_download(
        self, catalogue: SqliteStore, path: Path, backup: Path
    ) -> None:
        await catalogue.put("a", blocks(LARGE))
        received = bytearray()
        async with aclosing((await catalogue.open("a")).read(ByteRange(0, len(LARGE)))) as chunks:
            received += await anext(chunks)
            _move(backup, path)
            with pytest.raises(SourceChanged, match="was deleted"):
                await read_rest(chunks, received)
        assert LARGE.startswith(received)
        assert await read_whole(catalogue, "a") == LARGE[::-1]

    async def test_an_upload_does_not_continue_in_it(self, catalogue: SqliteStore, path: Path, backup: Path) -> None:
        async def moving() -> AsyncIterator[bytes]:
            yield bytes(9 * 1024 * 1024)
            _move(backup, path)
            yield b"end"

        with pytest.raises(SourceError, match="deleted before its upload was complete"):
            await catalogue.put("b", moving())
        assert await checked(catalogue) == ["a"]


class TestNoDatabase:
    """Paths at which no database can be, for the catalogue that any URL names."""

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            pytest.param("pipe", "pipe is not a regular file", id="a pipe, for which SQLite would wait for ever"),
            pytest.param("", "is not a regular file: give the path of a database file", id="a folder"),
            pytest.param("a%00b", "embedded null", id="a null byte"),
            pytest.param("x" * 300, "File name too long", id="a long name"),
        ],
    )
    async def test_another_path_is_an_error_of_one_line(self, tmp_path: Path, name: str, message: str) -> None:
        os.mkfifo(tmp_path / "pipe")
        async with aclosing(open_catalogue(f"sqlite:///{tmp_path}/{name}")) as catalogue:
            for attempt in (catalogue.init, catalogue.files):
                with pytest.raises(SourceError, match=message) as caught:
                    await attempt()
                assert "\n" not in str(caught.value)

    async def test_tables_of_another_program_are_left_alone(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as other:
            other.execute("create table file (x)")
            other.execute("create table version (y)")
        async with aclosing(open_catalogue(f"sqlite:///{path}")) as catalogue:
            for attempt in (catalogue.init, catalogue.files):
                with pytest.raises(SourceError, match="tables of another program"):
                    await attempt()


class TestLocksAndSpace:
    """Locks of other connections, and a full disk."""

    async def test_a_long_lock_makes_writers_raise_source_busy(self, catalogue: SqliteStore, path: Path) -> None:
        await catalogue.put("a", blocks(SMALL))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            async with aclosing(SqliteStore(str(path), patience=0.01)) as store:
                for attempt in (store.put("b", blocks(SMALL)), store.remove("a"), store.gc(0)):
                    with pytest.raises(SourceBusy, match="locked"):
                        await attempt
                assert await read_whole(store, "a") == SMALL
            other.execute("rollback")
        assert await checked(catalogue) == ["a"]

    async def test_a_writer_waits_for_a_short_lock(self, catalogue: SqliteStore, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            putting = asyncio.create_task(catalogue.put("a", blocks(SMALL)))
            await asyncio.sleep(0)
            other.execute("rollback")
            await putting
        assert await checked(catalogue) == ["a"]

    async def test_a_full_disk_leaves_no_partial_file(self, catalogue: SqliteStore, path: Path) -> None:
        before = await catalogue.put("a", blocks(SMALL))
        pages = int(str(query(path, "pragma page_count"))) + len(LARGE) // 65536 + 40
        await catalogue._writer.run(lambda writer: writer.execute(f"pragma max_page_count={pages}").fetchall())
        for name in ("a", "b"):
            with pytest.raises(SourceError, match="disk is full: delete other files"):
                await catalogue.put(name, blocks(LARGE * 4), replace=True)
        assert await catalogue.files() == [before]
        await catalogue.gc(0)
        await catalogue.put("b", blocks(LARGE))
        assert await checked(catalogue) == ["a", "b"]

    @pytest.mark.parametrize(("free", "message"), [(0, "disk is full: delete other files"), (1_000_000, "I/O error")])
    def test_an_error_of_the_disk_says_whether_it_is_full(
        self, path: Path, free: int, message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without room for its index, SQLite reports only an I/O error."""
        status = os.statvfs(path.parent)
        fields = {"f_bavail": free, "f_frsize": status.f_frsize}
        monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**fields))
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        with pytest.raises(SourceError, match=message), map_sqlite_errors("files.db", path, creates=False):
            raise error

    async def test_stalled_downloads_hold_no_transaction(self, catalogue: SqliteStore, path: Path) -> None:
        await catalogue.put("a", blocks(LARGE))
        source = await catalogue.open("a")
        stalled = [source.read(ByteRange(place, len(LARGE))) for place in range(10)]
        for chunks in stalled:
            await anext(chunks)
        await catalogue.put("b", blocks(LARGE))
        assert query(path, "pragma wal_checkpoint(truncate)") == 0
        assert Path(f"{path}-wal").stat().st_size == 0
        for chunks in stalled:
            await chunks.aclose()

    async def test_several_processes_may_put_concurrently(self, catalogue: SqliteStore, path: Path) -> None:
        command = (sys.executable, "-c", _PUTS, str(path))
        processes = [await asyncio.create_subprocess_exec(*command, name) for name in "xyz"]
        for place in range(10):
            await catalogue.put(f"a/{place}", blocks(LARGE))
            await catalogue.gc(3600)
        assert [await process.wait() for process in processes] == [0, 0, 0]
        assert len(await checked(catalogue)) == 1 + 10 + 3 * 5


class TestClosing:
    """Closing ends threads, connections and descriptors."""

    async def test_close_releases_everything(self, bare: SqliteStore, path: Path) -> None:
        await bare.init()
        await bare.put("a", blocks(LARGE))
        await asyncio.gather(*(read_whole(bare, "a") for _ in range(20)))
        await bare.aclose()
        assert descriptors(path) == {}
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("sqlite-")] == []
        assert os.listdir(path.parent) == [path.name]

    async def test_a_closed_store_says_so(self, catalogue: SqliteStore) -> None:
        file = await catalogue.put("a", blocks(LARGE))
        source = await catalogue.open("a")
        await catalogue.aclose()
        for attempt in (catalogue.open("a"), catalogue.remove("a"), read(source, 0, file.size)):
            with pytest.raises(SourceError, match="is closed"):
                await attempt

    async def test_a_cancelled_close_still_closes(self, catalogue: SqliteStore, path: Path) -> None:
        await catalogue.put("a", blocks(LARGE))
        first = asyncio.create_task(catalogue.aclose())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await catalogue.aclose()
        assert descriptors(path) == {}
