"""A catalogue with its bytes in a bucket, for the contract of all stores."""

from dataclasses import dataclass

from async_downloads.sources.database.catalogue import Catalogue
from sources.contract import CONTENTS
from sources.database.uploads import blocks

__all__ = ["BlobBench", "filled"]


@dataclass
class BlobBench:
    """A store whose files are replaced through the store; `gc` deletes old objects at once."""

    store: Catalogue

    async def put(self, key: str, data: bytes) -> None:
        """Replace a file."""
        await self.store.put(key, blocks(data), replace=True)
        await self.store.gc(0)

    async def remove(self, key: str) -> None:
        """Remove a file."""
        await self.store.remove(key)
        await self.store.gc(0)


async def filled(catalogue: Catalogue) -> BlobBench:
    """Return the contents of the contract in a catalogue."""
    for key, data in CONTENTS.items():
        await catalogue.put(key, blocks(data))
    return BlobBench(catalogue)
