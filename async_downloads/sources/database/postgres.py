"""Files in a PostgreSQL database, stored as large objects.

Each chunk is read by byte range with its own statement. So a download uses a connection only while PostgreSQL executes
that statement. While the client receives the chunk, the download holds neither a connection nor a transaction. So ten
connections serve hundreds of slow clients.
"""

import asyncio
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
from ...source_events import timed
from ...threads import LISTING_THREADS, in_thread, retrieve_exception
from ..base import Listing
from ..media_types import media_type as media_type_of
from . import postgres_schema as schema
from .catalogue import (
    CHUNK_BYTES,
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
from .postgres_pool import Connections

__all__ = ["PostgresSource", "PostgresStore"]


_WRITE_BYTES: Final = 1024 * 1024  # how much of an upload one statement writes
_DELETE_TIMEOUT_SECONDS: Final = 3600.0  # the time to delete a large object grows with its size
_OID_LIMIT: Final = 2**32


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """One large object. `_statement` finds it by `_values`: number and digest of its version, or its own number."""

    representation: Representation
    _connections: Connections
    _statement: str
    _values: tuple[int] | tuple[int, bytes]

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield chunks that end at multiples of 256 KiB. The next chunk is read while the client receives one.

        Nothing is read ahead before the client has received the first chunk, because many clients leave before that.
        """
        start, has_taken = span.start, False
        ahead: asyncio.Task[bytes] | None = None
        try:
            while start < span.stop:
                chunk = await (ahead or self._read_chunk(start, span.stop))
                start += len(chunk)
                ahead = self._begin(start, span.stop) if has_taken and start < span.stop else None
                yield chunk
                has_taken = True
        finally:
            if ahead:
                ahead.cancel()

    def _begin(self, start: int, stop: int) -> asyncio.Task[bytes]:
        task = asyncio.create_task(self._read_chunk(start, stop))
        task.add_done_callback(retrieve_exception)
        return task

    async def _read_chunk(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to the end of its chunk or to `stop`.

        A running download waits up to `timeout` for a connection, even while PostgreSQL restarts. A new request waits
        only up to `patience`.
        """
        count = min(start - start % CHUNK_BYTES + CHUNK_BYTES, stop) - start
        row = await self._connections.row_of_download(self._statement, start, count, *self._values)
        if row is None:
            raise SourceChanged(f"{self.representation.filename!r}: version {self._values[0]} was deleted")
        data: bytes = row[0]
        if len(data) < count:
            raise SourceTruncated(f"{self.representation.filename!r} ended at byte {start + len(data)}")
        return data

    async def aclose(self) -> None:
        """Do nothing: the source holds no resource."""


class PostgresStore:
    """A catalogue in a PostgreSQL database. It can also open large objects of other tables.

    `size` is the largest number of connections. `patience` is the number of seconds that a request waits for a free
    connection, and `timeout` the number of seconds that PostgreSQL has for a response.

    Owner: the application that created it. It calls `aclose` at its end; afterwards every method raises SourceError.
    The store has no state but its pool of connections. The states of a version are those of `postgres_schema.Upload`.
    """

    def __init__(self, dsn: str, *, size: int = 10, patience: float = 5.0, timeout: float = 30.0) -> None:
        self.connections: Connections = Connections(dsn, size=size, patience=patience, timeout=timeout)

    async def init(self) -> None:
        """Create the tables that do not exist yet, in one transaction."""
        await self.connections.run(lambda connection: connection.execute(schema.CREATE))

    @timed("postgresql")
    async def open(self, key: str, *, codings: Sequence[str] = ()) -> PostgresSource:  # noqa: ARG002 - a catalogue has no codings
        """Open the current version of the file with that name."""
        check_key(key)
        if file := await self._find("name", key):
            return self._source(file)
        raise await self.connections.run(partial(schema.missing, key=key))

    @timed("postgresql")
    async def open_id(self, public: str, identifier: Identifier) -> PostgresSource:
        """Open the current version of the file with that identifier."""
        if file := await self._find(identifier, parse_identifier(public, identifier)):
            return self._source(file)
        raise NotFound(f"there is no file with the {identifier} {public!r}")

    async def large_object(
        self,
        oid: int,
        *,
        name: str,
        media_type: str | None = None,
        version: str | None = None,
        sha256: bytes | None = None,
    ) -> PostgresSource:
        """Open a large object of another table, to send it as a file with that name.

        PostgreSQL does not record when a large object was written to. So the response has an ETag, and its download can
        be resumed, only if the caller gives `sha256`, the digest of the bytes (32 bytes), or `version`, a text that
        changes whenever the bytes change. Do not write to a large object while it may be sent: the client would receive
        a mixture of old and new bytes. Write a new object instead.

        Raises NotFound if there is no such object, and Forbidden if its owner has not granted access to it.
        """
        if not 0 < oid < _OID_LIMIT:
            raise NotFound(f"{oid} is not a valid number of a large object")
        try:
            row = await self.connections.row(schema.SIZE_BARE, oid)
        except SourceChanged as error:
            raise NotFound(f"there is no large object {oid}") from error
        tag = sha256.hex() if sha256 else quote(version, safe="") if version else None
        representation = Representation(
            size=row["size"] if row else 0,
            media_type=media_type or media_type_of(name),
            validators=Validators(ETag(tag) if tag else None),
            filename=name,
            digest=sha256,
        )
        return PostgresSource(representation, self.connections, schema.READ_BARE, (oid,))

    async def _find(self, by: str, value: str | int) -> StoredFile | None:
        row = await self.connections.row(schema.FILES[by], value)
        return schema.stored(row) if row else None

    def _source(self, file: StoredFile) -> PostgresSource:
        return PostgresSource(describe(file), self.connections, schema.READ, (file.version, file.sha256))

    async def list(self, key: str) -> Listing:
        """Return the entries directly below the key."""
        check_key(key)
        which, bounds = ("below", schema.bounds(key)) if key else ("all", ())
        rows = await self.connections.rows(schema.FILES[which], *bounds, None)
        return await in_thread(lambda: listing(key, map(schema.stored, rows)), executor=LISTING_THREADS)

    async def files(self, limit: int | None = None) -> Sequence[StoredFile]:
        """Return all files, or the first `limit` of them, in the order of their names."""
        return [schema.stored(row) for row in await self.connections.rows(schema.FILES["all"], limit)]

    async def put(
        self, key: str, data: AsyncIterable[bytes], *, media_type: str | None = None, replace: bool = False
    ) -> StoredFile:
        """Store the bytes as a file with that name.

        A failed upload is deleted at once if PostgreSQL can be reached, else by `gc`.
        """
        check_name(key)
        run, media_type = self.connections.run, media_type or media_type_of(key)
        upload = await run(partial(schema.Upload.begin, name=key, media_type=media_type, replace=replace))
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
        """Remove a file; `gc` deletes its bytes later."""
        check_key(key)
        await self.connections.run(partial(schema.remove, by="name", value=key))

    async def remove_id(self, public: str, identifier: Identifier) -> None:
        """Remove the file with that identifier; `gc` deletes its bytes later."""
        await self.connections.run(partial(schema.remove, by=identifier, value=parse_identifier(public, identifier)))

    async def gc(self, grace: float) -> int:
        """Delete retired versions, 16 in each transaction. A vacuum makes their space free for other tables."""
        freed, versions = 0, 1
        while versions:
            row = await self.connections.run(
                lambda connection: connection.fetchrow(schema.FREE, grace, timeout=_DELETE_TIMEOUT_SECONDS)
            )
            freed, versions = freed + row["size"], row["versions"]
        return freed

    async def check(self) -> AsyncGenerator[StoredFile | Corruption, None]:
        """Read every file and compare its digest. Skip files that are removed or replaced meanwhile."""
        for file in await self.files():
            try:
                found = await verify(file, self._source(file))
            except (SourceChanged, SourceTruncated) as error:
                if await self._find("integer", file.id) == file:
                    yield Corruption(file, str(error))
            else:
                yield found

    async def aclose(self) -> None:
        """Wait for running statements, which are short, then close the connections."""
        await self.connections.aclose()


async def _pieces(data: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of an upload in pieces of 1 MiB; the last may be smaller."""
    rest = bytearray()
    async for block in data:
        rest += block
        while len(rest) >= _WRITE_BYTES:
            yield bytes(rest[:_WRITE_BYTES])
            del rest[:_WRITE_BYTES]
    if rest:
        yield bytes(rest)
