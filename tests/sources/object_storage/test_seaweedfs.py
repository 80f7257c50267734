"""ObjectStore keeps the contract of all stores over a real S3 server."""

import pytest

from async_downloads.sources.object_storage.connecting import store_at
from sources.contract import BrowsableContract
from sources.object_storage.bench import ObjectBench, filled


class TestOnSeaweedFS(BrowsableContract):
    """The contract of stores."""

    @pytest.fixture
    async def bench(self, s3_url: str) -> ObjectBench:
        return await filled(store_at(s3_url))
