"""Files that get their new time before their new size, as the kernel does it when bytes are appended."""

import asyncio
import os
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from harness.changes import append
from harness.clock import Clock
from harness.waiting import HANGING

from async_downloads.errors import SourceChanged
from async_downloads.open_file import OpenFile
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources import growing_files
from async_downloads.sources.growing_files import SentVersion
from sources.test_files import open_source


async def test_a_file_whose_new_size_comes_later_has_grown(
    large: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing_files, "_SECONDS", HANGING)
    source = open_source(large)
    async with aclosing(source.read(ByteRange(0, len(content)))) as chunks:
        received = [await anext(chunks)]
        os.utime(large)
        next_chunk = asyncio.ensure_future(anext(chunks))
        await asyncio.sleep(0)
        assert not next_chunk.done()
        append(large)
        received += [await next_chunk, *[chunk async for chunk in chunks]]
    assert b"".join(received) == content
    await source.aclose()


async def test_a_file_that_keeps_its_size_was_written_to_in_place(large: Path, content: bytes) -> None:
    source = open_source(large)
    async with aclosing(source.read(ByteRange(0, len(content)))) as chunks:
        await anext(chunks)
        os.utime(large)
        with pytest.raises(SourceChanged):
            await anext(chunks)
    await source.aclose()


async def test_a_small_file_that_seems_to_grow_is_not_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "small.log"
    path.write_bytes(b"first line\n")
    source = open_source(path)
    assert source.read_nowait(ByteRange(0, 11)) == b"first line\n"
    os.utime(path)
    assert source.read_nowait(ByteRange(0, 11)) is None
    await source.aclose()


async def test_a_region_is_sent_on_while_its_file_may_grow(large: Path, clock: Clock) -> None:
    file = OpenFile(str(large))
    version = SentVersion(file)
    version.check(0)
    os.utime(large)
    version.check(0)
    clock.forward(0.01)
    version.check(0)
    append(large)
    clock.forward(1)
    version.check(0)
    file.close()


@pytest.mark.parametrize("change", [os.utime, lambda path: os.truncate(path, 10)], ids=["in place", "cut"])
async def test_a_region_of_a_file_that_was_written_to_is_not_sent_on(
    large: Path, clock: Clock, change: Callable[[Path], None]
) -> None:
    file = OpenFile(str(large))
    version = SentVersion(file)
    change(large)

    def check_for_a_while() -> None:
        for _ in range(3):
            version.check(7)
            clock.forward(0.02)

    with pytest.raises(SourceChanged, match="before byte 7 was sent"):
        check_for_a_while()
    file.close()
