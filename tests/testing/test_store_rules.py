"""A store that breaks a rule of the contract fails the check, and the message has the rule."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from itertools import count

import pytest

from async_downloads.errors import IsDirectory, NotFound
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.sources.base import Listing, Source, Store
from async_downloads.sources.memory import MemorySource
from async_downloads.testing import ContractError, check_store
from testing.stores import CONTENTS, RightStore, memory_source


class _OtherBytes(RightStore):
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        source = await self.inner.open(key)
        return MemorySource(source.data[::-1], source.representation)


class _NewEtags(RightStore):
    versions = count()

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        return memory_source((await self.inner.open(key)).data, ETag(f"v{next(self.versions)}"))


class _Shared:
    """A source that all callers share: the first one that closes it closes it for all."""

    def __init__(self, data: bytes) -> None:
        self.representation = Representation(len(data))
        self.data = data
        self.opened = 0

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        for start in range(span.start, span.stop, 100_000):
            yield self.data[start : min(start + 100_000, span.stop)] if self.opened > 0 else b""
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        self.opened -= 1


class _CountsCloses(RightStore):
    """It counts every close, also the second one of the same caller."""

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        await self.inner.open(key)
        found: _Shared = vars(self).setdefault(key, _Shared(CONTENTS[key]))
        found.opened = max(found.opened, 0) + 1
        return found


class _Counted:
    """A source that its store counts as open, until it is closed; `reading` counts the readers."""

    def __init__(self, source: MemorySource, opened: "set[_Counted]") -> None:
        self.representation = source.representation
        self.inner = source
        self.opened = opened
        self.reading = 0
        opened.add(self)

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        self.reading += 1
        try:
            async for chunk in self.inner.read(span):
                await asyncio.sleep(0)
                yield chunk
        finally:
            try:
                await asyncio.sleep(0)
            finally:
                self.reading -= 1

    async def aclose(self) -> None:
        self.opened.discard(self)


class _TwoReaders(RightStore):
    """No more than two sources can be open."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: set[_Counted] = set()

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        source = await self.inner.open(key)
        if len(self.opened) == 2:
            raise OSError("too many readers")
        return _Counted(source, self.opened)


class _Busy(_Counted):
    """A source that cannot be closed while a read ends."""

    async def aclose(self) -> None:
        if self.reading:
            raise RuntimeError("a read has not ended")


class _NeedsIdleSources(RightStore):
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        return _Busy(await self.inner.open(key), set())


class _IgnoresSlashes(RightStore):
    """It removes slashes from the end of a key."""

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        return await self.inner.open(key.rstrip("/"))


class _OnlyNotFound(RightStore):
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        try:
            return await self.inner.open(key)
        except NotFound:
            raise NotFound(key) from None


class _OnlyDirectories(RightStore):
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        try:
            return await self.inner.open(key)
        except NotFound:
            raise IsDirectory(key) from None


class _KeyError(RightStore):
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        return self.inner.sources[key]


class _CodingsNeeded(RightStore):
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        if codings:
            raise NotFound(key)
        return await self.inner.open(key)


class _Unsorted(RightStore):
    async def list(self, key: str) -> Listing:
        return Listing((await self.inner.list(key)).entries[::-1])


class _Truncated(RightStore):
    async def list(self, key: str) -> Listing:
        return Listing((await self.inner.list(key)).entries, truncated=True)


class _OtherSizes(RightStore):
    async def list(self, key: str) -> Listing:
        entries = (await self.inner.list(key)).entries
        return Listing(tuple(replace(entry, size=7) for entry in entries))


class _ListsAnything(RightStore):
    async def list(self, key: str) -> Listing:
        try:
            return await self.inner.list(key)
        except NotFound:
            return Listing(())


@pytest.mark.parametrize(
    ("make", "rule", "fact"),
    [
        pytest.param(_OtherBytes, "`read` yields exactly", "in the source of 'a.txt' .* other bytes", id="bytes"),
        pytest.param(_KeyError, "`open` raises NotFound, and", "KeyError: 'unknown-7f3a'", id="other error"),
        pytest.param(_NewEtags, "the same description", "the descriptions of 'a.txt' differ", id="new ETags"),
        pytest.param(_TwoReaders, "be open and be read", "OSError: too many readers", id="two readers"),
        pytest.param(_CountsCloses, "does not affect another", "'docs/b.bin' gave other bytes", id="counts closes"),
        pytest.param(_NeedsIdleSources, "while a read of it is", "a read has not ended", id="needs idle sources"),
        pytest.param(_IgnoresSlashes, "only resembles", "for an empty last segment: 'a.txt/'", id="slash behind"),
        pytest.param(_OnlyDirectories, "and not IsDirectory", "it does not for 'unknown-7f3a'", id="only directories"),
        pytest.param(_OnlyNotFound, "raises IsDirectory", "it does not for 'docs'", id="no directories"),
        pytest.param(_CodingsNeeded, "ignores the codings", "NotFound: a.txt", id="codings"),
        pytest.param(_Unsorted, "directories first", r"it lists a.txt, docs/ instead of docs/, a.txt", id="order"),
        pytest.param(_Truncated, "directories first", "the listing of '' is truncated", id="truncated"),
        pytest.param(_OtherSizes, "The size of an entry", "the entry of 'docs' has the size 7", id="sizes"),
        pytest.param(_ListsAnything, "no directory", "it does not for the parent directory: '..'", id="lists anything"),
    ],
)
async def test_a_faulty_store_fails_by_the_rule_that_it_breaks(make: Callable[[], Store], rule: str, fact: str) -> None:
    with pytest.raises(ContractError, match=fact) as raised:
        await check_store(make(), CONTENTS)
    assert rule in raised.value.rule


async def test_a_right_store_passes() -> None:
    await check_store(RightStore(), CONTENTS)


async def test_a_store_without_listings_passes() -> None:
    class Plain:
        async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
            return await RightStore().open(key)

    await check_store(Plain(), CONTENTS)


async def test_a_check_without_contents_would_check_nothing_and_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        await check_store(RightStore(), {})


async def test_a_store_that_hangs_fails_in_time() -> None:
    class Hangs(RightStore):
        async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
            await asyncio.get_running_loop().create_future()
            return await super().open(key)

    with pytest.raises(ContractError, match="`open` returns a source") as raised:
        await check_store(Hangs(), CONTENTS, seconds_per_rule=0.01)
    assert raised.value.fact == "the check did not end within 0.01 s"
