"""ObjectStore keeps the contract of all stores over the memory store and the folder store of obstore."""

from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from sources.contract import BrowsableContract
from sources.object_storage.bench import ObjectBench, filled


class TestInMemory(BrowsableContract):
    """The contract of stores."""

    @pytest.fixture
    async def bench(self) -> ObjectBench:
        return await filled(MemoryStore())


class TestInAFolder(BrowsableContract):
    """The contract of stores."""

    @pytest.fixture
    async def bench(self, tmp_path: Path) -> ObjectBench:
        return await filled(LocalStore(str(tmp_path)))
