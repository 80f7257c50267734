"""The part of the contract of catalogues about reading files, also while they are replaced, removed and freed."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from functools import partial

import pytest
from harness.waiting import HANGING

from async_downloads.errors import SourceChanged
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.base import Browsable
from async_downloads.sources.database.catalogue import CHUNK_BYTES, Catalogue
from async_downloads.sources.sorting import sorted_in_runs
from sources.contract import read, read_while, read_whole
from sources.database.uploads import LARGE, SMALL, blocks, checked, content_of

__all__ = ["ReadingContract"]


class ReadingContract:
    """Reading files, also while they are replaced, removed and freed."""

    async def test_a_catalogue_is_browsable(self, catalogue: Catalogue) -> None:
        assert isinstance(catalogue, Browsable)

    async def test_the_event_loop_does_not_sort_a_listing(
        self, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        threads = set[threading.Thread]()

        def noting(names: list[str]) -> Iterator[str]:
            threads.add(threading.current_thread())
            return sorted_in_runs(names)

        monkeypatch.setattr("async_downloads.sources.database.catalogue.sorted_in_runs", noting)
        for name in ("b", "a/b", "a/a"):
            await catalogue.put(name, blocks(SMALL))
        assert [entry.name for entry in (await catalogue.list("")).entries] == ["a", "b"]
        assert [entry.name for entry in (await catalogue.list("a")).entries] == ["a", "b"]
        assert threads
        assert threading.current_thread() not in threads

    @pytest.mark.parametrize(
        "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 5 * CHUNK_BYTES + 7]
    )
    async def test_what_was_put_is_read(self, catalogue: Catalogue, size: int) -> None:
        file = await catalogue.put("a.bin", blocks(LARGE[:size], 99_991))
        assert file.size == size
        assert await read_whole(catalogue, "a.bin") == LARGE[:size]

    @pytest.mark.parametrize("block", [1000, CHUNK_BYTES, CHUNK_BYTES + 1, len(LARGE)])
    async def test_the_block_size_of_an_upload_does_not_matter(self, catalogue: Catalogue, block: int) -> None:
        await catalogue.put("a.bin", blocks(LARGE, block))
        assert await read_whole(catalogue, "a.bin") == LARGE

    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            pytest.param(0, 1, id="first byte"),
            pytest.param(CHUNK_BYTES - 1, CHUNK_BYTES, id="last of a chunk"),
            pytest.param(CHUNK_BYTES, CHUNK_BYTES + 1, id="first of a chunk"),
            pytest.param(CHUNK_BYTES - 1, CHUNK_BYTES + 1, id="over an edge"),
            pytest.param(CHUNK_BYTES - 1, 4 * CHUNK_BYTES + 1, id="over several edges"),
            pytest.param(CHUNK_BYTES, 3 * CHUNK_BYTES, id="whole chunks"),
            pytest.param(len(LARGE) - 1, len(LARGE), id="last byte"),
            pytest.param(5, len(LARGE), id="all but the first"),
        ],
    )
    async def test_a_span_is_exact(self, catalogue: Catalogue, start: int, stop: int) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        assert await read(source, start, stop) == LARGE[start:stop]

    async def test_a_source_has_the_stored_description(self, catalogue: Catalogue) -> None:
        before = int(time.time())
        file = await catalogue.put("docs/ä.txt", blocks(SMALL))
        described = (await catalogue.open("docs/ä.txt")).representation
        digest = hashlib.sha256(SMALL).digest()
        assert (described.size, described.filename, described.media_type) == (12, "ä.txt", "text/plain; charset=utf-8")
        assert described.digest == file.sha256 == digest
        assert described.validators.etag is not None
        assert (described.validators.etag.opaque, described.validators.etag.weak) == (digest.hex(), False)
        assert described.validators.last_modified == file.created
        assert before - 1 <= file.created <= time.time() + 1
        assert described.ranges

    async def test_a_media_type_that_was_given_is_kept(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.txt", blocks(SMALL), media_type="application/x-test")
        assert (await catalogue.open("a.txt")).representation.media_type == "application/x-test"

    async def test_a_download_of_a_replaced_file_continues(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        change = partial(catalogue.put, "a.bin", blocks(LARGE[::-1]), replace=True)
        assert await read_while(source, _nothing_of(change)) == (LARGE, True)
        assert await read_whole(catalogue, "a.bin") == LARGE[::-1]

    async def test_a_download_of_a_removed_file_continues(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        assert await read_while(source, partial(catalogue.remove, "a.bin")) == (LARGE, True)

    async def test_a_download_of_a_freed_version_raises(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")

        async def free() -> None:
            await catalogue.put("a.bin", blocks(LARGE[::-1]), replace=True)
            assert await catalogue.gc(0) == len(LARGE)

        received, whole = await read_while(source, free)
        assert not whole
        assert LARGE.startswith(received)
        with pytest.raises(SourceChanged):
            await read(source, 0, 1)

    async def test_a_version_freed_before_the_read_raises(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(SMALL))
        source = await catalogue.open("a.bin")
        await catalogue.remove("a.bin")
        await catalogue.gc(0)
        with pytest.raises(SourceChanged):
            await read(source, 0, 12)

    async def test_the_catalogue_works_after_a_thousand_cancelled_reads(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        for batch in range(20):
            reads = [asyncio.create_task(read(source, place, len(LARGE))) for place in range(50)]
            for _ in range(batch % 7):
                await asyncio.sleep(0)
            for task in reads:
                task.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
        assert await asyncio.gather(*(read_whole(catalogue, "a.bin") for _ in range(8))) == [LARGE] * 8
        await catalogue.put("b.bin", blocks(SMALL))
        assert await checked(catalogue) == ["a.bin", "b.bin"]

    async def test_stalled_readers_do_not_block_others(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        stalled = [source.read(ByteRange(0, len(LARGE))) for _ in range(50)]
        for chunks in stalled:
            assert LARGE.startswith(await anext(chunks))
        assert await asyncio.wait_for(read_whole(catalogue, "a.bin"), HANGING) == LARGE
        await asyncio.wait_for(catalogue.put("b.bin", blocks(SMALL)), HANGING)
        for chunks in stalled:
            await chunks.aclose()

    async def test_the_catalogue_works_after_many_abandoned_reads(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        for _ in range(100):
            async with aclosing(source.read(ByteRange(0, len(LARGE)))) as chunks:
                assert LARGE.startswith(await anext(chunks))
        assert await content_of(source) == LARGE


def _nothing_of(change: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def changed() -> None:
        await change()

    return changed
