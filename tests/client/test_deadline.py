"""The deadline of a stream. The time of its reader counts."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from harness.clock import StillClock

from async_downloads.client import Downloader
from async_downloads.errors import DeadlineExceeded
from client.remote import URL, Remote, ScriptedBody, broken

OVER = r"^the download took longer than 9 s$"


async def test_a_late_response_head_exceeds_the_deadline(still: StillClock) -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        still.now += 9
        return await asyncio.Future()

    async with httpx.AsyncClient(transport=httpx.MockTransport(never)) as client:
        with pytest.raises(DeadlineExceeded, match=OVER):
            async with Downloader(client=client, timeout=9).open(URL):
                pytest.fail("there is nothing to read")


async def test_a_late_chunk_exceeds_the_deadline(remote: Remote, still: StillClock) -> None:
    def silent(remote: Remote, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=ScriptedBody(segments(), hangs=True))

    def segments() -> Iterator[bytes]:
        yield b"some"
        still.now += 9

    remote.faults = [silent]
    async with remote.client() as client, Downloader(client=client, timeout=9).open(URL) as body:
        assert await anext(body) == b"some"
        for _ in range(2):
            with pytest.raises(DeadlineExceeded, match=OVER):
                await anext(body)


async def test_the_time_of_the_reader_counts_for_the_deadline(remote: Remote, still: StillClock) -> None:
    async with remote.client() as client, Downloader(client=client, timeout=9).open(URL) as body:
        assert await anext(body)
        still.now += 8.5
        assert await anext(body)
        still.now += 0.5
        with pytest.raises(DeadlineExceeded, match=OVER):
            await anext(body)


async def test_a_foreign_timeout_error_is_raised_unchanged(remote: Remote) -> None:
    remote.faults = [broken(TimeoutError("mine"))]
    async with remote.client() as client:
        with pytest.raises(TimeoutError, match="mine"):
            async with Downloader(client=client, timeout=60).open(URL):
                pytest.fail("there is nothing to read")
