"""The catalogue of a database, with its bytes in the database itself or in a bucket that the database names."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing

from ...errors import SourceError
from ..base import Listing, Source
from . import blob_tables
from .blob_catalogue import BlobCatalogue, SignedPlace
from .blob_tables import BlobPlace
from .catalogue import Catalogue, Corruption, Identifier, StoredFile
from .sql import Sql

__all__ = ["DatabaseCatalogue"]


class DatabaseCatalogue:
    """The catalogue for the tables that a database has.

    `inside` is the catalogue for bytes in the database, and `table` is one of its tables. `blobs` is the URL of the
    bucket for a database that `init` creates. At most `connections` requests to the bucket run at a time.

    Owner: the application that created it. States: undecided until the database has tables; then decided for one of
    the two catalogues. `aclose` closes both.
    """

    def __init__(
        self, inside: Catalogue, table: str, sql: Sql, *, blobs: str | None = None, connections: int = 64
    ) -> None:
        self._inside = inside
        self._table = table
        self._sql = sql
        self._url = blobs and blobs.rstrip("/")
        self._connections = connections
        self._chosen: Catalogue | None = None

    async def _catalogue(self) -> Catalogue:
        """Return the catalogue. If there are no tables, it is `inside`, whose errors say what to do."""
        if self._chosen is None:
            bucket = await blob_tables.bucket_of(self._sql)
            if bucket is None and not await self._sql.has_table(self._table):
                return self._inside
            if self._chosen is None:  # another request may have decided meanwhile
                self._chosen = self._outside(bucket) if bucket else self._inside
        return self._chosen

    def _outside(self, bucket: BlobPlace) -> BlobCatalogue:
        from ..object_storage.blobs import Blobs  # importing it needs obstore, which most databases do not need

        try:
            return BlobCatalogue(self._sql, Blobs(bucket.url, bucket.catalogue, connections=self._connections))
        except ValueError as error:
            raise SourceError(f"{self._sql.name}: {error}") from error

    async def init(self) -> None:
        """Create the tables that do not exist yet. Raises SourceError if the bytes are not stored in `blobs`."""
        bucket = await blob_tables.bucket_of(self._sql)
        if bucket is None and self._url is None:
            await self._inside.init()
            return
        if bucket is None and await self._sql.has_table(self._table):
            raise SourceError(f"{self._sql.name} stores the bytes of its files itself: use a new database with --blobs")
        if bucket is None and self._url:
            bucket = await self._created(self._url)
        if bucket and self._url not in {None, bucket.url}:
            raise SourceError(f"the bytes of {self._sql.name} are at {bucket.url}, not at {self._url}")

    async def _created(self, url: str) -> BlobPlace:
        """Create the tables for a bucket. Raises DownloadError if the bucket cannot be reached."""
        async with aclosing(self._outside(BlobPlace(url, "0"))) as catalogue:
            await catalogue.probe()
        return await blob_tables.create(self._sql, url)

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        """Open the current version of the file with that name."""
        return await (await self._catalogue()).open(key, codings=codings)

    async def open_id(self, public: str, identifier: Identifier) -> Source:
        """Open the current version of the file with that identifier."""
        return await (await self._catalogue()).open_id(public, identifier)

    async def signed_place(self, public: str, identifier: Identifier) -> SignedPlace | None:
        """Return the signer, the key and the name for a signed URL of a file; None if its bytes are not in S3.

        Raises the errors of `open_id`.
        """
        catalogue = await self._catalogue()
        return await catalogue.signed_place(public, identifier) if isinstance(catalogue, BlobCatalogue) else None

    async def list(self, key: str) -> Listing:
        """Return the entries directly below the key."""
        return await (await self._catalogue()).list(key)

    async def files(self, limit: int | None = None) -> Sequence[StoredFile]:
        """Return all files, or the first `limit` of them, in the order of their names."""
        return await (await self._catalogue()).files(limit)

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredFile:
        """Store the bytes as a file with that name."""
        return await (await self._catalogue()).put(key, data, media_type=media_type, replace=replace)

    async def remove(self, key: str) -> None:
        """Remove a file; `gc` deletes its bytes later."""
        await (await self._catalogue()).remove(key)

    async def remove_id(self, public: str, identifier: Identifier) -> None:
        """Remove the file with that identifier; `gc` deletes its bytes later."""
        await (await self._catalogue()).remove_id(public, identifier)

    async def gc(self, grace: float) -> int:
        """Delete the bytes that no file needs. Return their number."""
        return await (await self._catalogue()).gc(grace)

    async def check(self) -> AsyncGenerator[StoredFile | Corruption, None]:
        """Read every file and compare its digest."""
        async with aclosing((await self._catalogue()).check()) as found:
            async for each in found:
                yield each

    async def probe(self) -> None:
        """Check that the bucket responds, if there is one. Raises DownloadError if it does not."""
        if isinstance(catalogue := await self._catalogue(), BlobCatalogue):
            await catalogue.probe()

    async def aclose(self) -> None:
        """Close the connections and end the threads.

        `inside` is the last one: SQLite moves its log into the database when a connection that writes is the last one.
        """
        await self._sql.aclose()
        if self._chosen:
            await self._chosen.aclose()
        await self._inside.aclose()
