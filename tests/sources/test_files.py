"""FileSource describes and reads the version that it opened, or raises."""

import asyncio
import os
from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path

import pytest
from harness.changes import append, cut, delete, empty, overwrite, overwrite_with_more, put_another
from harness.process import descriptors

from async_downloads.errors import NotFound, SourceChanged, SourceError
from async_downloads.pacing import ChunkSizer
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.sources.files import FileSource
from async_downloads.sources.opening import describe, map_os_errors, open_regular
from sources.contract import read, read_while


def open_source(path: Path, *, start: int = 0) -> FileSource:
    """Open a file as DirectoryStore does, or only the part from `start` on.

    Its modification time is set to a distant past, so that every later change gets another one.
    """
    os.utime(path, (1, 1))
    file, status = open_regular(str(path))
    representation = describe(status, path.name)
    if start:
        representation = Representation(status.st_size - start)
    return FileSource(file, representation, start=start)


def overwrite_one_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")


def rename(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def forbid(path: Path) -> None:
    path.chmod(0)


def overwrite_and_restore_the_time(path: Path) -> None:
    overwrite(path)
    os.utime(path, (1, 1))


def overwrite_one_byte_and_restore_the_time(path: Path) -> None:
    overwrite_one_byte(path)
    os.utime(path, (1, 1))


@pytest.mark.parametrize(
    "change",
    [
        overwrite,
        overwrite_with_more,
        overwrite_one_byte,
        overwrite_and_restore_the_time,
        overwrite_one_byte_and_restore_the_time,
        cut,
        empty,
        forbid,
    ],
)
async def test_a_file_written_to_in_place_yields_no_new_byte(
    large: Path, content: bytes, change: Callable[[Path], None]
) -> None:
    source = open_source(large)
    received, whole = await read_while(source, partial(asyncio.to_thread, change, large))
    await source.aclose()
    assert content.startswith(received)
    assert not whole


@pytest.mark.parametrize("change", [overwrite, overwrite_with_more, append, cut, empty])
async def test_read_nowait_returns_nothing_of_a_changed_file(large: Path, change: Callable[[Path], None]) -> None:
    source = open_source(large)
    change(large)
    with suppress(SourceChanged):
        assert source.read_nowait(ByteRange(100_000, 100_010)) is None
    await source.aclose()


async def test_a_file_that_grows_is_read_to_its_promised_size(large: Path, content: bytes) -> None:
    source = open_source(large)
    assert await read_while(source, partial(asyncio.to_thread, append, large)) == (content, True)
    append(large)
    assert source.read_nowait(ByteRange(7, 11)) == content[7:11]
    await source.aclose()


async def test_a_file_that_was_appended_to_may_still_be_overwritten(large: Path, content: bytes) -> None:
    source = open_source(large)
    assert await read(source, 0, 100) == content[:100]
    append(large)
    assert await read(source, 100, 200) == content[100:200]
    os.utime(large, (2, 2))
    assert await read(source, 200, 300) == content[200:300]
    overwrite_with_more(large)
    with pytest.raises(SourceChanged):
        await read(source, 300, 400)
    await source.aclose()


def link(path: Path) -> None:
    path.with_suffix(".link").hardlink_to(path)


@pytest.mark.parametrize("change", [put_another, delete, rename, link])
async def test_a_file_that_loses_its_name_is_read_to_its_end(
    large: Path, content: bytes, change: Callable[[Path], None]
) -> None:
    source = open_source(large)
    change(large)
    assert await read(source, 0, len(content)) == content
    assert source.read_nowait(ByteRange(7, 11)) == content[7:11]
    await source.aclose()


async def test_the_path_of_an_open_file_outlives_its_name(large: Path, content: bytes) -> None:
    source = open_source(large)
    put_another(large)
    assert source.path
    assert Path(source.path).read_bytes() == content
    await source.aclose()


async def test_a_source_may_begin_inside_a_file(large: Path, content: bytes) -> None:
    source = open_source(large, start=1_000_003)
    assert source.representation.size == len(content) - 1_000_003
    assert await read(source, 0, source.representation.size) == content[1_000_003:]
    assert source.read_nowait(ByteRange(5, 9)) == content[1_000_008:1_000_012]
    assert source.path is None
    await source.aclose()


async def test_read_nowait_reads_small_spans_only(large: Path, content: bytes) -> None:
    source = open_source(large)
    assert source.read_nowait(ByteRange(0, 64 * 1024)) == content[: 64 * 1024]
    assert source.read_nowait(ByteRange(0, 64 * 1024 + 1)) is None
    await source.aclose()


async def test_chunks_grow_for_a_fast_client(large: Path, content: bytes) -> None:
    large.write_bytes(2 * content)
    source = open_source(large)
    async with aclosing(source.read(ByteRange(0, 2 * len(content)))) as chunks:
        sizes = [len(chunk) async for chunk in chunks]
    await source.aclose()
    assert sizes[0] <= ChunkSizer.WHOLE_BYTES
    assert sizes[0] < max(sizes) <= 512 * 1024


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


def rewrite_and_restore_the_time(path: Path) -> None:
    status = path.stat()
    rewrite(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def until_the_next_tick(path: Path, other: Path) -> None:
    """Touch `other` until its change time is later than that of `path`; file systems count time in ticks."""
    other.touch()
    while other.stat().st_ctime_ns <= path.stat().st_ctime_ns:
        other.touch()


@pytest.mark.parametrize("change", [rewrite, rewrite_and_restore_the_time, append])
def test_each_version_of_a_file_has_its_own_etag(large: Path, change: Callable[[Path], None]) -> None:
    until_the_next_tick(large, large.with_name("other"))
    before = describe(large.stat(), "x").validators.etag
    assert before == describe(large.stat(), "x").validators.etag
    assert before
    assert not before.weak
    change(large)
    assert not before.weakly_equals(describe(large.stat(), "x").validators.etag)


@pytest.mark.parametrize(
    ("ns", "seconds"),
    [
        pytest.param(784111777 * 10**9 + 999_999_999, 784111777, id="whole seconds"),
        pytest.param(2**32 * 10**9, 2**32, id="after 2106"),
        pytest.param(-1, None, id="before 1970"),
        pytest.param(0, None, id="1970"),
        pytest.param(315532800 * 10**9, None, id="1980"),
    ],
)
def test_a_date_is_whole_seconds_or_unknown(large: Path, ns: int, seconds: int | None) -> None:
    os.utime(large, ns=(ns, ns))
    described = describe(large.stat(), "x")
    assert described.validators.last_modified == seconds
    assert str(described.validators.etag).isascii()


def _status(mtime_ns: int, ctime_ns: int) -> os.stat_result:
    times = {"st_mtime_ns": mtime_ns, "st_ctime_ns": ctime_ns}
    return os.stat_result((0o100644, 1, 1, 1, 0, 0, 9, 0, 0, 0), times)


@pytest.mark.parametrize(
    ("mtime_ns", "ctime_ns", "weak"),
    [
        pytest.param(0, 0, True, id="an image made reproducibly"),
        pytest.param(10**18, 10**18, True, id="a mounted archive"),
        pytest.param(10**18, 0, True, id="no change time"),
        pytest.param(10**18 + 5, 10**9, True, id="a change time of one second"),
        pytest.param(10**18, 315532800 * 10**9, True, id="a change time of 1980"),
        pytest.param(10**18 + 5, 10**18 + 5, False, id="a file written once"),
        pytest.param(10**18, 10**18 + 5, False, id="a file whose time was set"),
        pytest.param(0, 10**18 + 5, False, id="a file whose time was set to 0"),
    ],
)
def test_the_etag_is_weak_where_the_times_are_fixed(mtime_ns: int, ctime_ns: int, weak: bool) -> None:
    tag = describe(_status(mtime_ns, ctime_ns), "x").validators.etag
    assert tag
    assert tag.weak is weak


def test_a_date_in_the_future_is_sent_as_now(large: Path) -> None:
    os.utime(large, (2**32, 2**32))
    assert describe(large.stat(), "x").validators.at(1000).last_modified == 1000


@pytest.mark.parametrize("path", ["", "/", "/dev/null", "/nothing", "x" * 300, "\ud800"])
def test_a_failed_open_leaves_no_descriptor(path: str) -> None:
    before = descriptors()
    with pytest.raises(NotFound), map_os_errors("key"):
        open_regular(path)
    assert descriptors().items() <= before.items()


async def test_a_disk_error_raises_source_error(large: Path) -> None:
    source = open_source(large)
    os.close(source._file.fd)  # EBADF stands for the EIO of a failing disk
    with pytest.raises(SourceError):
        await read(source, 0, 10)
    source._file.fd = -1
