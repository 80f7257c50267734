"""Read the members of an archive, and compute their checksums meanwhile."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from ...open_file import FileRegion
from ...semantics.ranges import ByteRange
from ...threads import abandon
from ..base import OnDisk, Source, SupportsChecksum, SupportsOpenMany
from .checksums import ArchiveChecksums, Prefix
from .member import ArchiveMember, StoredFileOpener

__all__ = ["Chunks", "MemberReader"]


_SMALL_BYTES: Final = 64 * 1024  # a member up to this size is opened together with those that follow
_MOST_AHEAD: Final = 16  # small members that are open
Chunks = AsyncGenerator[bytes | FileRegion, None]
_STEP_BYTES: Final = 16 * 1024 * 1024  # of a member that is hashed; after each step its checksum is remembered


class MemberReader:
    """Reads members for one range of an archive. With `in_regions` it yields regions of files where it can.

    Owner: the read of that range, which closes it. The last used member is open, and so are small members after it: a
    thread opens 16 of them almost as fast as one.
    """

    def __init__(self, members: Sequence[ArchiveMember], checksums: ArchiveChecksums, *, in_regions: bool) -> None:
        self._members = members
        self._checksums = checksums
        self._in_regions = in_regions
        self._index = -1  # of the member that is open
        self._source: Source | None = None
        self._ahead: dict[int, Source] = {}

    async def data(self, index: int, span: ByteRange, *, hashed: bool) -> Chunks:
        """Yield bytes of a member. With `hashed`, the bytes continue the known checksum if they begin where it ends.

        Regions are hashed by threads while the caller sends them. Raises SourceError if the member has changed.
        """
        source, offset = await self._open(index), span.start
        found: Chunks = source.regions(span) if self._in_regions and isinstance(source, OnDisk) else source.read(span)
        async with aclosing(found) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, bytes):
                    if hashed:
                        self._hash(index, offset, chunk)
                    yield chunk
                    offset += len(chunk)
                    continue
                stop = offset + chunk.size
                hashing = self._begin_hashing(index, source, ByteRange(offset, stop)) if hashed else None
                try:
                    yield chunk
                    if hashing:
                        await hashing
                finally:
                    abandon(hashing)
                offset = stop

    async def checksum(self, index: int) -> int:
        """Return the CRC-32 of a member. Read those of its bytes that are not hashed yet."""
        size, known = self._members[index].entry.size, self._known(index)
        while known.length < size:
            span = ByteRange(known.length, min(known.length + _STEP_BYTES, size))
            await self._hash_span(index, await self._open(index), span, known.checksum)
            known = self._known(index)
        return known.checksum

    async def _open(self, index: int) -> Source:
        if self._source is None or self._index != index:
            await self._close_current()
            self._source, self._index = await self._opened(index), index
            await asyncio.sleep(0)  # otherwise thousands of small members could be read without a turn for other tasks
        return self._source

    async def _opened(self, index: int) -> Source:
        if index not in self._ahead:
            await self._open_ahead(index)
        member, source = self._members[index], self._ahead.pop(index, None)
        return await (member.checked(source) if source else member.open_unchanged())

    async def _open_ahead(self, index: int) -> None:
        """Open this member and the next ones while they are small files of one store that has `open_many`."""
        await self._close_ahead()
        first = self._members[index].open
        if not isinstance(first, StoredFileOpener) or not isinstance(first.store, SupportsOpenMany):
            return
        keys: dict[int, str] = {}
        for each in range(index, min(index + _MOST_AHEAD, len(self._members))):
            entry, opener = self._members[each].entry, self._members[each].open
            if entry.size > _SMALL_BYTES or not isinstance(opener, StoredFileOpener) or opener.store is not first.store:
                break
            if entry.size:
                keys[each] = opener.key
        if len(keys) > 1:
            found = await first.store.open_many(list(keys.values()))
            self._ahead = {each: source for each, source in zip(keys, found, strict=True) if source}

    def _known(self, index: int) -> Prefix:
        return self._checksums.get(index, self._members[index].version)

    def _remember(self, index: int, length: int, checksum: int) -> None:
        self._checksums.put(index, self._members[index].version, Prefix(length, checksum))

    def _hash(self, index: int, offset: int, chunk: bytes) -> None:
        """Continue the checksum with a chunk in memory."""
        known, stop = self._known(index), offset + len(chunk)
        if offset <= known.length < stop:
            self._remember(index, stop, zlib.crc32(memoryview(chunk)[known.length - offset :], known.checksum))

    def _begin_hashing(self, index: int, source: Source, span: ByteRange) -> "asyncio.Task[None] | None":
        """Continue the checksum with a span that is being sent from the file itself."""
        known = self._known(index)
        if not span.start <= known.length < span.stop:
            return None
        rest = ByteRange(known.length, span.stop)
        return asyncio.create_task(self._hash_span(index, source, rest, known.checksum))

    async def _hash_span(self, index: int, source: Source, span: ByteRange, checksum: int) -> None:
        """Continue the checksum from the start of the span to its end."""
        if isinstance(source, SupportsChecksum):
            checksum = await source.crc32(span, checksum)
        else:
            async with aclosing(source.read(span)) as chunks:
                async for chunk in chunks:
                    checksum = zlib.crc32(chunk, checksum)
                    await asyncio.sleep(0)
        self._remember(index, span.stop, checksum)

    async def aclose(self) -> None:
        """Close the members that are open."""
        await self._close_current()
        await self._close_ahead()

    async def _close_ahead(self) -> None:
        while self._ahead:
            await self._ahead.popitem()[1].aclose()

    async def _close_current(self) -> None:
        source, self._source = self._source, None
        if source and not self._members[self._index].source:
            await source.aclose()
