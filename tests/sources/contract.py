"""The contract of stores and sources (`async_downloads/sources/base.py`), as tests to inherit.

The test module of a backend defines a fixture with the contents, and inherits all tests:

    class TestMyStore(StoreContract):
        @pytest.fixture
        async def bench(self) -> AsyncIterator[MyBench]: ...
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from itertools import pairwise
from random import Random
from typing import Final, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from async_downloads.errors import IsDirectory, NotFound, SourceChanged, SourceTruncated
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.base import Browsable, Source, Store

__all__ = ["Bench", "BrowsableContract", "StoreContract", "read", "read_while", "read_whole"]

SMALL: Final = b"The quick brown fox jumps over the lazy dog."
LARGE: Final = Random(1).randbytes(3 * 1024 * 1024)
CONTENTS: Final = {"a.txt": SMALL, "empty": b"", "docs/b.bin": LARGE, "docs/deep/c.txt": b"c", "é ü.txt": b"umlaut"}

REFUSED: Final = [
    pytest.param(key, id=name)
    for name, key in {
        "nothing": "",
        "absolute": "/a.txt",
        "two slashes": "//a.txt",
        "parent": "..",
        "parent first": "../a.txt",
        "parent inside": "docs/../a.txt",
        "parent last": "docs/..",
        "self": ".",
        "self first": "./a.txt",
        "self inside": "docs/./b.bin",
        "empty segment": "docs//b.bin",
        "empty last segment": "a.txt/",
        "file as directory": "a.txt/a.txt",
        "NUL": "a.txt\0",
        "NUL inside": "docs\0/b.bin",
        "backslash": "docs\\b.bin",
        "parent by backslash": "..\\a.txt",
        "drive": "C:\\a.txt",
        "lone surrogate": "\ud800.txt",
        "byte that is no text": "\udcff.txt",
        "other case": "A.TXT",
        "space behind": "a.txt ",
        "line break behind": "a.txt\n",
        "long segment": "x" * 300,
        "long key": "/".join(["x" * 200] * 50),
        "encoded": "docs%2Fb.bin",
        "pattern": "*.txt",
    }.items()
]


class Bench(Protocol):
    """A store, and how its contents change by other means than the store."""

    @property
    def store(self) -> Store:
        """The store under test, which holds `CONTENTS`."""

    async def put(self, key: str, data: bytes) -> None:
        """Replace the content of the key in the way that users of the backend do."""

    async def remove(self, key: str) -> None:
        """Remove the key."""


async def read(source: Source, start: int, stop: int) -> bytes:
    """Return the bytes of a span."""
    async with aclosing(source.read(ByteRange(start, stop))) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def read_whole(store: Store, key: str, *, codings: Sequence[str] = ()) -> bytes:
    """Open the key, read it whole, and close the source."""
    source = await store.open(key, codings=codings)
    try:
        return await read(source, 0, source.representation.size) if source.representation.size else b""
    finally:
        await source.aclose()


async def read_while(source: Source, change: Callable[[], Awaitable[None]]) -> tuple[bytes, bool]:
    """Read a source whole and call `change` after the first chunk. Return the bytes, and whether they are complete."""
    received = []
    try:
        async with aclosing(source.read(ByteRange(0, source.representation.size or 0))) as chunks:
            received.append(await anext(chunks))
            await change()
            received += [chunk async for chunk in chunks]
    except (SourceChanged, SourceTruncated):
        return b"".join(received), False
    return b"".join(received), True


class StoreContract:
    """The contract of a store and of its sources."""

    async def test_the_described_size_is_the_size_read(self, bench: Bench) -> None:
        for key, data in CONTENTS.items():
            source = await bench.store.open(key)
            assert source.representation.size == len(data)
            await source.aclose()
            assert await read_whole(bench.store, key) == data

    @given(cuts=st.lists(st.integers(0, len(LARGE)), max_size=12), order=st.randoms(use_true_random=False))
    @settings(
        max_examples=20,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    async def test_any_split_read_in_any_order_rejoins_to_the_whole(
        self, bench: Bench, cuts: list[int], order: Random
    ) -> None:
        ends = sorted({0, len(LARGE), *cuts})
        spans = list(pairwise(ends))
        shuffled = order.sample(spans, len(spans))  # hypothesis may end the example here, so nothing is open yet
        source = await bench.store.open("docs/b.bin")
        parts = {span: await read(source, *span) for span in shuffled}
        await source.aclose()
        assert b"".join(parts[span] for span in spans) == LARGE

    async def test_spans_of_one_source_are_read_at_the_same_time(self, bench: Bench) -> None:
        source = await bench.store.open("docs/b.bin")
        spans = [(start, min(start + 500_000, len(LARGE))) for start in range(0, len(LARGE), 123_457)]
        parts = await asyncio.gather(*(read(source, *span) for span in spans))
        await source.aclose()
        assert parts == [LARGE[start:stop] for start, stop in spans]

    async def test_sources_of_one_key_are_independent(self, bench: Bench) -> None:
        assert await asyncio.gather(*(read_whole(bench.store, "docs/b.bin") for _ in range(20))) == [LARGE] * 20

    async def test_an_abandoned_read_does_not_affect_another(self, bench: Bench) -> None:
        source = await bench.store.open("docs/b.bin")
        async with aclosing(source.read(ByteRange(0, len(LARGE)))) as chunks:
            assert LARGE.startswith(await anext(chunks))
        assert await read(source, 7, 11) == LARGE[7:11]
        await source.aclose()

    async def test_a_second_close_does_nothing(self, bench: Bench) -> None:
        source = await bench.store.open("a.txt")
        await source.aclose()
        await source.aclose()
        assert await read_whole(bench.store, "a.txt") == SMALL

    @pytest.mark.parametrize("steps", range(6))
    async def test_a_source_can_be_closed_after_a_cancelled_read(self, bench: Bench, steps: int) -> None:
        source = await bench.store.open("docs/b.bin")
        reading = asyncio.create_task(read(source, 0, len(LARGE)))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, source.aclose(), return_exceptions=True)
        await source.aclose()
        assert await read_whole(bench.store, "docs/b.bin") == LARGE

    @pytest.mark.parametrize("size", [len(LARGE), 10, len(LARGE) + 10], ids=["same size", "shorter", "longer"])
    async def test_a_read_yields_no_byte_of_a_replacement(self, bench: Bench, size: int) -> None:
        source = await bench.store.open("docs/b.bin")
        received, whole = await read_while(source, partial(bench.put, "docs/b.bin", Random(2).randbytes(size)))
        await source.aclose()
        assert received == LARGE if whole else LARGE.startswith(received)

    async def test_a_read_of_a_removed_file_continues_or_raises(self, bench: Bench) -> None:
        source = await bench.store.open("docs/b.bin")
        received, whole = await read_while(source, partial(bench.remove, "docs/b.bin"))
        await source.aclose()
        assert received == LARGE if whole else LARGE.startswith(received)

    async def test_the_next_open_sees_a_change(self, bench: Bench) -> None:
        await bench.put("a.txt", b"new")
        assert await read_whole(bench.store, "a.txt") == b"new"
        await bench.remove("a.txt")
        with pytest.raises(NotFound):
            await bench.store.open("a.txt")

    async def test_each_version_has_its_own_strong_etag(self, bench: Bench) -> None:
        tags = []
        for data in (SMALL, SMALL[::-1]):
            await bench.put("a.txt", data)
            for _ in range(2):
                source = await bench.store.open("a.txt")
                tags.append(source.representation.validators.etag)
                await source.aclose()
        first, again, second, _ = tags
        assert first is not None
        assert first.strongly_equals(again)
        assert not first.weakly_equals(second)

    async def test_an_unknown_key_is_not_found(self, bench: Bench) -> None:
        with pytest.raises(NotFound) as raised:
            await bench.store.open("docs/unknown")
        assert not isinstance(raised.value, IsDirectory)

    @pytest.mark.parametrize("key", ["docs", "docs/deep"])
    async def test_a_directory_cannot_be_opened(self, bench: Bench, key: str) -> None:
        with pytest.raises(IsDirectory):
            await bench.store.open(key)

    @pytest.mark.parametrize("key", REFUSED)
    async def test_an_invalid_key_is_not_found(self, bench: Bench, key: str) -> None:
        with pytest.raises(NotFound):
            await bench.store.open(key)

    async def test_without_a_precompressed_file_the_plain_one_is_opened(self, bench: Bench) -> None:
        assert await read_whole(bench.store, "a.txt", codings=("br", "gzip", "unheard-of")) == SMALL


class BrowsableContract(StoreContract):
    """The contract of a store that can be listed."""

    @staticmethod
    async def _names(bench: Bench, key: str) -> list[tuple[str, bool, int | None]]:
        assert isinstance(bench.store, Browsable)
        listing = await bench.store.list(key)
        assert not listing.truncated
        return [(entry.name, entry.is_directory, entry.size) for entry in listing.entries]

    async def test_the_top_lists_directories_first_and_by_name(self, bench: Bench) -> None:
        assert await self._names(bench, "") == [
            ("docs", True, None),
            ("a.txt", False, len(SMALL)),
            ("empty", False, 0),
            ("é ü.txt", False, 6),
        ]

    async def test_a_directory_lists_only_its_own_entries(self, bench: Bench) -> None:
        assert await self._names(bench, "docs") == [("deep", True, None), ("b.bin", False, len(LARGE))]

    @pytest.mark.parametrize("key", [*REFUSED[1:], "a.txt", "docs/unknown"])
    async def test_only_a_directory_can_be_listed(self, bench: Bench, key: str) -> None:
        assert isinstance(bench.store, Browsable)
        with pytest.raises(NotFound):
            await bench.store.list(key)
