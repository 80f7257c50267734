"""`source_of` reads bytes, files and iterators from their position to their end, and closes them in every case."""

import asyncio
import io
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from contextvars import Context, ContextVar
from functools import partial
from pathlib import Path
from typing import IO, Any

import aiofiles
import anyio
import pytest
from harness.process import descriptors
from harness.waiting import HANGING, eventually
from starlette.datastructures import UploadFile
from werkzeug.datastructures import FileStorage

from async_downloads.semantics.ranges import UNBOUNDED
from async_downloads.sources.base import Source
from async_downloads.sources.streams import source_of
from async_downloads.threads import in_thread
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


def _spooled(content: bytes) -> Any:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - the source closes it
    file.write(content)
    file.seek(0)
    return file


def _on_the_disk(content: bytes) -> Any:
    file = _spooled(content)
    file.rollover()
    return file


def _named(content: bytes) -> Any:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - the source closes it
    file.write(content)
    file.seek(0)
    return file


@pytest.mark.parametrize("make", [io.BytesIO, _spooled, _on_the_disk, _named])
@pytest.mark.parametrize(
    "upload", [UploadFile, partial(FileStorage, filename="a"), lambda file: file], ids=["Starlette", "Werkzeug", "bare"]
)
async def test_an_upload_has_ranges_and_may_be_closed_by_its_framework(
    upload: Callable[[Any], Any], make: Callable[[bytes], Any]
) -> None:
    file = make(b"0123456789")
    file.seek(1)
    source = source_of(upload(file))
    file.close()
    assert (source.representation.size, source.representation.ranges) == (9, True)
    assert await read(source, 2, 5) == b"345"
    await source.aclose()


class Upper:
    """A file object that changes the bytes of another file."""

    def __init__(self, file: io.BytesIO) -> None:
        self.file = self.stream = file

    def read(self, count: int) -> bytes:
        """Read up to `count` bytes, in capital letters."""
        return self.file.read(count).upper()


