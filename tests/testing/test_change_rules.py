"""A store whose contents change wrongly fails the check, and the message has the rule."""

from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import count
from typing import Any

import pytest

from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.sources.base import Source
from async_downloads.sources.memory import MemoryStore
from async_downloads.testing import ContractError, check_changes
from testing.stores import RightStore, memory_source


class _Changing(RightStore):
    """A store whose contents can be changed, which keeps the contract."""

    def __init__(self) -> None:
        self.versions = count()
        self.sources: dict[str, Any] = {}
        self.inner = MemoryStore(self.sources)

    async def put(self, key: str, data: bytes) -> None:
        self.sources[key] = memory_source(data, self.tag(data))

    async def remove(self, key: str) -> None:
        del self.sources[key]

    def tag(self, data: bytes) -> ETag | None:
        return ETag(f"v{next(self.versions)}")


class _NoEtag(_Changing):
    def tag(self, data: bytes) -> ETag | None:
        return None


class _WeakEtag(_Changing):
    def tag(self, data: bytes) -> ETag | None:
        return ETag(f"v{next(self.versions)}", weak=True)


class _SizeAsEtag(_Changing):
    def tag(self, data: bytes) -> ETag | None:
        return ETag(f"{len(data)}")


class _Current:
    """A source that reads what the key has now."""

    def __init__(self, store: _Changing, key: str) -> None:
        self.store, self.key = store, key
        self.representation = store.sources[key].representation

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        for start in range(span.start, span.stop, 100_000):
            found = self.store.sources.get(self.key)
            yield found.data[start : min(start + 100_000, span.stop)] if found else b""

    async def aclose(self) -> None:
        """Do nothing."""


class _ReadsInPlace(_Changing):
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        await self.inner.open(key)
        return _Current(self, key)


class _Remembers(_Changing):
    """It never forgets a source."""

    def __init__(self) -> None:
        super().__init__()
        self.remembered: dict[str, Source] = {}

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        return self.remembered.setdefault(key, self.sources.get(key) or await self.inner.open(key))


class _KeepsRemoved(_Changing):
    async def remove(self, key: str) -> None:
        """Do nothing."""


class _Vanishing(_Current):
    """A source that ends if its key is removed."""

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        data = self.store.sources[self.key].data
        for start in range(span.start, span.stop, 100_000):
            if self.key in self.store.sources:
                yield data[start : min(start + 100_000, span.stop)]


class _EndsAfterARemoval(_Changing):
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        await self.inner.open(key)
        return _Vanishing(self, key)


@pytest.mark.parametrize(
    ("make", "rule", "fact"),
    [
        pytest.param(_ReadsInPlace, "gets new bytes", "that the source did not describe", id="reads in place"),
        pytest.param(_EndsAfterARemoval, "is removed", "it ends after 100000 bytes", id="ends after a removal"),
        pytest.param(_Remembers, "sees a change", "it opens the old version", id="remembers"),
        pytest.param(_KeepsRemoved, "sees a change", "it opens a key that was removed", id="keeps removed"),
        pytest.param(_NoEtag, "its own strong ETag", "has no ETag", id="no ETag"),
        pytest.param(_WeakEtag, "its own strong ETag", "is weak", id="weak ETag"),
        pytest.param(_SizeAsEtag, "its own strong ETag", 'two versions have the ETag "19"', id="size as ETag"),
    ],
)
async def test_a_store_that_changes_wrongly_fails_by_the_rule_that_it_breaks(
    make: Callable[[], _Changing], rule: str, fact: str
) -> None:
    store = make()
    with pytest.raises(ContractError, match=fact) as raised:
        await check_changes(store, "a.txt", store.put, store.remove)
    assert rule in raised.value.rule


async def test_a_store_that_changes_rightly_passes() -> None:
    store = _Changing()
    await check_changes(store, "docs/a.txt", store.put, store.remove)
    assert store.sources == {}
