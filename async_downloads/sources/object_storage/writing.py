"""Store, list and remove the objects of a bucket, for the commands that manage files."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from ...errors import AlreadyThere, NotFound
from ...threads import LISTING_THREADS, in_thread
from ..media_types import media_type as media_type_of
from .connecting import store_at
from .errors import UnreadableKey, meaning_of, refuses_key
from .keys import is_usable_key
from .s3_listing import list_all_in_thread
from .s3_signing import S3Signer
from .upstream import ENDING_SECONDS, PART_BYTES, PARTS_AT_ONCE

__all__ = ["BucketFiles", "StoredObject"]


_WHOLE_BYTES: Final = 8 * 1024 * 1024  # an object up to this size is sent in one request


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: its key below the prefix, its size in bytes, and when it was stored, in seconds since 1970."""

    name: str
    size: int
    modified: int


class BucketFiles:
    """The objects at a URL such as `s3://bucket/prefix`. Each method raises DownloadError if the store fails."""

    def __init__(self, store: Any, signer: S3Signer | None = None) -> None:
        self._store = store
        self._signer = signer

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the objects at a URL. Raises ValueError as `ObjectStore.from_url` does."""
        return cls(store_at(url), S3Signer.from_environment(url))

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredObject:
        """Store the bytes as an object. It becomes visible only when all its bytes are stored.

        A small object gets its SHA-256 digest as metadata. Raises AlreadyThere if the object exists, unless `replace`.
        If two writers store an object at the same time, the last one counts.
        """
        try:
            if not replace and await self._exists(key):
                raise AlreadyThere(key)
            return await self._put(key, data, media_type or media_type_of(key.rpartition("/")[2]))
        except AlreadyExistsError as error:
            raise AlreadyThere(key) from error
        except (BaseError, FileNotFoundError) as error:
            raise meaning_of(error) from error

    async def _exists(self, key: str) -> bool:
        try:
            await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return False
        return True

    async def _put(self, key: str, data: AsyncIterable[bytes], media_type: str) -> StoredObject:
        chunks = aiter(data)
        first = await _joined(chunks)
        size = len(first)
        attributes = {"Content-Type": media_type}
        if size < _WHOLE_BYTES:
            attributes["sha256"] = hashlib.sha256(first).hexdigest()
            await obstore.put_async(self._store, key, first, attributes=attributes)
            return StoredObject(key, size, int(time.time()))

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            yield first
            async for chunk in chunks:
                size += len(chunk)
                yield chunk

        await obstore.put_async(
            self._store,
            key,
            counted(),
            attributes=attributes,
            chunk_size=PART_BYTES,
            max_concurrency=PARTS_AT_ONCE,
        )
        # The store is not asked for a description: the credentials may permit writing only.
        return StoredObject(key, size, int(time.time()))

    async def files(self) -> Sequence[StoredObject]:
        """Return all objects, in the order of their keys."""
        try:
            found = [_stored(meta) async for page in obstore.list(self._store, chunk_size=1000) for meta in page]
        except BaseError as error:
            if self._signer is None or not refuses_key(error):
                raise meaning_of(error) from error
            listed = await in_thread(partial(list_all_in_thread, self._signer), executor=LISTING_THREADS)
            found = [StoredObject(each.path, each.size, each.modified) for each in listed]
        return sorted(found, key=lambda each: each.name)

    async def remove(self, key: str) -> None:
        """Remove an object. Raises NotFound if there is none, UnreadableKey if obstore would ask for another key."""
        if not is_usable_key(key):
            raise UnreadableKey(f"the key {key!r} cannot be used here: remove it with another program")
        try:
            if not await self._exists(key):
                raise NotFound(key)
            await obstore.delete_async(self._store, key)
        except (BaseError, FileNotFoundError) as error:
            raise meaning_of(error) from error

    async def aclose(self) -> None:
        """Wait a moment for the threads of obstore: a process that ends while one of them works is aborted."""
        await asyncio.sleep(ENDING_SECONDS)


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    """Return the next bytes, up to a little more than one request may send."""
    joined = bytearray()
    async for chunk in chunks:
        joined += chunk
        if len(joined) >= _WHOLE_BYTES:
            break
    return bytes(joined)


def _stored(meta: Any) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], int(meta["last_modified"].timestamp()))