async def test_an_object_that_changes_the_bytes_of_its_file_is_read_itself() -> None:
    source = source_of(Upper(io.BytesIO(b"secret")))
    assert await read(source, 0, 6) == b"SECRET"
    await source.aclose()


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


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_pipe_that_does_not_block_is_rejected(buffering: int) -> None:
    """Its reads look the same at the end and before more data comes, so the response could be too short."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with (
        os.fdopen(read_end, "rb", buffering) as file,
        os.fdopen(write_end, "wb"),
        pytest.raises(ValueError, match="blocking mode"),
    ):
        source_of(file)


async def test_a_read_without_data_is_not_taken_for_the_end() -> None:
    class Waiting:
        def read(self, count: int) -> bytes | None:
            return None

    with pytest.raises(BlockingIOError):
        await sizes(source_of(Waiting()))


@pytest.mark.parametrize("open_file", [aiofiles.open, anyio.open_file])
async def test_an_asynchronous_file_is_read_in_chunks_and_closed(tmp_path: Path, open_file: Any) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"line\n" * 100_000)
    source = source_of(await open_file(path, "rb"))
    assert await sizes(source) == [256 * 1024, 500_000 - 256 * 1024]
    await source.aclose()
    await source.aclose()
    assert not descriptors(path)


async def test_a_file_of_anyio_in_text_mode_is_rejected() -> None:
    async with await anyio.open_file(__file__) as file:
        with pytest.raises(ValueError, match="binary mode"):
            source_of(file)


async def test_a_stream_reader_is_read_in_chunks_not_in_lines() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"line\n" * 100)
    reader.feed_eof()
    source = source_of(reader)
    assert await sizes(source) == [500]
    await source.aclose()


async def test_what_a_process_prints_is_passed_on_at_once() -> None:
    program = "import os, sys; os.write(1, b'x' * 9000); sys.stdin.read()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        source = source_of(process.stdout)
        async with aclosing(source.read(UNBOUNDED)) as chunks, asyncio.timeout(HANGING):
            assert len(await anext(chunks)) == 9000
            assert process.stdin
            process.stdin.close()
            assert [chunk async for chunk in chunks] == []
        await source.aclose()


class Unbuffered(io.BufferedIOBase):
    """A file object that inherits `read1`, which raises."""

    def __init__(self) -> None:
        super().__init__()
        self._content = io.BytesIO(b"content")

    def read(self, count: int | None = -1, /) -> bytes:
        """Read up to `count` bytes."""
        return self._content.read(count)


async def test_a_file_object_without_read1_of_its_own_is_read() -> None:
    assert await sizes(source_of(Unbuffered())) == [7]


async def _async_items() -> AsyncGenerator[Any, None]:
    for item in ITEMS:
        yield item


ITEMS: tuple[Any, ...] = (b"a", "é", b"", bytearray(b"b"), memoryview(b"c"))
ITERATORS: list[Callable[[], object]] = [lambda: iter(ITEMS), lambda: (item for item in ITEMS), _async_items]


@pytest.mark.parametrize("make", ITERATORS, ids=["iterator", "generator", "asynchronous generator"])
async def test_the_items_of_an_iterator_are_sent_as_bytes(make: Callable[[], object]) -> None:
    source = source_of(make())
    async with aclosing(source.read(UNBOUNDED)) as chunks:
        assert [chunk async for chunk in chunks] == [b"a", "é".encode(), b"", b"b", b"c"]
    await source.aclose()


@pytest.mark.parametrize("items", [[3], b"ab", [None], [["a"]]], ids=["number", "a byte of bytes", "None", "list"])
async def test_an_item_that_is_no_bytes_is_an_error(items: Iterable[object]) -> None:
    source = source_of(iter(items))
    with pytest.raises(TypeError):
        await sizes(source)
    await source.aclose()


async def test_a_generator_runs_in_threads_and_is_closed() -> None:
    threads, closed = set(), []

    def numbers() -> Iterator[bytes]:
        try:
            while True:
                threads.add(threading.get_ident())
                yield b"1"
        finally:
            closed.append(True)

    source = source_of(numbers())
    async with aclosing(source.read(UNBOUNDED)) as chunks:
        assert [await anext(chunks), await anext(chunks)] == [b"1", b"1"]
    await source.aclose()
    assert threading.get_ident() not in threads
    assert closed == [True]


async def test_a_generator_sees_the_context_of_its_source() -> None:
    variable: ContextVar[bytes] = ContextVar("variable")
    variable.set(b"set")
    source = source_of(variable.get() for _ in range(1))
    async with aclosing(source.read(UNBOUNDED)) as chunks:
        assert [chunk async for chunk in chunks] == [b"set"]


async def test_a_generator_that_is_given_up_ends_in_the_context_of_its_view() -> None:
    variable: ContextVar[str] = ContextVar("variable")
    variable.set("of the view")
    seen = []

    def rows() -> Iterator[str]:
        try:
            while True:
                yield "row"
        finally:
            seen.append(variable.get("of another task"))

    source = source_of(rows())
    async with aclosing(source.read(UNBOUNDED)) as chunks:
        await anext(chunks)
    await asyncio.create_task(source.aclose(), context=Context())
    assert seen == ["of the view"]


@pytest.mark.parametrize("given", [7, None, ["a"], {"a": 1}, "text"])
def test_no_other_object_is_a_source(given: object) -> None:
    with pytest.raises(TypeError, match="expected a path, a file, bytes, an iterator or a source"):
        source_of(given)


async def test_a_cancelled_read_of_an_empty_pipe_blocks_nothing() -> None:
    reading, writing = os.pipe()
    file = os.fdopen(reading, "rb")
    source = source_of(file)
    received: list[bytes] = []

    async def receive() -> None:
        async with aclosing(source.read(UNBOUNDED)) as chunks:
            async for chunk in chunks:
                received.append(chunk)  # noqa: PERF401 - each one at once

    os.write(writing, b"first, then nothing")
    reader = asyncio.create_task(receive())
    await eventually(lambda: bool(received))  # the next read has begun
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


async def test_pipes_without_data_keep_no_file_waiting() -> None:
    pipes = [os.pipe() for _ in range(40)]  # more than the event loop has threads for files
    sources = [source_of(os.fdopen(reading, "rb")) for reading, _ in pipes]
    tasks = [asyncio.create_task(sizes(source)) for source in sources]
    await asyncio.sleep(0)
    async with asyncio.timeout(HANGING):
        assert await in_thread(lambda: 1) == 1
    assert not [task for task in tasks if task.done()]
    for _, writing in pipes:
        os.close(writing)
    assert await asyncio.gather(*tasks) == [[]] * 40
    for source in sources:
        await source.aclose()
