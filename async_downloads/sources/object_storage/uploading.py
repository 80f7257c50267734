"""Store a stream of bytes as an object, in one request if it is small and else in parts.

obstore reads an iterator in a task of its own, which goes on for a moment after the upload was cancelled. A generator
that this task runs could not be closed then. So the task of the caller runs the generator, and obstore takes the blocks
from a queue.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final

import obstore

from ...threads import retrieve_exception
from .errors import map_object_errors

__all__ = ["hand_over", "put_stream"]


_WHOLE_BYTES: Final = 8 * 1024 * 1024  # an object up to this size is sent in one request
_PART_BYTES: Final = 16 * 1024 * 1024  # of an upload; S3 accepts 10,000 parts, so an object may have 167 GB
_PARTS_AT_ONCE: Final = 4  # so at most 80 MiB of an upload are in memory
_ABORT_SECONDS: Final = 5.0  # for obstore to delete the parts of a failed upload


async def put_stream(
    store: Any, key: str, data: AsyncIterable[bytes], fields: Mapping[str, str] | None, *, with_digest: bool = False
) -> int:
    """Store the bytes as an object with these fields, and return their number.

    With `with_digest`, a small object gets its SHA-256 digest as a field. If reading `data` fails, its error is raised,
    and no part of the object remains. Raises DownloadError if the store fails.
    """
    chunks = aiter(data)
    first = await _joined(chunks)
    if len(first) >= _WHOLE_BYTES:
        return await _put_in_parts(store, key, first, chunks, _options(fields))
    options = _options({**(fields or {}), "sha256": hashlib.sha256(first).hexdigest()} if with_digest else fields)
    with map_object_errors():
        await obstore.put_async(store, key, first, **options)
    return len(first)


def _options(fields: Mapping[str, str] | None) -> dict[str, Any]:
    return {"attributes": dict(fields)} if fields else {}


async def _put_in_parts(
    store: Any, key: str, first: bytes, rest: AsyncIterator[bytes], options: Mapping[str, Any]
) -> int:
    """Store a large object, whose `first` bytes are known. Return the number of all bytes."""
    size = len(first)

    async def counted() -> AsyncGenerator[bytes, None]:
        nonlocal size
        yield first
        async for chunk in rest:
            size += len(chunk)
            yield chunk

    async def upload(blocks: AsyncIterator[bytes]) -> None:
        with map_object_errors():
            await obstore.put_async(
                store, key, blocks, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE, **options
            )

    async with aclosing(counted()) as blocks:
        await hand_over(blocks, upload)
    return size


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    """Return the next bytes, up to a little more than one request may send."""
    joined = bytearray()
    async for chunk in chunks:
        joined += chunk
        if len(joined) >= _WHOLE_BYTES:
            break
    return bytes(joined)


class _Stopped(Exception):
    """The caller has failed, so obstore must not complete the object."""


class _Blocks:
    """The blocks that obstore takes, one at a time. None ends them; `_Stopped` makes obstore abort the upload."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | _Stopped | None] = asyncio.Queue(1)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        block = await self._queue.get()
        if block is None:
            raise StopAsyncIteration
        if isinstance(block, _Stopped):
            raise block
        return block

    async def give(self, block: bytes | None) -> None:
        """Wait until there is room for the block."""
        await self._queue.put(block)

    def stop(self) -> None:
        """Abort the upload. A block that was not taken is discarded."""
        with suppress(asyncio.QueueEmpty):
            self._queue.get_nowait()
        self._queue.put_nowait(_Stopped())


async def hand_over(data: AsyncIterable[bytes], upload: Callable[[AsyncIterator[bytes]], Awaitable[Any]]) -> None:
    """Call `upload` with the blocks of `data`. If reading them fails or is cancelled, abort the upload.

    Raises the errors of both. When this function returns, nothing runs `data` any more.
    """
    blocks = _Blocks()
    uploading = asyncio.ensure_future(upload(blocks))
    feeding = asyncio.create_task(_feed(data, blocks))
    for task in (uploading, feeding):
        task.add_done_callback(retrieve_exception)
    try:
        await asyncio.wait({uploading, feeding}, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done():
            feeding.result()
        await asyncio.shield(uploading)
    except BaseException:
        blocks.stop()
        await asyncio.wait({uploading}, timeout=_ABORT_SECONDS)
        raise
    finally:
        feeding.cancel()
        await asyncio.wait({feeding})


async def _feed(data: AsyncIterable[bytes], blocks: _Blocks) -> None:
    async for block in data:
        await blocks.give(block)
    await blocks.give(None)
