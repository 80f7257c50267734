"""The object store is killed under downloads, and comes back: no wrong byte, and no restart of our server."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import httpx
import obstore
import pytest
from harness.seaweedfs import SeaweedFS
from harness.waiting import HANGING, eventually

from async_downloads.sources.object_storage.connecting import store_at
from tools.command import Command, serving

_DATA = Random(7).randbytes(4 * 1024 * 1024)
_CLIENTS = 50


@pytest.fixture
async def command(s3_url: str) -> AsyncIterator[Command]:
    """A server of a bucket with one object."""
    await obstore.put_async(store_at(s3_url), "a.bin", _DATA)
    async with serving(s3_url) as command:
        yield command


async def _download(client: httpx.AsyncClient, url: str, begun: asyncio.Semaphore) -> bytes | None:
    """Return the bytes that came, in which None stands for a download that ended early."""
    received = bytearray()
    try:
        async with client.stream("GET", url) as response:
            if response.status_code in {502, 503}:
                begun.release()
                return None
            async for chunk in response.aiter_raw(64 * 1024):
                if not received:
                    begun.release()
                received += chunk
                await asyncio.sleep(0)
    except httpx.HTTPError:
        assert _DATA.startswith(received)
        return None
    return bytes(received)


async def test_a_killed_store_costs_the_downloads_that_run(command: Command, s3_server: SeaweedFS) -> None:
    url, begun = f"{command.url}/a.bin", asyncio.Semaphore(0)
    async with httpx.AsyncClient(timeout=HANGING, limits=httpx.Limits(max_connections=_CLIENTS)) as client:
        downloads = [asyncio.create_task(_download(client, url, begun)) for _ in range(_CLIENTS)]
        await begun.acquire()
        s3_server.kill()
        results = await asyncio.gather(*downloads)
        assert all(result in {None, _DATA} for result in results)
        assert httpx.get(url, timeout=HANGING).status_code in {502, 503}
        s3_server.start()
        await eventually(lambda: httpx.get(url, timeout=HANGING).status_code == 200)
        assert httpx.get(url, timeout=HANGING).content == _DATA
