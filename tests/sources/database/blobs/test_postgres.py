"""A catalogue in a database that only speaks PostgreSQL's protocol, with its bytes in S3, keeps the contracts.

The role may use neither large objects nor advisory locks, and every transaction is serializable, as in other databases
with this protocol.
"""

import pytest

from async_downloads.sources.database.catalogue import Catalogue
from sources.contract import BrowsableContract
from sources.database.blobs.bench import BlobBench, filled
from sources.database.catalogue_contract import CatalogueContract


@pytest.fixture
def url(limited_postgres_url: str) -> str:
    """Return the URL of a database with limits."""
    return f"{limited_postgres_url}&default_transaction_isolation=serializable"


@pytest.fixture
def bucket(s3_url: str) -> str:
    """Return the URL of a bucket."""
    return s3_url


class TestStore(BrowsableContract):
    """The contract of stores."""

    @pytest.fixture
    async def bench(self, catalogue: Catalogue) -> BlobBench:
        return await filled(catalogue)


class TestCatalogue(CatalogueContract):
    """The contract of catalogues."""
