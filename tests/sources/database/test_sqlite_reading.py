"""Reading from SQLite: files over 4 GiB, corrupted files, and reading ahead."""

from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

import pytest

from async_downloads.errors import NotFound, SourceChanged
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.database.catalogue import CHUNK_BYTES, Corruption
from async_downloads.sources.database.sqlite import SqliteStore
from sources.contract import read, read_while
from sources.database.sqlite_database import change, query
from sources.database.uploads import LARGE, SMALL, blocks

pytestmark = pytest.mark.usefixtures("read_chunk")


class TestLargeFiles:
    """A file of 5 GiB of which only a few chunks exist, so that the test is fast."""

    SIZE: Final = 5 * 2**30 + 3

    async def test_any_offset_can_be_read(self, catalogue: SqliteStore, path: Path) -> None:
        file = await catalogue.put("a", blocks(SMALL))
        edge = 2**32 // CHUNK_BYTES
        change(path, "update version set size = ?", self.SIZE)
        for place, data in {
            edge - 1: b"x" * CHUNK_BYTES,
            edge: b"y" * CHUNK_BYTES,
            self.SIZE // CHUNK_BYTES: b"end",
        }.items():
            change(path, "insert into chunk values (?, ?)", file.version << 32 | place, data)
        source = await catalogue.open("a")
        assert source.representation.size == self.SIZE
        assert await read(source, 2**32 - 2, 2**32 + 2) == b"xxyy"
        assert await read(source, self.SIZE - 3, self.SIZE) == b"end"
        with pytest.raises(SourceChanged):
            await read(source, self.SIZE - 4, self.SIZE)

    async def test_gc_frees_the_whole_file_and_no_other(self, catalogue: SqliteStore, path: Path) -> None:
        file = await catalogue.put("a", blocks(SMALL))
        last = await catalogue.put("b", blocks(SMALL))
        change(path, "update version set size = ? where id = ?", self.SIZE, file.version)
        change(path, "insert into chunk values (?, ?)", (file.version << 32) + 2**32 - 1, b"its last")
        await catalogue.remove("a")
        assert await catalogue.gc(0) == self.SIZE
        assert query(path, "select count(*) from chunk") == 1
        assert (await catalogue.files()) == [last]

    async def test_the_largest_id_is_not_found(self, catalogue: SqliteStore) -> None:
        with pytest.raises(NotFound):
            await catalogue.open_id(str(2**63 - 1), "integer")


class TestCorruption:
    """Wrong rows in the tables."""

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            pytest.param("delete from chunk where id & 4294967295 = 3 and id >> 32 = ?", "chunk 3", id="chunk lost"),
            pytest.param("update chunk set data = x'00' where id & 4294967295 = 3 and id >> 32 = ?", "3", id="short"),
            pytest.param("update chunk set data = 'a' where id & 4294967295 = 3 and id >> 32 = ?", "3", id="text"),
            pytest.param("update chunk set data = zeroblob(262144) where id = ? << 32", "not those", id="other bytes"),
            pytest.param("update version set size = size + 1 where id = ?", "chunk 12", id="other size"),
            pytest.param("update version set sha256 = x'00' where id = ?", "not those", id="other digest"),
        ],
    )
    async def test_check_reports_the_corrupted_file_only(
        self, catalogue: SqliteStore, path: Path, statement: str, message: str
    ) -> None:
        files = [await catalogue.put(name, blocks(LARGE)) for name in "abc"]
        change(path, statement, files[1].version)
        async with aclosing(catalogue.check()) as found:
            first, corruption, last = [each async for each in found]
        assert (first, last) == (files[0], files[2])
        assert isinstance(corruption, Corruption)
        assert corruption.file.name == "b"
        assert message in corruption.message


class TestReading:
    """How far is read ahead."""

    async def test_nothing_is_read_ahead_before_the_client_has_taken_a_chunk(self, catalogue: SqliteStore) -> None:
        await catalogue.put("a", blocks(LARGE))
        source = await catalogue.open("a")

        async def free() -> None:
            await catalogue.remove("a")
            await catalogue.gc(0)

        received, whole = await read_while(source, free)
        assert not whole
        assert len(received) == CHUNK_BYTES

    async def test_no_more_than_two_megabytes_wait_for_a_fast_client(self, catalogue: SqliteStore) -> None:
        await catalogue.put("a", blocks(LARGE * 6))
        source = await catalogue.open("a")
        async with aclosing(source.read(ByteRange(0, 6 * len(LARGE)))) as chunks:
            for _ in range(50):
                await anext(chunks)
            await catalogue.remove("a")
            await catalogue.gc(0)
            waiting = 1  # the chunk that the client has
            with suppress(SourceChanged):
                async for _ in chunks:
                    waiting += 1
        assert waiting <= 2 * 1024 * 1024 // CHUNK_BYTES

    @pytest.mark.parametrize("beyond", [1, CHUNK_BYTES, 2**40])
    async def test_a_span_beyond_the_end_raises(self, catalogue: SqliteStore, beyond: int) -> None:
        file = await catalogue.put("a", blocks(LARGE))
        source = await catalogue.open("a")
        for start in (0, file.size - 1, file.size, file.size + CHUNK_BYTES):
            with pytest.raises(SourceChanged):
                await read(source, start, file.size + CHUNK_BYTES + beyond)

    async def test_no_piece_is_larger_than_a_chunk(self, catalogue: SqliteStore) -> None:
        await catalogue.put("a", blocks(LARGE * 4))
        source = await catalogue.open("a")
        async with aclosing(source.read(ByteRange(10, 4 * len(LARGE)))) as chunks:
            sizes = [len(chunk) async for chunk in chunks]
        assert sizes[0] == CHUNK_BYTES - 10
        assert set(sizes[1:-1]) == {CHUNK_BYTES}
