"""A catalogue in SQLite with its bytes in a folder keeps the contracts of stores and of catalogues."""

import pytest

from async_downloads.sources.database.catalogue import Catalogue
from sources.contract import BrowsableContract
from sources.database.blobs.bench import BlobBench, filled
from sources.database.catalogue_contract import CatalogueContract


class TestStore(BrowsableContract):
    """The contract of stores."""

    @pytest.fixture
    async def bench(self, catalogue: Catalogue) -> BlobBench:
        return await filled(catalogue)


class TestCatalogue(CatalogueContract):
    """The contract of catalogues."""
