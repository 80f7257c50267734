"""Files in a PostgreSQL database, as large objects.

They are read by byte range, a chunk with a statement of its own: so a download holds a connection for as long as
PostgreSQL takes for that, and neither connection nor transaction while its client has the chunk. Ten connections
serve hundreds of slow clients.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import quote

from ...errors import DownloadError, NotFound, SourceChanged, SourceTruncated
from ...semantics.etags import ETag
from ...semantics.ranges import ByteRange
from ...semantics.representation import Representation, Validators
from ..base import Listing
from ..media_types import media_type as type_of
from . import postgres_schema as schema
from .catalogue import CHUNK, Corruption, Identifier, StoredFile, compared, describe, is_name, listing
from .postgres_pool import Connections, forget

__all__ = ["PostgresSource", "PostgresStore"]


_PIECE: Final = 1024 * 1024  # bytes of an upload that are written together
_LONG: Final = 3600.0  # seconds: to free a large object takes as long as it is large
_INTEGER: Final = re.compile(r"[1-9][0-9]{0,18}")
_BEYOND: Final = 2**63
_OIDS: Final = 2**32


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """One large object. `_statement` reads of it by `_number`: that of its version, or its own."""

    representation: Representation
    _connections: Connections
    _statement: str
    _number: int

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield chunks that end at multiples of 256 KiB; the next is read while the client takes one."""
        start = span.start
        ahead: asyncio.Task[bytes] | None = None
        try:
            while start < span.stop:
                chunk = await (ahead or self._chunk(start, span.stop))
                start += len(chunk)
                ahead = self._begin(start, span.stop) if start < span.stop else None
                yield chunk
        finally:
            if ahead:
                ahead.cancel()

    def _begin(self, start: int, stop: int) -> asyncio.Task[bytes]:
        task = asyncio.create_task(self._chunk(start, stop))
        task.add_done_callback(forget)
        return task

    async def _chunk(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to the end of its chunk, or to `stop`.

        Who has been promised them waits for a connection longer than somebody new would.
        """
        count = min(start - start % CHUNK + CHUNK, stop) - start
        patience = self._connections.timeout
        row = await self._connections.row(self._statement, self._number, start, count, patience=patience)
        if row is None:
            raise SourceChanged(f"{self.representation.filename!r}: version {self._number} was freed")
        data: bytes = row[0]
        if len(data) < count:
            raise SourceTruncated(f"{self.representation.filename!r} ended at byte {start + len(data)}")
        return data

    async def aclose(self) -> None:
        """Do nothing: there is nothing to give back."""


class PostgresStore:
    """A catalogue in a PostgreSQL database, and whatever other large objects are there.

    `size` is how many connections there are at most. `patience` is how many seconds a request waits for one of them,
    and `timeout` how many PostgreSQL has for an answer.
    """

    def __init__(self, dsn: str, *, size: int = 10, patience: float = 5.0, timeout: float = 30.0) -> None:
        self._connections = Connections(dsn, size=size, patience=patience, timeout=timeout)

    async def init(self) -> None:
        """Create the tables where they are not there yet, all or none of them."""
        await self._connections.run(lambda connection: connection.execute(schema.CREATE))

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> PostgresSource:  # noqa: ARG002 - there are none
        """Open the current version of the file with that name."""
        if key and not is_name(key):
            raise NotFound(f"{key!r} is no name of a file")
        if file := await self._find("name", key):
            return self._source(file)
        raise await self._connections.run(partial(schema.missing, key=key))

    async def open_id(self, public: str, identifier: Identifier) -> PostgresSource:
        """Open the current version of the file with that identifier; an integer is written in one way only."""
        if identifier == "token":
            value: str | int | None = public if public.isascii() and public.isprintable() else None
        else:
            value = int(public) if _INTEGER.fullmatch(public) and int(public) < _BEYOND else None
        if value is not None and (file := await self._find(identifier, value)):
            return self._source(file)
        raise NotFound(f"there is no file {public[:50]!r}")

    async def large_object(
        self,
        oid: int,
        *,
        name: str,
        media_type: str | None = None,
        version: str | None = None,
        sha256: bytes | None = None,
    ) -> PostgresSource:
        """Open a large object of a table of yours, which is to send under that name.

        PostgreSQL does not tell when one was written to. So it has an entity tag, and a download of it can be resumed,
        only with its digest or a `version`: what is another whenever the bytes are. One that is written to while it is
        sent arrives mixed: write a new one instead. `Forbidden` when its owner has not granted it to us.
        """
        if not 0 < oid < _OIDS:
            raise NotFound(f"{oid} is no number of a large object")
        try:
            row = await self._connections.row(schema.MEASURE, oid)
        except SourceChanged as error:
            raise NotFound(f"there is no large object {oid}") from error
        tag = sha256.hex() if sha256 else quote(version, safe="") if version else None
        told = Representation(
            size=row["size"] if row else 0,
            media_type=media_type or type_of(name),
            validators=Validators(ETag(tag) if tag else None),
            filename=name,
            digest=sha256,
        )
        return PostgresSource(told, self._connections, schema.READ_BARE, oid)

    async def _find(self, by: str, value: str | int) -> StoredFile | None:
        row = await self._connections.row(schema.FILES[by], value)
        return schema.stored(row) if row else None

    def _source(self, file: StoredFile) -> PostgresSource:
        return PostgresSource(describe(file), self._connections, schema.READ, file.version)

    async def list(self, key: str) -> Listing:
        """Return what stands directly below the key."""
        if key and not is_name(key):
            raise NotFound(f"{key!r} is the beginning of no name")
        return listing(key, await self._connections.run(partial(schema.below, key=key)) if key else await self.files())

    async def files(self, most: int | None = None) -> Sequence[StoredFile]:
        """Return every file, or that many, by name."""
        return [schema.stored(row) for row in await self._connections.rows(schema.FILES["all"], most)]

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredFile:
        """Keep the bytes under a name. ValueError for a name that no file may have.

        What fails is freed at once if PostgreSQL can be reached, else by `gc`.
        """
        if not is_name(key):
            raise ValueError(f"{key!r} cannot be the name of a file")
        run, kind = self._connections.run, media_type or type_of(key)
        upload = await run(partial(schema.Upload.begin, name=key, media_type=kind, replace=replace))
        try:
            async with aclosing(_pieces(data)) as pieces:
                async for piece in pieces:
                    await run(partial(upload.write, piece=piece))
            return await run(partial(upload.publish, name=key, replace=replace))
        except BaseException:
            with suppress(DownloadError):
                await run(upload.discard)
            raise

    async def remove(self, key: str) -> None:
        """Take the file with that name away, and leave its bytes to `gc`."""
        if not is_name(key):
            raise NotFound(f"{key!r} is no name of a file")
        await self._connections.run(partial(schema.remove, name=key))

    async def gc(self, grace: float) -> int:
        """Free versions that nobody needs, a few at a time; vacuum gives their space to others."""
        freed, versions = 0, 1
        while versions:
            row = await self._connections.run(lambda connection: connection.fetchrow(schema.FREE, grace, timeout=_LONG))
            freed, versions = freed + row["size"], row["versions"]
        return freed

    async def check(self) -> AsyncGenerator[StoredFile | Corruption, None]:
        """Read every file and compare its digest; what was taken away meanwhile is left out."""
        for file in await self.files():
            try:
                found = await compared(file, self._source(file))
            except (SourceChanged, SourceTruncated) as error:
                if await self._find("integer", file.id) == file:
                    yield Corruption(file, str(error))
            else:
                yield found

    async def aclose(self) -> None:
        """Close the connections; short work that was begun is waited for."""
        await self._connections.aclose()


async def _pieces(data: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of an upload in pieces of one size, but for the last."""
    rest = bytearray()
    async for block in data:
        rest += block
        while len(rest) >= _PIECE:
            yield bytes(rest[:_PIECE])
            del rest[:_PIECE]
    if rest:
        yield bytes(rest)
