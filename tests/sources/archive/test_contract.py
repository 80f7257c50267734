"""The contract of sources, kept by the bytes of a member as they come out of an archive."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.sources.archive.layout import Member
from async_downloads.sources.archive.member import ArchiveMember
from async_downloads.sources.archive.source import ArchiveKind, ArchiveSource
from async_downloads.sources.base import Source
from async_downloads.sources.directory import DirectoryStore
from sources.contract import CONTENTS, StoreContract
from sources.test_directory import DirectoryBench


@dataclass
class _Inside:
    """The second of three members of an archive, as a source."""

    archive: ArchiveSource
    offset: int
    representation: Representation

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        async for chunk in self.archive.read(ByteRange(self.offset + span.start, self.offset + span.stop)):
            yield chunk

    async def aclose(self) -> None:
        await self.archive.aclose()


@dataclass
class _ArchivedStore:
    """A store that reads each file of another one out of an archive."""

    inner: DirectoryStore
    kind: ArchiveKind

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        source = await self.inner.open(key, codings=codings)
        await source.aclose()
        found = source.representation
        size = found.size or 0
        member = ArchiveMember(Member("file", size), partial(self.inner.open, key), etag=found.validators.etag)
        others = [ArchiveMember(Member(name)) for name in ("before/", "behind/")]
        archive = ArchiveSource([others[0], member, others[1]], "archive", self.kind)
        before = ArchiveSource([others[0], ArchiveMember(Member("file"))], "archive", self.kind)
        return _Inside(archive, before._layout._directory, replace(found, size=size))


@dataclass
class _ArchivedBench(DirectoryBench):
    kind: ArchiveKind

    @property
    def store(self) -> _ArchivedStore:  # type: ignore[override] # it holds the same contents
        return _ArchivedStore(DirectoryStore(self.root), self.kind)


class TestArchivedFiles(StoreContract):
    """The contract of stores, through an archive."""

    @pytest.fixture(params=["zip", "tar"])
    async def bench(self, request: pytest.FixtureRequest, tmp_path: Path) -> _ArchivedBench:
        bench = _ArchivedBench(tmp_path, request.param)
        for key, data in CONTENTS.items():
            await bench.put(key, data)
        return bench
