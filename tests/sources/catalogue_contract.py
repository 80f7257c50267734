"""What every catalogue promises (`async_downloads/sources/catalogue.py`), as tests to inherit.

A database's test module gives four fixtures, all of them of one test's own database but for `bare`, and gets the tests:

    class TestMyCatalogue(CatalogueContract):
        @pytest.fixture
        async def url(self) -> str: ...                     # of the database, for another process
        @pytest.fixture
        async def catalogue(self, …) -> AsyncIterator[Catalogue]: ...  # initialised, empty; closed afterwards
        @pytest.fixture
        async def fresh(self, …) -> AsyncIterator[Callable[[], Catalogue]]: ...  # another on the same database,
                                                            # also when that is not initialised; closed afterwards
        @pytest.fixture
        async def bare(self, …) -> AsyncIterator[Catalogue]: ...  # without a schema; closed afterwards
"""

import asyncio
import hashlib
import sys
import time
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from random import Random
from typing import Final

import pytest

from async_downloads.errors import (
    AlreadyThere,
    DownloadError,
    IsDirectory,
    NotFound,
    SourceChanged,
    SourceError,
)
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.base import Browsable, Entry, Source, Writable
from async_downloads.sources.catalogue import CHUNK, ById, Catalogue, Identifier, Stored

from .contract import read, read_while, read_whole

__all__ = ["LARGE", "CatalogueContract", "blocks", "checked", "content_of"]

