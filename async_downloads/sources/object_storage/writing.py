"""Store, list and remove the objects of a bucket, for the commands that manage files."""

import asyncio
import time
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from ...errors import AlreadyThere, NotFound
from ...threads import LISTING_THREADS, in_thread
from ..media_types import media_type as media_type_of
from .connecting import store_at
from .errors import UnreadableKey, map_object_errors, meaning_of, refuses_key
from .keys import is_usable_key
from .s3_listing import list_all_in_thread
from .s3_signing import S3Signer
from .uploading import put_stream
from .upstream import ENDING_SECONDS

__all__ = ["BucketFiles", "StoredObject"]


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
        If two writers store an object at the same time, the last one counts. The store is not asked for a description
        of the new object, because the credentials may permit writing only.
        """
        with map_object_errors():
            is_taken = not replace and await self._exists(key)
        if is_taken:
            raise AlreadyThere(key)
        fields = {"Content-Type": media_type or media_type_of(key.rpartition("/")[2])}
        size = await put_stream(self._store, key, data, fields, with_digest=True)
        return StoredObject(key, size, int(time.time()))

    async def _exists(self, key: str) -> bool:
        try:
            await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return False
        except (PermissionDeniedError, UnauthenticatedError):
            # Only a response with a body says why.
            await obstore.get_async(self._store, key, options={"range": (0, 1)})
        return True

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
        with map_object_errors():
            if not await self._exists(key):
                raise NotFound(key)
            await obstore.delete_async(self._store, key)

    async def aclose(self) -> None:
        """Wait a moment for the threads of obstore: a process that ends while one of them works is aborted."""
        await asyncio.sleep(ENDING_SECONDS)


def _stored(meta: Any) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], int(meta["last_modified"].timestamp()))
