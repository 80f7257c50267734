"""`source_of` reads bytes, files and iterators from their position to their end, and closes them in every case."""

import asyncio
import io
import os
import select
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import IO, Any

import aiofiles
import pytest
from harness.process import descriptors
from harness.waiting import HANGING, eventually

from async_downloads.semantics.ranges import UNBOUNDED
from async_downloads.sources.base import Source
from async_downloads.sources.streams import source_of
from sources.contract import read


async def sizes(source: Source) -> list[int]:
    """Read a stream to its end, and return the sizes of its chunks."""
    async with aclosing(source.read(UNBOUNDED)) as chunks:
        return [len(chunk) async for chunk in chunks]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_every_bytes_like_object_is_a_source(kind: Callable[[bytes], object]) -> None:
    source = source_of(kind(b"0123456789"))
    assert source.representation.size == 10
    assert await read(source, 2, 5) == b"234"


async def test_a_mutable_object_is_copied() -> None:
    data = bytearray(b"before")
    source = source_of(data)
    data[:] = b"behind"
    assert await read(source, 0, 6) == b"before"


TEXTS = [  # the test closes each file
    pytest.param(io.StringIO, id="StringIO"),
    pytest.param(lambda: Path(__file__).open(encoding="utf-8"), id="open"),  # noqa: SIM115
    pytest.param(lambda: tempfile.TemporaryFile("w+"), id="TemporaryFile"),  # noqa: SIM115
    pytest.param(lambda: tempfile.NamedTemporaryFile("w+"), id="NamedTemporaryFile"),  # noqa: SIM115
    pytest.param(lambda: tempfile.SpooledTemporaryFile(mode="w+"), id="SpooledTemporaryFile"),  # noqa: SIM115
]


@pytest.mark.parametrize("make", TEXTS)
def test_a_file_in_text_mode_is_rejected(make: Callable[[], IO[str]]) -> None:
    with make() as file, pytest.raises(ValueError, match="binary mode"):
        source_of(file)


async def test_an_asynchronous_file_in_text_mode_is_rejected() -> None:
    async with aiofiles.open(__file__, encoding="utf-8") as file:
        with pytest.raises(ValueError, match="binary mode"):
            source_of(file)


async def test_a_member_of_an_archive_is_accepted_as_binary() -> None:
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("a.txt", b"member")
        member: Any = archive.open("a.txt")
        assert await sizes(source_of(member)) == [6]


class Bare:
    """A file object with nothing but `read`."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, count: int) -> bytes:
        """Read up to `count` bytes."""
        return self._content.read(count)


async def test_an_object_without_close_is_read() -> None:
    source = source_of(Bare(b"content"))
    assert await sizes(source) == [7]
    await source.aclose()


async def test_an_asynchronous_file_is_read_in_chunks_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"line\n" * 100_000)
    source = source_of(await aiofiles.open(path, "rb"))
    assert await sizes(source) == [256 * 1024, 500_000 - 256 * 1024]
    await source.aclose()
    await source.aclose()
    assert not descriptors(path)


async def test_a_cancelled_read_of_an_empty_pipe_blocks_nothing() -> None:
    reading, writing = os.pipe()
    file = os.fdopen(reading, "rb")
    source = source_of(file)
    os.write(writing, b"first, then nothing")
    reader = asyncio.create_task(sizes(source))
    await eventually(lambda: not select.select([reading], [], [], 0)[0])  # the thread has read it and waits for more
    reader.cancel()
    with suppress(asyncio.CancelledError):
        await reader
    async with asyncio.timeout(HANGING):
        await source.aclose()
    assert not file.closed
    os.close(writing)
    await eventually(lambda: file.closed)


async def test_an_abandoned_stream_closes_its_file() -> None:
    reading, writing = os.pipe()
    file = io.FileIO(reading)
    source = source_of(file)
    os.write(writing, b"first")
    async with aclosing(source.read(UNBOUNDED)) as chunks:
        assert await anext(chunks) == b"first"
    await source.aclose()
    assert file.closed
    os.close(writing)