LARGE: Final = Random(3).randbytes(12 * CHUNK + 7)  # more than is ever read ahead
SMALL: Final = b"Twelve bytes"
ABSENT_IDS: Final = [
    pytest.param(text, id=name)
    for name, text in {
        "nothing": "",
        "none yet": "2",
        "zero": "0",
        "leading zero": "01",
        "plus": "+1",
        "minus": "-1",
        "space before": " 1",
        "space behind": "1 ",
        "line break": "1\n",
        "underscore": "1_0",
        "decimal": "1.0",
        "exponent": "1e0",
        "hexadecimal": "0x1",
        "full width": "\uff11",
        "superscript": "\u00b9",
        "Arabic digit": "\u0661",
        "NUL": "1\0",
        "surrogate": "\udcff",
        "word": "one",
        "32 bits and one": str(2**32 + 1),
        "63 bits": str(2**63 - 1),
        "64 bits": str(2**63),
        "64 bits and one": str(2**64 + 1),
        "many digits": "9" * 5000,
    }.items()
]
BAD_NAMES: Final = [
    pytest.param(name, id=ascii(name)[1:20])
    for name in ("", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a\0", "a\nb", "\ud800", "x" * 1025)
]
GOOD_NAMES: Final = ["a", "a b", "ä/ö/ü.bin", "文件.txt", "\U0001f600.txt", "100%.txt", "a_c", "'; drop table file; --"]
GOOD_NAMES += ["x" * 1024, "\U0001f600" * 1024, "/".join("abcdefg"), "...", "a..b/.c", "con", "a:b", '"', "*", "?#&"]

# A put of another process that is killed when 20 MiB are there; what it had put before must stay.
_KILLED: Final = """
import asyncio, sys
from async_downloads.sources.databases import open_catalogue

async def endless():
    for _ in range(20):
        yield bytes(1024 * 1024)
    print("ready", flush=True)
    await asyncio.Event().wait()

async def once():
    yield b"kept"

async def main():
    catalogue = open_catalogue(sys.argv[1])
    await catalogue.put("kept", once())
    await catalogue.put("half", endless(), replace=True)

asyncio.run(main())
"""

Fresh = Callable[[], Catalogue]


async def blocks(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    """Yield the data in blocks, as an upload does, and an empty one at the end."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
    yield b""


async def content_of(source: Source) -> bytes:
    """Read a source and close it."""
    try:
        return await read(source, 0, source.representation.size) if source.representation.size else b""
    finally:
        await source.aclose()


async def checked(catalogue: Catalogue) -> list[str]:
    """Return the names of all files; each must be sound."""
    async with aclosing(catalogue.check()) as found:
        files = [file async for file in found]
    assert [file for file in files if not isinstance(file, Stored)] == []
    return [file.name for file in files if isinstance(file, Stored)]


class Upload:
    """An upload that stands still in its middle until it is told to go on, fail or end."""

    def __init__(self, data: bytes) -> None:
        self.halfway = asyncio.Event()
        self.go_on = asyncio.Event()
        self._data = data

    async def blocks(self, error: Exception | None = None) -> AsyncIterator[bytes]:
        """Yield a half, wait, and yield the other, or raise."""
        half = len(self._data) // 2
        yield self._data[:half]
        self.halfway.set()
        await self.go_on.wait()
        if error:
            raise error
        yield self._data[half:]


class _Reading:
    """Opening, reading, and what happens to a download meanwhile."""

    async def test_it_can_be_looked_through_and_written_to(self, catalogue: Catalogue) -> None:
        assert isinstance(catalogue, Browsable)
        assert isinstance(catalogue, Writable)

    @pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 7])
    async def test_what_was_put_is_read(self, catalogue: Catalogue, size: int) -> None:
        file = await catalogue.put("a.bin", blocks(LARGE[:size], 99_991))
        assert file.size == size
        assert await read_whole(catalogue, "a.bin") == LARGE[:size]

    @pytest.mark.parametrize("block", [1000, CHUNK, CHUNK + 1, len(LARGE)])
    async def test_the_blocks_of_an_upload_leave_no_trace(self, catalogue: Catalogue, block: int) -> None:
        await catalogue.put("a.bin", blocks(LARGE, block))
        assert await read_whole(catalogue, "a.bin") == LARGE

    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            pytest.param(0, 1, id="first byte"),
            pytest.param(CHUNK - 1, CHUNK, id="last of a chunk"),
            pytest.param(CHUNK, CHUNK + 1, id="first of a chunk"),
            pytest.param(CHUNK - 1, CHUNK + 1, id="over an edge"),
            pytest.param(CHUNK - 1, 4 * CHUNK + 1, id="over several edges"),
            pytest.param(CHUNK, 3 * CHUNK, id="whole chunks"),
            pytest.param(len(LARGE) - 1, len(LARGE), id="last byte"),
            pytest.param(5, len(LARGE), id="all but the first"),
        ],
    )
    async def test_a_span_is_exact(self, catalogue: Catalogue, start: int, stop: int) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        assert await read(source, start, stop) == LARGE[start:stop]

    async def test_a_source_is_described_by_what_was_stored(self, catalogue: Catalogue) -> None:
        before = int(time.time())
        file = await catalogue.put("docs/ä.txt", blocks(SMALL))
        told = (await catalogue.open("docs/ä.txt")).representation
        digest = hashlib.sha256(SMALL).digest()
        assert (told.size, told.filename, told.media_type) == (12, "ä.txt", "text/plain; charset=utf-8")
        assert told.digest == file.sha256 == digest
        assert told.validators.etag is not None
        assert (told.validators.etag.opaque, told.validators.etag.weak) == (digest.hex(), False)
        assert told.validators.last_modified == file.created
        assert before - 1 <= file.created <= time.time() + 1
        assert told.ranges

    async def test_a_media_type_that_was_given_is_kept(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.txt", blocks(SMALL), media_type="application/x-test")
        assert (await catalogue.open("a.txt")).representation.media_type == "application/x-test"

    async def test_replaced_in_the_middle_the_old_version_goes_on(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        change = partial(catalogue.put, "a.bin", blocks(LARGE[::-1]), replace=True)
        assert await read_while(source, _nothing_of(change)) == (LARGE, True)
        assert await read_whole(catalogue, "a.bin") == LARGE[::-1]

    async def test_removed_in_the_middle_the_old_version_goes_on(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        assert await read_while(source, partial(catalogue.remove, "a.bin")) == (LARGE, True)

    async def test_freed_in_the_middle_it_ends_short_and_stays_ended(self, catalogue: Catalogue) -> None:
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

    async def test_freed_between_opening_and_reading_it_is_changed(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(SMALL))
        source = await catalogue.open("a.bin")
        await catalogue.remove("a.bin")
        await catalogue.gc(0)
        with pytest.raises(SourceChanged):
            await read(source, 0, 12)

    async def test_a_thousand_cancelled_reads_leave_everything_usable(self, catalogue: Catalogue) -> None:
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

    async def test_readers_who_take_nothing_keep_nobody_waiting(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        stalled = [source.read(ByteRange(0, len(LARGE))) for _ in range(50)]
        assert all(LARGE.startswith(await anext(chunks)) for chunks in stalled)
        assert await asyncio.wait_for(read_whole(catalogue, "a.bin"), 10) == LARGE
        await asyncio.wait_for(catalogue.put("b.bin", blocks(SMALL)), 10)
        for chunks in stalled:
            await chunks.aclose()

    async def test_a_read_that_is_left_again_and_again_harms_nobody(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.bin", blocks(LARGE))
        source = await catalogue.open("a.bin")
        for _ in range(100):
            async with aclosing(source.read(ByteRange(0, len(LARGE)))) as chunks:
                assert LARGE.startswith(await anext(chunks))
        assert await content_of(source) == LARGE


class _Naming:
    """Names, identifiers and listings."""

    async def test_every_proper_name_can_be_used(self, catalogue: Catalogue) -> None:
        for name in GOOD_NAMES:
            await catalogue.put(name, blocks(name.encode()))
        for name in GOOD_NAMES:
            assert await read_whole(catalogue, name) == name.encode()
        assert sorted(file.name for file in await catalogue.files()) == sorted(GOOD_NAMES)

    @pytest.mark.parametrize("name", BAD_NAMES)
    async def test_no_other_name_can(self, catalogue: Catalogue, name: str) -> None:
        with pytest.raises(ValueError, match="name"):
            await catalogue.put(name, blocks(SMALL))
        for refused in (catalogue.open, catalogue.remove):
            with pytest.raises(NotFound):
                await refused(name)
        assert await catalogue.files() == []

    async def test_names_that_look_alike_are_two(self, catalogue: Catalogue) -> None:
        names = ["é", unicodedata.normalize("NFD", "é"), "É", "e"]
        for name in names:
            await catalogue.put(name, blocks(name.encode()))
        assert [await read_whole(catalogue, name) for name in names] == [name.encode() for name in names]

    @pytest.mark.parametrize("name", ["a%", "a_c", "%", "_", "a%/b", "A*", "abc%"])
    async def test_a_name_is_no_pattern(self, catalogue: Catalogue, name: str) -> None:
        await catalogue.put("abc/def", blocks(SMALL))
        with pytest.raises(NotFound) as raised:
            await catalogue.open(name)
        assert not isinstance(raised.value, IsDirectory)
        with pytest.raises(NotFound):
            await catalogue.list(name)

    async def test_the_beginning_of_a_name_is_a_directory(self, catalogue: Catalogue) -> None:
        await catalogue.put("abc/def/ghi", blocks(SMALL))
        for key in ("", "abc", "abc/def"):
            with pytest.raises(IsDirectory):
                await catalogue.open(key)
        with pytest.raises(NotFound) as raised:
            await catalogue.open("ab")
        assert not isinstance(raised.value, IsDirectory)

    async def test_directories_are_listed_before_files(self, catalogue: Catalogue) -> None:
        assert (await catalogue.list("")).entries == ()
        names = ["b/2", "b/1/x", "b/1/y", "a", "z/q", "b0", "b-", "b.c"]
        files = {name: await catalogue.put(name, blocks(name.encode())) for name in names}
        top, below = await catalogue.list(""), await catalogue.list("b")
        assert [entry.name for entry in top.entries] == ["b", "z", "a", "b-", "b.c", "b0"]
        assert below.entries == (
            Entry("1", is_directory=True),
            Entry("2", is_directory=False, size=3, modified=files["b/2"].created),
        )

    async def test_files_are_told_by_name(self, catalogue: Catalogue) -> None:
        put = {name: await catalogue.put(name, blocks(name.encode())) for name in ("b", "a/c", "é", "a", "Z")}
        assert await catalogue.files() == [put[name] for name in sorted(put)]

    async def test_a_file_is_found_by_either_identifier(self, catalogue: Catalogue) -> None:
        await catalogue.put("other", blocks(b"other"))
        file = await catalogue.put("a.txt", blocks(SMALL))
        for identifier in ("integer", "token"):
            kind: Identifier = identifier  # type: ignore[assignment]
            assert await content_of(await catalogue.open_id(file.public(kind), kind)) == SMALL
            assert await read_whole(ById(catalogue, kind), file.public(kind)) == SMALL
        assert len(file.token) >= 22

    @pytest.mark.parametrize("public", ABSENT_IDS)
    async def test_what_is_no_identifier_is_not_found(self, catalogue: Catalogue, public: str) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        with pytest.raises(NotFound):
            await catalogue.open_id(public if public != "2" else str(file.id + 1), "integer")
        with pytest.raises(NotFound):
            await catalogue.open_id(public, "token")

    async def test_a_token_is_compared_exactly(self, catalogue: Catalogue) -> None:
        token = (await catalogue.put("a.txt", blocks(SMALL))).token
        for other in (token.swapcase(), f"{token} ", f"{token}\0", token[:-1], f"{token}=", "%", "_" * len(token)):
            with pytest.raises(NotFound):
                await catalogue.open_id(other, "token")

    async def test_identifiers_are_of_one_kind(self, catalogue: Catalogue) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        with pytest.raises(NotFound):
            await catalogue.open_id(file.token, "integer")
        with pytest.raises(NotFound):
            await catalogue.open_id(str(file.id), "token")


class _Writing:
    """Putting, replacing, removing, and freeing what is left over."""

    async def test_a_name_that_is_taken_is_refused(self, catalogue: Catalogue) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        with pytest.raises(AlreadyThere):
            await catalogue.put("a.txt", blocks(b"another"))
        assert await catalogue.files() == [file]
        assert await read_whole(catalogue, "a.txt") == SMALL

    async def test_replacing_keeps_the_identifiers_and_nothing_else(self, catalogue: Catalogue) -> None:
        before = await catalogue.put("a.txt", blocks(SMALL))
        after = await catalogue.put("a.txt", blocks(LARGE), replace=True, media_type="image/png")
        assert (after.id, after.token, after.name) == (before.id, before.token, before.name)
        assert after.version != before.version
        assert (after.size, after.media_type, after.sha256) == (len(LARGE), "image/png", hashlib.sha256(LARGE).digest())
        assert await catalogue.files() == [after]

    async def test_to_replace_what_is_not_there_is_to_put_it(self, catalogue: Catalogue) -> None:
        await catalogue.put("a.txt", blocks(SMALL), replace=True)
        assert await read_whole(catalogue, "a.txt") == SMALL

    async def test_the_tag_changes_with_the_bytes_alone(self, catalogue: Catalogue) -> None:
        tags = []
        for data in (SMALL, SMALL[::-1], SMALL):
            await catalogue.put("a.txt", blocks(data), replace=True)
            tags.append((await catalogue.open("a.txt")).representation.validators.etag)
        assert tags[0] == tags[2] != tags[1]

    async def test_what_was_removed_is_gone(self, catalogue: Catalogue) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.remove("a.txt")
        for opening in (catalogue.open("a.txt"), catalogue.open_id(file.token, "token"), catalogue.remove("a.txt")):
            with pytest.raises(NotFound):
                await opening
        with pytest.raises(NotFound):
            await catalogue.open_id(str(file.id), "integer")
        assert await catalogue.files() == []

    async def test_identifiers_are_never_given_twice(self, catalogue: Catalogue) -> None:
        first = await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.remove("a.txt")
        await catalogue.gc(0)
        second = await catalogue.put("a.txt", blocks(SMALL))
        assert first.id != second.id
        assert first.token != second.token
        assert first.version != second.version

    async def test_only_what_was_retired_long_enough_ago_is_freed(self, catalogue: Catalogue) -> None:
        for data in (LARGE, SMALL):
            await catalogue.put("a.txt", blocks(data), replace=True)
        await catalogue.put("b.txt", blocks(b"b"))
        await catalogue.remove("b.txt")
        assert await catalogue.gc(3600) == 0
        assert await catalogue.gc(0) == len(LARGE) + 1
        assert await catalogue.gc(0) == 0
        assert await checked(catalogue) == ["a.txt"]

    async def test_nobody_sees_a_file_before_its_last_byte(self, catalogue: Catalogue, fresh: Fresh) -> None:
        upload, other = Upload(LARGE), fresh()
        putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
        await upload.halfway.wait()
        with pytest.raises(NotFound):
            await other.open("a.bin")
        assert await other.files() == []
        assert (await other.list("")).entries == ()
        upload.go_on.set()
        await putting
        assert await read_whole(other, "a.bin") == LARGE

    async def test_uploads_that_wait_keep_nobody_waiting(self, catalogue: Catalogue) -> None:
        uploads = [Upload(LARGE[: 2 * CHUNK]) for _ in range(20)]
        async with asyncio.TaskGroup() as tasks:
            putting = [
                tasks.create_task(catalogue.put(f"{place}", upload.blocks())) for place, upload in enumerate(uploads)
            ]
            for upload in uploads:
                await upload.halfway.wait()
            await asyncio.wait_for(catalogue.put("z", blocks(SMALL)), 10)
            assert await asyncio.wait_for(read_whole(catalogue, "z"), 10) == SMALL
            for upload in uploads:
                upload.go_on.set()
        assert {task.result().name for task in putting} == {f"{place}" for place in range(20)}
        assert len(await checked(catalogue)) == 21

    async def test_an_upload_that_fails_leaves_nothing(self, catalogue: Catalogue) -> None:
        upload = Upload(LARGE)
        upload.go_on.set()
        with pytest.raises(ConnectionResetError):
            await catalogue.put("a.bin", upload.blocks(ConnectionResetError()))
        await self._left_nothing(catalogue)

    async def test_an_upload_that_fails_leaves_the_version_before(self, catalogue: Catalogue) -> None:
        before = await catalogue.put("a.bin", blocks(SMALL))
        upload = Upload(LARGE)
        upload.go_on.set()
        with pytest.raises(ConnectionResetError):
            await catalogue.put("a.bin", upload.blocks(ConnectionResetError()), replace=True)
        assert await catalogue.files() == [before]
        assert await read_whole(catalogue, "a.bin") == SMALL

    async def test_an_upload_that_is_cancelled_leaves_nothing(self, catalogue: Catalogue) -> None:
        upload = Upload(LARGE)
        putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
        await upload.halfway.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        await self._left_nothing(catalogue)

    @staticmethod
    async def _left_nothing(catalogue: Catalogue) -> None:
        with pytest.raises(NotFound):
            await catalogue.open("a.bin")
        assert await catalogue.files() == []
        await catalogue.gc(0)
        assert await catalogue.gc(0) == 0
        await catalogue.put("a.bin", blocks(SMALL))
        assert await checked(catalogue) == ["a.bin"]

    async def test_cancelled_anywhere_an_upload_is_there_wholly_or_not_at_all(self, catalogue: Catalogue) -> None:
        for steps in range(25):
            putting = asyncio.create_task(catalogue.put("a.bin", blocks(LARGE[: 2 * CHUNK]), replace=True))
            for _ in range(steps):
                await asyncio.sleep(0)
            putting.cancel()
            await asyncio.gather(putting, return_exceptions=True)
            assert await checked(catalogue) in ([], ["a.bin"])
        await catalogue.put("a.bin", blocks(LARGE), replace=True)
        await catalogue.gc(0)
        assert await read_whole(catalogue, "a.bin") == LARGE

    async def test_of_two_who_put_one_name_one_is_refused(self, catalogue: Catalogue, fresh: Fresh) -> None:
        uploads = Upload(LARGE), Upload(LARGE[::-1])
        putting = [
            asyncio.create_task(each.put("a.bin", upload.blocks()))
            for each, upload in zip((catalogue, fresh()), uploads, strict=True)
        ]
        for upload in uploads:
            await upload.halfway.wait()
        for upload in uploads:
            upload.go_on.set()
        first, second = await asyncio.gather(*putting, return_exceptions=True)
        kept, refused = (first, second) if isinstance(first, Stored) else (second, first)
        assert isinstance(refused, AlreadyThere)
        assert await catalogue.files() == [kept]
        assert await read_whole(catalogue, "a.bin") == (LARGE if kept is first else LARGE[::-1])

    async def test_of_two_who_replace_one_name_both_succeed(self, catalogue: Catalogue, fresh: Fresh) -> None:
        other = fresh()
        first, second = await asyncio.gather(
            catalogue.put("a.bin", blocks(LARGE), replace=True), other.put("a.bin", blocks(SMALL), replace=True)
        )
        (file,) = await catalogue.files()
        assert file in (first, second)
        assert (first.id, first.token) == (second.id, second.token)
        await catalogue.gc(0)
        assert await checked(catalogue) == ["a.bin"]

    async def test_an_upload_in_progress_is_no_leftover(self, catalogue: Catalogue) -> None:
        upload = Upload(LARGE)
        putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
        await upload.halfway.wait()
        await catalogue.gc(3600)
        upload.go_on.set()
        await putting
        assert await checked(catalogue) == ["a.bin"]

    async def test_freed_without_any_grace_an_upload_is_whole_or_fails(self, catalogue: Catalogue) -> None:
        upload = Upload(LARGE * 8)
        putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
        await upload.halfway.wait()
        await catalogue.gc(0)
        upload.go_on.set()
        with suppress(SourceError):
            await putting
        assert await checked(catalogue) in ([], ["a.bin"])
        await catalogue.gc(0)
        assert await catalogue.gc(0) == 0

    async def test_a_killed_upload_leaves_nothing_and_takes_nothing(
        self, catalogue: Catalogue, fresh: Fresh, url: str
    ) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _KILLED, url, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        process.kill()
        await process.wait()
        for each in (catalogue, fresh()):
            with pytest.raises(NotFound):
                await each.open("half")
            assert await read_whole(each, "kept") == b"kept"
            assert await checked(each) == ["kept"]
        await catalogue.put("half", blocks(SMALL))
        await catalogue.gc(0)
        assert await catalogue.gc(0) == 0
        assert await checked(fresh()) == ["half", "kept"]


class _Administering:
    """Schemas, checks and closing."""

    async def test_another_catalogue_of_the_database_sees_the_same(self, catalogue: Catalogue, fresh: Fresh) -> None:
        await catalogue.put("a.txt", blocks(SMALL))
        other = fresh()
        assert await read_whole(other, "a.txt") == SMALL
        assert await other.files() == await catalogue.files()
        await other.remove("a.txt")
        with pytest.raises(NotFound):
            await catalogue.open("a.txt")

    async def test_to_initialise_again_changes_nothing(self, catalogue: Catalogue, fresh: Fresh) -> None:
        file = await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.init()
        await fresh().init()
        assert await fresh().files() == [file]
        assert await checked(catalogue) == ["a.txt"]

    @pytest.mark.parametrize(
        "use",
        [
            pytest.param(lambda bare: bare.open("a.txt"), id="open"),
            pytest.param(lambda bare: bare.open_id("1", "integer"), id="open by integer"),
            pytest.param(lambda bare: bare.open_id("x", "token"), id="open by token"),
            pytest.param(lambda bare: bare.list(""), id="list"),
            pytest.param(lambda bare: bare.files(), id="files"),
            pytest.param(lambda bare: bare.put("a.txt", blocks(SMALL)), id="put"),
            pytest.param(lambda bare: bare.remove("a.txt"), id="remove"),
            pytest.param(lambda bare: bare.gc(0), id="gc"),
            pytest.param(lambda bare: _all(bare.check()), id="check"),
        ],
    )
    async def test_without_a_schema_it_says_what_to_do(
        self, bare: Catalogue, use: Callable[[Catalogue], Awaitable[object]]
    ) -> None:
        with pytest.raises(SourceError, match=r"\A.*has no tables.*async-downloads db init --database .*\Z") as raised:
            await use(bare)
        assert type(raised.value) is SourceError

    async def test_what_had_no_schema_is_usable_once_it_has(self, bare: Catalogue) -> None:
        with pytest.raises(DownloadError):
            await bare.files()
        await bare.init()
        await bare.put("a.txt", blocks(SMALL))
        assert await checked(bare) == ["a.txt"]

    async def test_nothing_to_check_is_nothing_wrong(self, catalogue: Catalogue) -> None:
        assert await checked(catalogue) == []

    async def test_a_check_reads_every_file(self, catalogue: Catalogue) -> None:
        for name, data in {"b": LARGE, "a": SMALL, "empty": b""}.items():
            await catalogue.put(name, blocks(data))
        assert await checked(catalogue) == ["a", "b", "empty"]

    async def test_what_is_taken_away_during_a_check_is_no_damage(self, catalogue: Catalogue) -> None:
        for name in "abc":
            await catalogue.put(name, blocks(LARGE))
        async with aclosing(catalogue.check()) as found:
            files = [await anext(found)]
            await catalogue.remove("b")
            await catalogue.put("c", blocks(SMALL), replace=True)
            await catalogue.gc(0)
            files += [file async for file in found]
        assert all(isinstance(file, Stored) for file in files)

    async def test_to_close_again_does_nothing(self, catalogue: Catalogue, fresh: Fresh) -> None:
        await catalogue.put("a.txt", blocks(SMALL))
        await catalogue.aclose()
        await catalogue.aclose()
        assert await read_whole(fresh(), "a.txt") == SMALL

    async def test_what_was_never_used_can_be_closed(self, fresh: Fresh) -> None:
        await fresh().aclose()


class CatalogueContract(_Reading, _Naming, _Writing, _Administering):
    """The promises of a catalogue."""


async def _all(found: AsyncGenerator[object, None]) -> list[object]:
    async with aclosing(found):
        return [each async for each in found]


def _nothing_of(change: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def changed() -> None:
        await change()

    return changed
