"""An upload that fails or is cancelled leaves no generator running and no part of an object."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import obstore
import pytest
from harness.waiting import HANGING, eventually
from obstore.store import LocalStore

from async_downloads.sources.object_storage.uploading import hand_over

_BLOCK = bytes(1024 * 1024)
_MUCH = 40  # blocks: more than one part


async def _blocks(*, ends: bool) -> AsyncGenerator[bytes, None]:
    for _ in range(_MUCH):
        yield _BLOCK
    if not ends:
        await asyncio.Event().wait()


async def _put(folder: Path, key: str, data: AsyncIterator[bytes]) -> None:
    store = LocalStore(folder)
    await asyncio.wait_for(hand_over(data, lambda given: obstore.put_async(store, key, given)), HANGING)


async def test_a_cancelled_upload_is_aborted_and_its_generator_is_closed(tmp_path: Path) -> None:
    async with aclosing(_blocks(ends=False)) as blocks:
        putting = asyncio.create_task(_put(tmp_path, "a", blocks))
        await eventually(lambda: any(path.stat().st_size for path in tmp_path.iterdir()))
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
    await eventually(lambda: not any(tmp_path.iterdir()))


async def test_an_upload_whose_input_fails_is_aborted(tmp_path: Path) -> None:
    async def failing() -> AsyncGenerator[bytes, None]:
        async with aclosing(_blocks(ends=True)) as blocks:
            async for block in blocks:
                yield block
        raise OSError("the disk has failed")

    async with aclosing(failing()) as blocks:
        with pytest.raises(OSError, match="the disk has failed"):
            await _put(tmp_path, "a", blocks)
    await eventually(lambda: not any(tmp_path.iterdir()))


async def test_a_large_upload_is_complete(tmp_path: Path) -> None:
    await _put(tmp_path, "a", _blocks(ends=True))
    assert (tmp_path / "a").read_bytes() == _MUCH * _BLOCK


async def test_an_upload_that_the_store_refuses_does_not_wait_for_its_input(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a file cannot be a folder")
    async with aclosing(_blocks(ends=False)) as blocks:
        with pytest.raises(Exception, match="a/b"):
            await _put(tmp_path, "a/b", blocks)
