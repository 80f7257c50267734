"""MemoryStore keeps the contract of all stores."""

from dataclasses import dataclass, field
from itertools import count

import pytest

from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Representation, Validators
from async_downloads.sources.memory import MemorySource, MemoryStore
from sources.contract import CONTENTS, BrowsableContract

_VERSIONS = count()


def _source(data: bytes) -> MemorySource:
    return MemorySource(data, Representation(len(data), validators=Validators(ETag(f"v{next(_VERSIONS)}"), 0)))


@dataclass
class MemoryBench:
    """A store whose mapping changes."""

    sources: dict[str, MemorySource] = field(default_factory=lambda: {k: _source(v) for k, v in CONTENTS.items()})

    @property
    def store(self) -> MemoryStore:
        return MemoryStore(self.sources)

    async def put(self, key: str, data: bytes) -> None:
        self.sources[key] = _source(data)

    async def remove(self, key: str) -> None:
        del self.sources[key]


class TestMemoryStore(BrowsableContract):
    """The contract of stores."""

    @pytest.fixture
    def bench(self) -> MemoryBench:
        return MemoryBench()
