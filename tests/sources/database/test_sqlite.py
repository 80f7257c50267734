"""Files in SQLite: the contracts of stores and of catalogues, and what is SQLite's own."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from async_downloads.sources.database.sqlite import SqliteStore
from sources.contract import CONTENTS, BrowsableContract
from sources.database.catalogue_contract import CatalogueContract
from sources.database.uploads import blocks


@dataclass
class SqliteBench:
    """A store whose files are replaced through it, and of which nothing is kept any longer than it must be."""

    store: SqliteStore

    async def put(self, key: str, data: bytes) -> None:
        await self.store.put(key, blocks(data), replace=True)
        await self.store.gc(0)

    async def remove(self, key: str) -> None:
        await self.store.remove(key)
        await self.store.gc(0)


pytestmark = pytest.mark.usefixtures("way")


class TestSqliteStore(BrowsableContract):
    """The contract of stores; what is replaced or removed is freed at once."""

    @pytest.fixture
    async def bench(self, catalogue: SqliteStore) -> SqliteBench:
        for key, data in CONTENTS.items():
            await catalogue.put(key, blocks(data))
        return SqliteBench(catalogue)


class TestSqliteCatalogue(CatalogueContract):
    """The contract of catalogues."""

    @pytest.fixture
    def url(self, path: Path) -> str:
        return f"sqlite:///{path}"
