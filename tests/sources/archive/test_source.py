"""An archive as a source: any range, checksums that are remembered, and members that change."""

import asyncio
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

import pytest
from harness.process import descriptors
from harness.sources import SlicedSource
from harness.waiting import eventually

from async_downloads.errors import Forbidden, SourceBusy, SourceChanged, SourceError
from async_downloads.open_file import FileRegion
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation, Validators
from async_downloads.sources.archive import checksums, member_reader, zip_format
from async_downloads.sources.archive.layout import Member
from async_downloads.sources.archive.member import ArchiveMember
from async_downloads.sources.archive.source import ArchiveKind, ArchiveSource
from async_downloads.sources.base import Source
from async_downloads.sources.directory import DirectoryStore
from async_downloads.sources.files import FileSource
from async_downloads.sources.memory import MemorySource
from sources.archive.unpacking import unpacked, whole
from sources.contract import read

CONTENTS: Final = {
    "large.bin": Random(1).randbytes(9 * 1024 * 1024),
    "medium.bin": Random(2).randbytes(70_000),
    "small.txt": b"small",
    "empty": b"",
}
KINDS: Final[tuple[ArchiveKind, ...]] = ("zip", "tar")


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> checksums._ChecksumMemory:
    """Begin each test with no checksum remembered; the largest file has its checksum behind its data."""
    memory = checksums._ChecksumMemory()
    monkeypatch.setattr(checksums, "_memory", memory)
    monkeypatch.setattr(zip_format, "_CHECKED_FIRST_BYTES", 1024 * 1024)
    return memory


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """A directory with the contents."""
    for name, data in CONTENTS.items():
        (tmp_path / name).write_bytes(data)
    return DirectoryStore(tmp_path)


@pytest.fixture
async def members(store: DirectoryStore) -> list[ArchiveMember]:
    """The files of the directory as members."""
    return [await _member(store, name) for name in CONTENTS]


async def _member(store: DirectoryStore, name: str) -> ArchiveMember:
    source = await store.open(name)
    await source.aclose()
    found = source.representation
    version = source.version if isinstance(source, FileSource) else None
    entry = Member(name, found.size or 0, found.validators.last_modified or 0)
    return ArchiveMember(entry, partial(store.open, name), etag=found.validators.etag, version=version)


async def in_regions(archive: ArchiveSource, start: int, stop: int) -> tuple[bytes, int]:
    """Read a span as regions, each before the next one, as a server sends them. Return the bytes of regions, too."""
    joined, sent = bytearray(), 0
    async with aclosing(archive.regions(ByteRange(start, stop))) as chunks:
        async for chunk in chunks:
            if isinstance(chunk, FileRegion):
                sent += chunk.size
                chunk = os.pread(chunk.file.fd, chunk.size, chunk.offset)
            joined += chunk
    return bytes(joined), sent


@pytest.mark.parametrize("kind", KINDS)
async def test_the_archive_has_the_described_size_and_all_members(
    members: list[ArchiveMember], kind: ArchiveKind
) -> None:
    archive = ArchiveSource(members, "all", kind)
    data = await whole(archive)
    assert len(data) == archive.representation.size
    assert unpacked(data, kind) == CONTENTS
    assert archive.representation.filename == f"all.{kind}"


@pytest.mark.parametrize("kind", KINDS)
async def test_two_archives_have_the_same_bytes_and_the_same_strong_etag(
    members: list[ArchiveMember], kind: ArchiveKind
) -> None:
    first, second = ArchiveSource(members, "all", kind), ArchiveSource(members, "all", kind)
    assert await whole(first) == await whole(second)
    assert first.representation == second.representation
    tag = first.representation.validators.etag
    assert tag
    assert tag.strongly_equals(second.representation.validators.etag)


