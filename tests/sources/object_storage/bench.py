"""A store of obstore for the contract of all stores."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import obstore

from async_downloads.sources.object_storage import ObjectStore
from sources.contract import CONTENTS

__all__ = ["ObjectBench", "filled"]


@dataclass
class ObjectBench:
    """A store of obstore, written by obstore."""

    upstream: Any
    store: ObjectStore

    async def put(self, key: str, data: bytes) -> None:
        """Replace an object."""
        await obstore.put_async(self.upstream, key, data)

    async def remove(self, key: str) -> None:
        """Remove an object."""
        await obstore.delete_async(self.upstream, key)


async def filled(upstream: Any, contents: Mapping[str, bytes] = CONTENTS) -> ObjectBench:
    """Return the contents of the contract in a store of obstore."""
    bench = ObjectBench(upstream, ObjectStore(upstream))
    await asyncio.gather(*(bench.put(key, data) for key, data in contents.items()))
    return bench
