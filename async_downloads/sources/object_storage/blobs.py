"""The objects that hold the bytes of a catalogue, which is in a database.

Each version of a file has its own object with a random name. An object never changes, so a download needs no condition.
Only the database says which object is the current one.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final

from obstore.exceptions import BaseError
from obstore.store import LocalStore

from ...errors import Forbidden, NotFound, SourceChanged, SourceError, SourceTruncated
from ...semantics.ranges import ByteRange
from ...semantics.representation import Representation
from ...threads import in_thread
from ..object_urls import check_blobs_url, path_of
from .blob_folder import check_folder, delete_part, flush_object
from .chunks import ObjectChunks
from .connecting import store_at
from .errors import NotSatisfiable, lacks_permission, map_object_errors
from .s3_signing import S3Signer
from .upstream import ENDING_SECONDS, Upstream

__all__ = ["Blob", "BlobSource", "Blobs", "Written"]


# Without `--hidden`, `serve` sends nothing below a name that begins with a dot, from a bucket or from a folder.
_TOP: Final = ".blobs"
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_DELETES_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Blob:
    """An object with one of our names: its size in bytes, and when it was stored, in seconds since 1970."""

    name: str
    size: int
    modified: float


@dataclass(frozen=True, slots=True)
class Written:
    """The size in bytes and the SHA-256 digest of stored bytes."""

    size: int
    sha256: bytes


class Blobs:
    """The objects with the keys `.blobs/CATALOGUE/NAME` below a URL. `catalogue` is the unique id of a catalogue.

    Each method raises DownloadError if the store fails. The store is opened at its first use, in the process and the
    event loop that use it, because obstore does not work in a process that was forked after its first use.
    """

    def __init__(self, url: str, catalogue: str, *, connections: int = 64, patience: float = 10.0) -> None:
        """Raises ValueError, with one line that says what to do, if the URL cannot be used."""
        check_blobs_url(url)
        self._url = url
        self._folder = path_of(url)  # None for a bucket
        self._prefix = f"{_TOP}/{catalogue}"
        self._connections = connections
        self._patience = patience
        self._upstream: Upstream | None = None

    async def upstream(self) -> Upstream:
        """Return the connections to the store. They are made in a thread, because a folder may be on a slow disk."""
        if self._upstream is None:
            opened = await in_thread(self._open)
            if self._upstream is None:  # another request may have opened it meanwhile
                self._upstream = opened
        return self._upstream

    def _open(self) -> Upstream:
        if self._folder:
            check_folder(self._folder)
        try:
            store = LocalStore(self._folder) if self._folder else store_at(self._url)
        except (BaseError, ValueError) as error:
            raise SourceError(f"{self._url}: {str(error).partition(os.linesep)[0]}") from error
        return Upstream(store, connections=self._connections, patience=self._patience)

    @cached_property
    def signer(self) -> S3Signer | None:
        """The signer for URLs of the objects; None if the store is not S3, or if there is no key to sign with."""
        return S3Signer.from_environment(self._url)

    def key(self, name: str) -> str:
        """Return the key of an object below the URL."""
        return f"{self._prefix}/{name}"

    def source(self, name: str, representation: Representation) -> "BlobSource":
        """Return the source of an object. The store is asked for it only when the first bytes are read."""
        return BlobSource(self, self.key(name), representation)

    async def put(self, name: str, data: AsyncIterable[bytes], media_type: str) -> Written:
        """Store the bytes as an object. Return when they are safe, even from a power failure.

        If this fails, there is no object. A process that is killed may leave a part of the upload, which is invisible.
        """
        size, digest = 0, hashlib.sha256()

        async def digested() -> AsyncGenerator[bytes, None]:
            nonlocal size
            async for block in data:
                size += len(block)
                digest.update(block)
                yield block

        async with aclosing(digested()) as blocks:
            await (await self.upstream()).put(self.key(name), blocks, self._fields(media_type))
        if self._folder:
            with map_object_errors():
                await in_thread(partial(flush_object, self._folder, self.key(name)))
        return Written(size, digest.digest())

    def _fields(self, media_type: str) -> Mapping[str, str] | None:
        """Return the fields of an object for clients that are redirected to it; None for a folder."""
        return None if self._folder else {"Content-Type": media_type}

    async def delete(self, names: Iterable[str]) -> None:
        """Delete objects, several at a time. An object that does not exist is no error."""
        left, upstream = iter(names), await self.upstream()

        async def delete_some() -> None:
            for name in left:
                await self._delete(upstream, self.key(name))

        ended = await asyncio.gather(*(delete_some() for _ in range(_DELETES_AT_ONCE)), return_exceptions=True)
        for error in filter(None, ended):
            raise error

    async def _delete(self, upstream: Upstream, key: str) -> None:
        with suppress(NotFound):
            await upstream.delete(key)
        if self._folder:
            with map_object_errors():
                await in_thread(partial(delete_part, self._folder, key))

    async def pages(self) -> AsyncGenerator[list[Blob], None]:
        """Yield all objects with keys of our form, up to 1,000 at a time. Others do not belong to the catalogue."""
        async with aclosing((await self.upstream()).pages(f"{self._prefix}/")) as pages:
            async for page in pages:
                found = [(meta["path"].removeprefix(f"{self._prefix}/"), meta) for meta in page]
                yield [
                    Blob(name, meta["size"], meta["last_modified"].timestamp())
                    for name, meta in found
                    if _NAME.fullmatch(name)
                ]

    async def probe(self) -> None:
        """Check that the store responds. Raises DownloadError if it does not, or does not accept the credentials."""
        if self._folder:
            await in_thread(partial(check_folder, self._folder))
        await (await self.upstream()).probe(self._prefix)

    async def aclose(self) -> None:
        """If obstore was used, wait a moment for its threads: a process that ends while one works is aborted."""
        if self._upstream:
            await asyncio.sleep(ENDING_SECONDS)


class BlobSource:
    """The bytes of one object, which never change. The object must have the size of its description."""

    def __init__(self, blobs: Blobs, key: str, representation: Representation) -> None:
        self.representation: Representation = representation
        self._blobs = blobs
        self._key = key
        self._is_running = False

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield chunks of 64 KiB to 8 MiB. For a fast client, the next chunks are requested ahead."""
        budget = (await self._blobs.upstream()).budget
        async with aclosing(ObjectChunks(self._fetch, span.start, span.stop, budget).all()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _fetch(self, start: int, stop: int) -> bytes:
        """Return exactly these bytes. The first bytes wait for a connection only as long as a new request does."""
        upstream = await self._blobs.upstream()
        get = upstream.get_chunk if self._is_running else upstream.get
        try:
            received = await get(self._key, range=(start, stop))
        except NotFound as error:
            raise SourceChanged(f"the object {self._shown} is missing") from error
        except Forbidden as error:  # S3 also sends this for a missing object if the credentials may not list the bucket
            kind = SourceChanged if lacks_permission(error) else SourceError
            raise kind(f"the object {self._shown} is missing, or may not be read: {error}") from error
        except NotSatisfiable as error:
            raise SourceTruncated(f"the object {self._shown} is too short, or its store ignores ranges") from error
        size = received.meta["size"]
        if size != self.representation.size or len(received.data) != stop - start:
            raise SourceTruncated(f"the object {self._shown} has {size} bytes, not {self.representation.size}")
        self._is_running = True
        return received.data

    @property
    def _shown(self) -> str:
        return f"{self._key} of {self.representation.filename!r}"

    async def aclose(self) -> None:
        """Do nothing: the source holds no resource."""
