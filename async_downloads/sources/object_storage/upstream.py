"""Requests to an object store, with a limit for those that run at the same time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import obstore
from obstore.exceptions import BaseError, InvalidPathError

from ...errors import Forbidden, SourceBusy
from .byte_budget import ByteBudget
from .errors import UnreadableKey, lacks_permission, map_object_errors, refuses_key
from .explanations import explained
from .found import Found, FoundRows
from .uploading import put_stream

__all__ = ["ENDING_SECONDS", "Received", "Upstream"]


T = TypeVar("T")
_STREAM_BYTES: Final = 64 * 1024
ENDING_SECONDS: Final = 0.01  # time for the threads of obstore to finish
_PAGE_KEYS: Final = 1000
_LIST_SECONDS: Final = 30.0  # for all pages of a folder


class _Got(Protocol):
    """The methods of the result of obstore's `get_async` that this module uses."""

    @property
    def meta(self) -> Mapping[str, Any]: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    async def bytes_async(self) -> Any: ...
    def stream(self, min_chunk_size: int) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Received:
    """A response of the store: the description of the object, its fields, and the requested bytes."""

    meta: Mapping[str, Any]
    attributes: Mapping[str, str]
    data: bytes

    @property
    def etag(self) -> str | None:
        """The ETag as the store writes it; None if there is none or it is weak, because If-Match needs a strong one."""
        etag = self.meta.get("e_tag")
        return None if not etag or etag.startswith("W/") else str(etag)

    @property
    def version(self) -> str | None:
        """The number of the version; None for "null", the version that a bucket without versioning overwrites."""
        version = self.meta.get("version")
        return None if version in {None, "", "null"} else version


class Upstream:
    """The object store and the limit of its connections. It belongs to one ObjectStore and one event loop.

    A request that finds no free connection within `patience` seconds raises SourceBusy. Running downloads may use only
    seven eighths of the `connections`, so that a new request need not wait for a thousand of them.
    `budget` has the bytes for the chunks of all downloads.
    """

    def __init__(self, store: Any, *, connections: int, patience: float) -> None:
        self._store = store
        self._free = asyncio.Semaphore(connections)
        self._free_for_chunks = asyncio.Semaphore(max(connections - connections // 8, 1))
        self._patience = patience
        self.budget: ByteBudget = ByteBudget()

    async def get(self, key: str, **options: Any) -> Received:
        """Return an object, or a range of it with `range=(start, stop)`; `head=True` returns no bytes."""
        async with self._connection():
            got: _Got = await obstore.get_async(self._store, key, options=options)  # type: ignore[arg-type]
            data = b"" if options.get("head") else bytes(await got.bytes_async())
            return Received(got.meta, got.attributes, data)

    async def get_chunk(self, key: str, **options: Any) -> Received:
        """Return a range for a running download, as `get` does, but wait for a connection without a limit."""
        async with self._free_for_chunks:
            return await self.get(key, **options)

    @asynccontextmanager
    async def stream(self, key: str) -> AsyncIterator[tuple[Received, AsyncIterator[bytes]]]:
        """Yield the description of a whole object and its bytes. The connection is in use until the block ends."""
        async with self._free_for_chunks, self._connection():
            got: _Got = await obstore.get_async(self._store, key)
            yield Received(got.meta, got.attributes, b""), got.stream(min_chunk_size=_STREAM_BYTES)

    async def list(self, prefix: str) -> Found:
        """Return the objects and prefixes directly below a prefix, which must not end with a slash.

        Raises UnreadableKey if one of them is a key that obstore refuses.
        """
        return await self._bounded(partial(self._list, prefix))

    async def _list(self, prefix: str) -> Found:
        try:
            found = await obstore.list_with_delimiter_async(self._store, prefix or None, return_arrow=True)
        except BaseError as error:
            if not refuses_key(error):
                raise
            raise UnreadableKey(f"{prefix!r} cannot be listed: {explained(str(error))}") from error
        return Found(FoundRows(found["objects"]), found["common_prefixes"])

    async def has_below(self, prefix: str) -> bool:
        """Return whether a key begins with this prefix and a slash; with "", whether there is any key.

        Raises UnreadableKey if a key may have a character that XML cannot have.
        """
        return await self._bounded(partial(self._has_any, prefix and f"{prefix}/"))

    async def _has_any(self, beginning: str) -> bool:
        try:
            async for page in obstore.list(self._store, beginning, chunk_size=1):
                return bool(page)
        except InvalidPathError:  # there is a key, such as `a//b`
            return True
        except BaseError as error:
            if not refuses_key(error):
                raise
            raise UnreadableKey(f"{beginning!r} cannot be listed: {explained(str(error))}") from error
        return False

    async def probe(self, prefix: str) -> None:
        """Check that the store responds. Raises DownloadError if it does not, or does not accept the credentials.

        Credentials that may not list the keys may still read objects, so that is no error.
        """
        try:
            await self.has_below(prefix)
        except Forbidden as error:
            if not lacks_permission(error):
                raise

    async def pages(self, prefix: str) -> AsyncGenerator[Sequence[Mapping[str, Any]], None]:
        """Yield the descriptions of all objects whose keys begin with a prefix, in pages.

        Between two pages no connection is in use, so the caller can change the objects of a page with the only one.
        """
        found = obstore.list(self._store, prefix, chunk_size=_PAGE_KEYS)
        while True:
            async with self._connection():
                page = await anext(found, None)
            if page is None:
                return
            yield page

    async def delete(self, key: str) -> None:
        """Delete an object. Raises NotFound if there is none and the store reports that."""
        async with self._connection():
            await obstore.delete_async(self._store, key)

    async def put(self, key: str, data: AsyncIterable[bytes], fields: Mapping[str, str] | None) -> None:
        """Store the bytes as an object, which exists only when all its bytes are stored; see `put_stream`."""
        await put_stream(self._store, key, data, fields)

    async def _bounded(self, work: Callable[[], Awaitable[T]]) -> T:
        async with self._connection():
            try:
                async with asyncio.timeout(_LIST_SECONDS):
                    return await work()
            except TimeoutError:
                raise SourceBusy("the object store took too long to list its keys") from None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[None]:
        """Hold one of the connections, and turn the errors of obstore into DownloadErrors."""
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise SourceBusy("all connections to the object store are in use") from None
        try:
            with map_object_errors():
                yield
        finally:
            self._free.release()
