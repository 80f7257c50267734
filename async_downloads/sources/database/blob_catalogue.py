"""A catalogue with its names in a database and its bytes in a bucket.

    put   row `unfinished` ──> object ──> row `current`, the previous row `retired`
    gc    row `deleting`   ──> no object ──> no row;   then objects without a row

The steps are those of `blob_tables`. A process may stop or fail at any step: no object that a row needs is ever
deleted, and `gc` finds and deletes the remains.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from ...errors import DownloadError, SourceChanged, SourceTruncated
from ...source_events import timed
from ...threads import LISTING_THREADS, in_thread
from ..base import Listing
from ..media_types import media_type as media_type_of
from . import blob_tables as tables
from .catalogue import (
    Corruption,
    Identifier,
    StoredFile,
    check_key,
    check_name,
    describe,
    listing,
    parse_identifier,
    verify,
)
from .sql import Sql

if TYPE_CHECKING:  # importing it needs obstore
    from ..object_storage.blobs import Blobs, BlobSource
    from ..object_storage.s3_signing import S3Signer

__all__ = ["BlobCatalogue", "SignedPlace"]


_KEEP_SECONDS: Final = 10.0  # between two updates of the time of a running upload
_DISCARD_SECONDS: Final = 5.0  # for the clean-up after a failed upload; `gc` deletes the rest


class SignedPlace(NamedTuple):
    """Where the bytes of a file are: the signer for the bucket, the key in it, and the file's name without folders."""

    signer: "S3Signer"
    key: str
    name: str


class BlobCatalogue:
    """The files of a database whose bytes are in a bucket.

    Owner: one DatabaseCatalogue, which closes `sql`. The catalogue has no state of its own.
    """

    def __init__(self, sql: Sql, blobs: "Blobs") -> None:
        self._sql = sql
        self._blobs = blobs
        self._find = timed(sql.kind)(self._look_up)

    async def init(self) -> None:
        """Do nothing: the tables exist."""

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> "BlobSource":  # noqa: ARG002 - a catalogue has no codings
        """Open the current version of the file with that name."""
        check_key(key)
        return self._source(await self._find("name", key))

    async def open_id(self, public: str, identifier: Identifier) -> "BlobSource":
        """Open the current version of the file with that identifier."""
        return self._source(await self._find(identifier, parse_identifier(public, identifier)))

    async def _look_up(self, by: tables.By, value: str | int) -> tables.FileRow:
        if stored := await tables.find(self._sql, by, value):
            return stored
        raise await tables.missing(self._sql, by, value)

    async def signed_place(self, public: str, identifier: Identifier) -> SignedPlace | None:
        """Return the signer, the key and the name for a signed URL of a file; None if there is no signer.

        Raises the errors of `open_id`.
        """
        if self._blobs.signer is None:
            return None
        stored = await self._find(identifier, parse_identifier(public, identifier))
        name = stored.file.name.rpartition("/")[2]
        return SignedPlace(self._blobs.signer, self._blobs.key(stored.blob), name)

    def _source(self, stored: tables.FileRow) -> "BlobSource":
        return self._blobs.source(stored.blob, describe(stored.file))

    async def list(self, key: str) -> Listing:
        """Return the entries directly below the key."""
        check_key(key)
        rows = await tables.rows_below(self._sql, key)
        return await in_thread(
            lambda: listing(key, (tables.stored(row).file for row in rows)), executor=LISTING_THREADS
        )

    async def files(self, limit: int | None = None) -> Sequence[StoredFile]:
        """Return all files, or the first `limit` of them, in the order of their names."""
        return [stored.file for stored in await tables.files(self._sql, limit)]

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredFile:
        """Store the bytes as a file with that name.

        A failed upload is deleted at once if the database and the bucket can be reached, else by `gc`.
        """
        check_name(key)
        media_type = media_type or media_type_of(key)
        blob = await self._sql.write(partial(tables.begin, name=key, media_type=media_type, replace=replace))
        try:
            async with self._kept(blob):
                written = await self._blobs.put(blob.name, data, media_type)
            size, sha256 = written.size, written.sha256
            return await self._sql.write(
                partial(tables.publish, blob=blob, name=key, size=size, sha256=sha256, replace=replace)
            )
        except BaseException:
            with suppress(DownloadError, TimeoutError):
                await self._discard(blob)
            raise

    @asynccontextmanager
    async def _kept(self, blob: tables.BlobRow) -> AsyncIterator[None]:
        """Update the time of the upload while the block runs, so that `gc` does not delete it."""
        keeping = asyncio.create_task(self._keep(blob))
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def _keep(self, blob: tables.BlobRow) -> None:
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            with suppress(DownloadError):  # if `gc` has deleted the upload, `publish` raises
                await self._sql.write(partial(tables.keep, blob=blob))

    async def _discard(self, blob: tables.BlobRow) -> None:
        """Delete the object of a failed upload. `gc` deletes the row: the bucket may still complete a request."""
        async with asyncio.timeout(_DISCARD_SECONDS):
            if await self._sql.write(partial(tables.discard, blob=blob)):
                await self._blobs.delete([blob.name])

    async def remove(self, key: str) -> None:
        """Remove a file; `gc` deletes its bytes later."""
        check_key(key)
        await self._sql.write(partial(tables.remove, by="name", value=key))

    async def remove_id(self, public: str, identifier: Identifier) -> None:
        """Remove the file with that identifier; `gc` deletes its bytes later."""
        value = parse_identifier(public, identifier)
        await self._sql.write(partial(tables.remove, by=identifier, value=value))

    async def gc(self, grace: float) -> int:
        """Delete objects that no file and no running upload has needed for `grace` seconds; return the freed bytes."""
        await self._sql.write(partial(tables.expire, grace=grace))
        freed = 0
        while expired := await tables.expired(self._sql):
            await self._blobs.delete(blob.name for blob in expired)
            freed += await self._sql.write(partial(tables.forget, blobs=expired))
        return freed + await self._free_orphans(time.time() - grace)

    async def _free_orphans(self, before: float) -> int:
        """Delete the objects without a row that were stored before that time.

        The rows are read after the objects, and from the database that is written to, not from a replica. An upload
        has its row before its object. So only an object whose row was deleted has no row, for example if the bucket
        completed the object after the upload had failed.
        """
        freed = 0
        async with aclosing(self._blobs.pages()) as pages:
            async for page in pages:
                old = {blob.name: blob.size for blob in page if blob.modified <= before}
                orphans = old.keys() - await self._sql.write(partial(tables.known, names=list(old)))
                await self._blobs.delete(orphans)
                freed += sum(old[name] for name in orphans)
        return freed

    async def check(self) -> AsyncGenerator[StoredFile | Corruption, None]:
        """Read every file and compare its size and its digest. Skip files that are removed or replaced meanwhile."""
        for stored in await tables.files(self._sql):
            try:
                found = await verify(stored.file, self._source(stored))
            except (SourceChanged, SourceTruncated) as error:
                if await tables.find(self._sql, "integer", stored.file.id) == stored:
                    yield Corruption(stored.file, str(error))
            else:
                yield found

    async def probe(self) -> None:
        """Check that the bucket responds. Raises DownloadError if it does not."""
        await self._blobs.probe()

    async def aclose(self) -> None:
        """Wait a moment for the requests to the bucket to end."""
        await self._blobs.aclose()