async def test_a_zip_and_a_tar_have_different_etags(members: list[ArchiveMember]) -> None:
    tags = {ArchiveSource(members, "all", kind).representation.validators.etag for kind in KINDS}
    assert len(tags) == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_any_range_of_a_new_archive_is_the_slice_of_the_whole(
    members: list[ArchiveMember], kind: ArchiveKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = await whole(ArchiveSource(members, "all", kind))
    random = Random(3)
    edges = [0, 1, len(data) - 1, len(data), len(CONTENTS["large.bin"]) + 39, *random.sample(range(len(data)), 20)]
    for start, stop in pairwise(random.sample(edges, len(edges))):
        start, stop = sorted((start, stop))
        monkeypatch.setattr(checksums, "_memory", checksums._ChecksumMemory())
        for reading in (read, lambda *span: _bytes_of(in_regions(*span))):
            assert await reading(ArchiveSource(members, "all", kind), start, stop) == data[start:stop]


async def _bytes_of(reading: Awaitable[tuple[bytes, int]]) -> bytes:
    return (await reading)[0]


@pytest.mark.parametrize("kind", KINDS)
async def test_large_members_are_sent_as_regions_of_their_files(
    members: list[ArchiveMember], kind: ArchiveKind
) -> None:
    data = await whole(ArchiveSource(members, "all", kind))
    sent, regions = await in_regions(ArchiveSource(members, "all", kind), 0, len(data))
    assert sent == data
    assert regions > len(CONTENTS["large.bin"])


class CountingSource:
    """A source in memory that counts the bytes that were read of it."""

    def __init__(self, data: bytes, etag: str = "1") -> None:
        self.representation = Representation(len(data), validators=Validators(ETag(etag), 5))
        self.count = 0
        self._data = data

    async def read(self, span: ByteRange) -> AsyncIterator[bytes]:
        for start in range(span.start, span.stop, 65_536):
            chunk = self._data[start : min(start + 65_536, span.stop)]
            self.count += len(chunk)
            yield chunk

    async def aclose(self) -> None:
        """Do nothing."""


def _counted(data: bytes, version: str | None = "v") -> tuple[CountingSource, ArchiveMember]:
    source = CountingSource(data)

    async def opened() -> Source:
        return source  # type: ignore[return-value] # an async generator is annotated as an iterator

    return source, ArchiveMember(Member("a", len(data)), opened, etag=ETag("1"), version=version)


async def test_a_resumed_archive_reads_no_byte_twice() -> None:
    source, member = _counted(CONTENTS["large.bin"])
    size = ArchiveSource([member], "all").representation.size or 0
    cut = size // 2
    first = await read(ArchiveSource([member], "all"), 0, cut)
    rest = await read(ArchiveSource([member], "all"), cut, size)
    assert source.count == len(CONTENTS["large.bin"])
    assert unpacked(first + rest, "zip") == {"a": CONTENTS["large.bin"]}


@pytest.mark.parametrize("version", ["v", None], ids=["remembered", "of one archive"])
async def test_the_end_of_an_archive_is_made_without_reading_what_is_hashed(version: str | None) -> None:
    source, member = _counted(CONTENTS["medium.bin"], version)
    archive = ArchiveSource([member], "all")
    data = await whole(archive)
    assert source.count == 2 * len(CONTENTS["medium.bin"])  # once for the checksum in front, once to send it
    assert await read(archive, len(data) - 78, len(data)) == data[-78:]
    assert source.count == 2 * len(CONTENTS["medium.bin"])


async def test_without_the_checksum_the_member_is_read_before_the_end_of_the_archive(
    members: list[ArchiveMember], memory: checksums._ChecksumMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = await whole(ArchiveSource(members, "all"))
    monkeypatch.setattr(checksums, "_memory", checksums._ChecksumMemory())
    assert await read(ArchiveSource(members, "all"), len(data) - 300, len(data)) == data[-300:]


async def test_what_was_hashed_before_a_cancelled_read_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_reader, "_STEP_BYTES", 1024 * 1024)
    source, member = _counted(CONTENTS["large.bin"])
    size = ArchiveSource([member], "all").representation.size or 0
    hashing = asyncio.create_task(read(ArchiveSource([member], "all"), size - 78, size))
    while source.count < 3 * 1024 * 1024:  # noqa: ASYNC110 - each step of the loop counts
        await asyncio.sleep(0)
    hashing.cancel()
    await asyncio.wait([hashing])
    before = source.count
    await read(ArchiveSource([member], "all"), size - 78, size)
    assert source.count - before <= len(CONTENTS["large.bin"]) - 2 * 1024 * 1024


async def test_a_tar_hashes_nothing(memory: checksums._ChecksumMemory, members: list[ArchiveMember]) -> None:
    await whole(ArchiveSource(members, "all", "tar"))
    assert not memory._prefixes


def test_the_memory_of_checksums_forgets_those_that_were_used_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = checksums._ChecksumMemory()
    monkeypatch.setattr(checksums._ChecksumMemory, "MAX_BYTES", 2 * checksums._ChecksumMemory.ENTRY_BYTES)
    for version in "abac":
        memory.put(version, checksums.Prefix(1, 1))
    assert [memory.get(version).length for version in "abc"] == [1, 0, 1]


async def test_a_longer_prefix_replaces_a_shorter_one_only(memory: checksums._ChecksumMemory) -> None:
    table = checksums.ArchiveChecksums(1)
    for length in (5, 9, 7):
        table.put(0, "v", checksums.Prefix(length, length))
    assert table.get(0, "v") == memory.get("v") == (9, 9)


Change = Callable[[Path], object]
CHANGES: Final = [
    pytest.param(lambda path: path.write_bytes(b"x" * path.stat().st_size), id="written in place"),
    pytest.param(lambda path: path.write_bytes(b"short"), id="shorter"),
    pytest.param(lambda path: path.unlink(), id="removed"),
    pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder now"),
    pytest.param(lambda path: (path.rename(f"{path}.old"), path.write_bytes(b"y")), id="replaced"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_member_that_changed_ends_the_archive_with_an_error(
    tmp_path: Path, members: list[ArchiveMember], change: Change, kind: ArchiveKind
) -> None:
    data = await whole(ArchiveSource(members, "all", kind))
    archive = ArchiveSource(members, "all", kind)
    change(tmp_path / "medium.bin")
    received = bytearray()
    with pytest.raises(SourceChanged, match=r"'medium\.bin'"):
        await _receive(archive, received, after_two=lambda: None)
    assert data.startswith(received)


async def test_a_member_that_changes_while_it_is_read_ends_the_archive_with_an_error(
    tmp_path: Path, members: list[ArchiveMember]
) -> None:
    large = tmp_path / "large.bin"
    archive = ArchiveSource(members, "all")
    with pytest.raises(SourceError):
        await _receive(archive, bytearray(), after_two=lambda: large.write_bytes(bytes(len(CONTENTS["large.bin"]))))


async def _receive(archive: ArchiveSource, received: bytearray, *, after_two: Callable[[], object]) -> None:
    """Read an archive whole, and call a function after the second chunk."""
    async with aclosing(archive.read(ByteRange(0, archive.representation.size or 0))) as chunks:
        count = 0
        async for chunk in chunks:
            received += chunk
            if (count := count + 1) == 2:
                after_two()


async def test_the_etag_changes_with_a_member(
    tmp_path: Path, store: DirectoryStore, members: list[ArchiveMember]
) -> None:
    before = ArchiveSource(members, "all").representation
    os.utime(tmp_path / "small.txt", (5, 5))
    after = ArchiveSource([await _member(store, name) for name in CONTENTS], "all").representation
    assert before.size == after.size
    assert before.validators.etag != after.validators.etag


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param([ETag("a"), ETag("b")], "strong", id="strong"),
        pytest.param([ETag("a"), ETag("b", weak=True)], "weak", id="one is weak"),
        pytest.param([ETag("a"), None], "none", id="one has none"),
    ],
)
def test_the_etag_is_as_strong_as_the_weakest_of_the_members(tags: list[ETag | None], expected: str) -> None:
    members = [ArchiveMember(Member(f"{number}", 1), etag=tag) for number, tag in enumerate(tags)]
    members.append(ArchiveMember(Member("folder/")))
    tag = ArchiveSource(members, "all").representation.validators.etag
    assert ("none" if tag is None else "weak" if tag.weak else "strong") == expected


@pytest.mark.parametrize(("error", "raised"), [(Forbidden("no"), SourceChanged), (SourceBusy("later"), SourceBusy)])
async def test_a_member_that_cannot_be_opened_ends_the_archive(error: Exception, raised: type[Exception]) -> None:
    async def refuse() -> Source:
        raise error

    with pytest.raises(raised):
        await whole(ArchiveSource([ArchiveMember(Member("a", 1), refuse)], "all"))


async def test_sources_that_are_open_become_members_and_are_closed_with_the_archive() -> None:
    sources = [SlicedSource(b"first"), SlicedSource(b"second")]
    members = [ArchiveMember.of_source("x/same.txt", source) for source in sources]
    archive = ArchiveSource(members, "all")
    assert unpacked(await whole(archive), "zip") == {"x/same.txt": b"first", "x/same (2).txt": b"second"}
    assert not any(source.closed for source in sources)
    await archive.aclose()
    assert all(source.closed for source in sources)


def test_a_source_of_unknown_size_is_no_member() -> None:
    with pytest.raises(ValueError, match="'a': the size of a member must be known"):
        ArchiveMember.of_source("a", MemorySource(b"", Representation(None)))


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("reading", [read, in_regions])
async def test_a_read_that_is_abandoned_leaves_no_file_open(
    tmp_path: Path, members: list[ArchiveMember], steps: int, reading: Callable[..., Awaitable[object]]
) -> None:
    archive = ArchiveSource(members, "all")
    produce = archive.read if reading is read else archive.regions
    async with aclosing(produce(ByteRange(0, archive.representation.size or 0))) as chunks:
        for _ in range(steps):
            await anext(chunks, None)
    await eventually(lambda: not [place for place in descriptors().values() if place.startswith(str(tmp_path))])


async def test_the_checksum_of_a_file_is_computed_in_threads(store: DirectoryStore) -> None:
    source = await store.open("large.bin")
    assert isinstance(source, FileSource)
    data = CONTENTS["large.bin"]
    assert await source.crc32(ByteRange(0, len(data))) == zlib.crc32(data)
    assert await source.crc32(ByteRange(5, 9), zlib.crc32(data[:5])) == zlib.crc32(data[:9])
    await source.aclose()
