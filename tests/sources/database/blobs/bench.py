"""A catalogue with its bytes in a bucket: for the contract of all stores, and with uploads that end early."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass

import pytest
from harness.waiting import HANGING

from async_downloads.errors import SourceError
from async_downloads.sources.database.catalogue import Catalogue
from sources.contract import CONTENTS
from sources.database.uploads import Upload, blocks

__all__ = ["BlobBench", "fail_after_gc", "filled", "run_until_killed"]


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


async def run_until_killed(program: str, url: str) -> None:
    """Run a program with the URL of a catalogue, and kill it when it prints `ready`."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), HANGING) == b"ready\n"
    process.kill()
    await process.wait()


async def fail_after_gc(catalogue: Catalogue, data: bytes) -> None:
    """Begin an upload, let `gc` delete it as abandoned, and check that it fails with the reason."""
    upload = Upload(data)
    putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
    await upload.halfway.wait()
    await catalogue.gc(-60)
    upload.go_on.set()
    with pytest.raises(SourceError, match="deleted before it was complete"):
        await putting
