"""The contract of stores and sources (`async_downloads/testing/`), as tests to inherit.

The test module of a backend defines a fixture with the contents, and inherits all tests:

    class TestMyStore(StoreContract):
        @pytest.fixture
        async def bench(self) -> AsyncIterator[MyBench]: ...
"""

from random import Random
from typing import Final, Protocol

from async_downloads.sources.base import Browsable, Store
from async_downloads.testing import check_changes, check_store
from async_downloads.testing.reading import read, read_while, read_whole

__all__ = ["CONTENTS", "LARGE", "Bench", "BrowsableContract", "StoreContract", "read", "read_while", "read_whole"]

SMALL: Final = b"The quick brown fox jumps over the lazy dog."
LARGE: Final = Random(1).randbytes(3 * 1024 * 1024)
CONTENTS: Final = {"a.txt": SMALL, "empty": b"", "docs/b.bin": LARGE, "docs/deep/c.txt": b"c", "é ü.txt": b"umlaut"}


class Bench(Protocol):
    """A store, and how its contents change by other means than the store."""

    @property
    def store(self) -> Store:
        """The store under test, which holds `CONTENTS`."""

    async def put(self, key: str, data: bytes) -> None:
        """Replace the content of the key in the way that users of the backend do."""

    async def remove(self, key: str) -> None:
        """Remove the key."""


class StoreContract:
    """The contract of a store and of its sources."""

    async def test_a_store_keeps_the_contract(self, bench: Bench) -> None:
        await check_store(bench.store, CONTENTS)

    async def test_a_store_keeps_the_contract_while_its_contents_change(self, bench: Bench) -> None:
        await check_changes(bench.store, "docs/b.bin", bench.put, bench.remove)


class BrowsableContract(StoreContract):
    """The contract of a store that can be listed."""

    async def test_a_store_can_be_listed(self, bench: Bench) -> None:
        assert isinstance(bench.store, Browsable)
        listing = await bench.store.list("")
        assert [entry.size for entry in listing.entries] == [None, len(SMALL), 0, 6]
