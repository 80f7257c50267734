"""SqliteStore keeps the contracts of stores and of catalogues."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from async_downloads.sources.database.sqlite import SqliteStore
from sources.contract import CONTENTS, BrowsableContract
from sources.database.catalogue_contract import CatalogueContract
from sources.database.uploads import blocks


@dataclass
class SqliteBench:
    """A store whose files are replaced through the store; `gc` frees old versions at once."""

    store: SqliteStore

    async def put(self, key: str, data: bytes) -> None:
        await self.store.put(key, blocks(data), replace=True)
        await self.store.gc(0)

    async def remove(self, key: str) -> None:
        await self.store.remove(key)
        await self.store.gc(0)


pytestmark = pytest.mark.usefixtures("read_chunk")


class TestSqliteStore(BrowsableContract):
    """The contract of stores, with old versions freed at once."""

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
