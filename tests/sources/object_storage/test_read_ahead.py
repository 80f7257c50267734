"""Chunks grow for a fast client, and a slow one costs little memory."""

from contextlib import AsyncExitStack, aclosing

import pytest

from async_downloads.sources.object_storage.byte_budget import ByteBudget
from async_downloads.sources.object_storage.chunks import ObjectChunks
from async_downloads.sources.object_storage.read_ahead import ReadAhead

_KIB = 1024


def _after(*taken: tuple[int, float]) -> tuple[int, int]:
    reading = ReadAhead()
    for count, seconds in taken:
        reading.took(count, seconds)
    return reading.chunk_bytes, reading.ahead


def test_a_client_begins_with_small_chunks_and_none_ahead() -> None:
    assert _after() == (64 * _KIB, 0)


def test_one_chunk_is_read_ahead_for_a_steady_client() -> None:
    assert _after(*[(64 * _KIB, 0.01)] * 4) == (64 * _KIB, 1)
    assert _after(*[(64 * _KIB, 0.01)] * 31) == (64 * _KIB, 1)


def test_chunks_grow_to_8_mib_and_2_of_them_are_read_ahead() -> None:
    assert _after(*[(64 * _KIB, 0.01)] * 33) == (256 * _KIB, 1)
    assert _after(*[(64 * _KIB, 0.01)] * 60) == (8192 * _KIB, 2)


def test_after_a_pause_the_client_is_slow_again() -> None:
    assert _after(*[(64 * _KIB, 0.01)] * 60, (64 * _KIB, 0.2)) == (64 * _KIB, 0)


async def _fetch(start: int, stop: int) -> bytes:
    return bytes(stop - start)


async def test_clients_that_stop_share_the_bytes_of_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ByteBudget, "_BYTES", 1024 * _KIB)
    budget, size = ByteBudget(), 64 * 1024 * _KIB
    async with AsyncExitStack() as reading:
        for _ in range(4):
            chunks = await reading.enter_async_context(aclosing(ObjectChunks(_fetch, 0, size, budget).all()))
            while budget._free > 0:
                await anext(chunks)
            assert len(await anext(chunks)) <= 1024 * _KIB
        assert -4 * 64 * _KIB <= budget._free <= 0
    assert budget._free == 1024 * _KIB


async def test_a_download_goes_on_without_free_bytes() -> None:
    budget = ByteBudget()
    budget.take(ByteBudget._BYTES, least=1)
    async with aclosing(ObjectChunks(_fetch, 0, 300 * _KIB, budget).all()) as chunks:
        assert [len(chunk) async for chunk in chunks] == [*[64 * _KIB] * 4, 44 * _KIB]
