"""`FileSource.regions` yields exactly the span, and raises before the end of the span if the file changed."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from harness.cache import evict
from harness.changes import append, cut, delete, empty, overwrite, overwrite_with_more
from harness.changes import put_another as put_another_at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from async_downloads.errors import SourceChanged, SourceError, SourceTruncated
from async_downloads.open_file import FileRegion
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.base import OnDisk
from async_downloads.sources.files import FileSource
from sources.test_files import open_source, overwrite_one_byte

SIZE = 4 * 1024 * 1024
TAIL = 4096
LARGEST = 16 * 1024 * 1024

offsets = st.integers(0, SIZE) | st.integers(0, 3 * TAIL) | st.integers(SIZE - 3 * TAIL, SIZE)
spans = st.tuples(offsets, offsets).map(sorted).filter(lambda ends: ends[0] < ends[1])


async def nothing() -> None:
    """Change nothing."""


async def regions_of(
    source: FileSource, span: ByteRange, change: Callable[[], Awaitable[None]] = nothing
) -> list[bytes | FileRegion]:
    """Collect all regions. `change` is called after the first one."""
    taken: list[bytes | FileRegion] = []
    async with aclosing(source.regions(span)) as chunks:
        async for chunk in chunks:
            taken.append(chunk)
            if len(taken) == 1:
                await change()
    return taken


def joined(taken: list[bytes | FileRegion]) -> bytes:
    """Return the bytes of all items; read the bytes of regions from their file."""
    return b"".join(
        os.pread(each.file.fd, each.size, each.offset) if isinstance(each, FileRegion) else each for each in taken
    )


@given(span=spans, start=st.sampled_from([0, 1, TAIL, 1_000_003]), present=st.none() | st.lists(offsets, max_size=3))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
async def test_bytes_and_regions_together_are_the_span(
    large: Path, content: bytes, span: list[int], start: int, present: list[int] | None
) -> None:
    first, stop = (min(end, SIZE - start) for end in span)
    if first == stop:
        return
    source = open_source(large, start=start)
    if present is not None:
        evict(large, but=[(offset, 700_000) for offset in present])
    taken = await regions_of(source, ByteRange(first, stop))
    assert joined(taken) == content[start + first : start + stop]
    assert all(len(each) if isinstance(each, bytes) else each.size for each in taken), "no item is empty"
    await source.aclose()


@pytest.mark.parametrize("count", [1, TAIL, TAIL + 1, 200_000, SIZE])
async def test_cached_bytes_are_regions_except_the_last_ones(large: Path, content: bytes, count: int) -> None:
    source = open_source(large)
    *regions, last = await regions_of(source, ByteRange(0, count))
    assert last == content[max(count - TAIL, 0) : count]
    assert sum(each.size for each in regions if isinstance(each, FileRegion)) == max(count - TAIL, 0)
    await source.aclose()


async def test_uncached_bytes_are_regions_too(large: Path, content: bytes) -> None:
    source = open_source(large)
    evict(large)
    region, tail = await regions_of(source, ByteRange(0, SIZE))
    assert isinstance(region, FileRegion)
    assert joined([region, tail]) == content
    await source.aclose()


async def test_a_region_has_at_most_16_mib(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(2 * LARGEST + 1)
    source = open_source(sparse)
    *regions, last = await regions_of(source, ByteRange(0, 2 * LARGEST + 1))
    sizes = [each.size for each in regions if isinstance(each, FileRegion)]
    assert sizes == [LARGEST, LARGEST + 1 - TAIL]
    assert last == bytes(TAIL)
    await source.aclose()


@pytest.mark.parametrize("change", [overwrite, overwrite_with_more, overwrite_one_byte, cut, empty])
async def test_a_file_written_to_in_place_is_never_complete(large: Path, change: Callable[[Path], None]) -> None:
    source = open_source(large)
    with pytest.raises((SourceChanged, SourceTruncated)):
        await regions_of(source, ByteRange(0, SIZE), partial(asyncio.to_thread, change, large))
    await source.aclose()


@pytest.mark.parametrize("change", [overwrite, overwrite_with_more, cut, empty])
async def test_a_change_during_the_only_region_is_noticed_after_it(large: Path, change: Callable[[Path], None]) -> None:
    source = open_source(large)
    regions = source.regions(ByteRange(0, 300_000))
    assert isinstance(await anext(regions), FileRegion)
    change(large)
    with pytest.raises((SourceChanged, SourceTruncated)):
        await anext(regions)
    await source.aclose()


@pytest.mark.parametrize("change", [append, delete, put_another_at])
async def test_a_file_that_grows_or_loses_its_name_is_complete(
    large: Path, content: bytes, change: Callable[[Path], None]
) -> None:
    source = open_source(large)
    taken = await regions_of(source, ByteRange(0, SIZE), partial(asyncio.to_thread, change, large))
    assert joined(taken) == content
    await source.aclose()


async def test_a_disk_error_raises_source_error(large: Path) -> None:
    source = open_source(large)
    fd, source._file.fd = source._file.fd, 10**6  # EBADF stands for the EIO of a failing disk
    with pytest.raises(SourceError):
        await regions_of(source, ByteRange(0, SIZE))
    source._file.fd = fd
    await source.aclose()


async def test_a_file_source_is_on_disk_and_can_be_closed_twice(large: Path) -> None:
    source = open_source(large)
    assert isinstance(source, OnDisk)
    source.close()
    source.close()
