"""The tables of a catalogue whose bytes are in a bucket, and every statement on them.

    ad_bucket  one row: the URL of the bucket, and the id of this catalogue in it
    ad_entry   a name, its identifiers, and the number of its current object
    ad_object  the description of a version, and the name of the object in the bucket that has its bytes

The states of an object; `changed` is the time when its state began:

    unfinished ── publish ──> current ── replace, remove ──> retired
        └──────── gc, discard ────> deleting <──── gc ──────────┘

A row is written before its object and deleted after it. So an object with a row is never an orphan, and after a failure
between two steps there is a row that `gc` finds. A running upload sets `changed` to the current time every few seconds.

Names are stored as bytes of UTF-8, because their order is the same in every database. `on conflict` names only columns,
because not every database with the protocol of PostgreSQL accepts expressions there.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ...errors import NotFound, SourceError
from .catalogue import StoredFile, already_there, new_token, not_found
from .sql import Row, Sql, Transaction

__all__ = [
    "BlobPlace",
    "BlobRow",
    "FileRow",
    "begin",
    "bucket_of",
    "create",
    "discard",
    "expire",
    "expired",
    "files",
    "find",
    "forget",
    "keep",
    "known",
    "missing",
    "publish",
    "remove",
    "rows_below",
    "stored",
]


_BEGINNING_BYTES: Final = 512  # of a name that are in the index, because an index entry must be short
_PAGE: Final = 500  # objects that one statement handles
_CREATE: Final = (
    """create table if not exists ad_object (
        id {number}, blob text not null unique, entry bigint, state text not null,
        changed double precision not null, media_type text not null, size bigint not null, sha256 {bytes})""",
    "create index if not exists ad_object_state on ad_object (state, changed)",
    "create index if not exists ad_object_entry on ad_object (entry)",
    """create table if not exists ad_entry (
        id {number}, token text not null unique, digest {bytes} not null unique, beginning {bytes} not null,
        name {bytes} not null, object bigint not null unique references ad_object (id))""",
    "create index if not exists ad_entry_beginning on ad_entry (beginning)",
    "create table if not exists ad_bucket (id integer primary key, url text not null, catalogue text not null)",
)
_BUCKET: Final = "select url, catalogue from ad_bucket"
_CHOOSE: Final = "insert into ad_bucket (id, url, catalogue) values (1, ?, ?) on conflict (id) do nothing"
_FILES: Final = """select f.id, f.token, o.id, f.name, o.media_type, o.size, o.sha256, o.changed, o.blob
    from ad_entry f join ad_object o on o.id = f.object """
_ORDER: Final = " order by f.beginning, f.name"
_BELOW: Final = f"{_FILES} where f.beginning >= ? and f.beginning <= ? and f.name > ? and f.name < ?{_ORDER}"
_BEGIN: Final = """insert into ad_object (blob, state, changed, media_type, size) values (?, 'unfinished', ?, ?, 0)"""
_KEEP: Final = "update ad_object set changed = ? where id = ? and state = 'unfinished'"
_NAME: Final = """insert into ad_entry (token, digest, beginning, name, object) values (?, ?, ?, ?, ?)
    on conflict (digest) do """
_PUBLISH: Final = """update ad_object set state = 'current', entry = ?, changed = ?, size = ?, sha256 = ?
    where id = ?"""
_RETIRE: Final = "update ad_object set state = 'retired', changed = ? where entry = ? and id <> ? and state = 'current'"
_DISCARD: Final = "update ad_object set state = 'deleting' where id = ? and state = 'unfinished'"
_EXPIRE: Final = "update ad_object set state = 'deleting' where state in ('unfinished', 'retired') and changed <= ?"
_EXPIRED: Final = "select id, blob, size from ad_object where state = 'deleting' order by id limit ?"
_FORGET: Final = "delete from ad_object where id = ? and state = 'deleting'"
By = Literal["name", "token", "integer"]
_COLUMNS: Final = {"name": "digest", "token": "token", "integer": "id"}


@dataclass(frozen=True, slots=True)
class BlobPlace:
    """Where a catalogue stores its bytes."""

    url: str
    catalogue: str


@dataclass(frozen=True, slots=True)
class BlobRow:
    """An object of the bucket: the number of its row, its name, and its size in bytes if that is known."""

    id: int
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file, and the name of the object that has its bytes."""

    file: StoredFile
    blob: str


async def create(sql: Sql, url: str) -> BlobPlace:
    """Create the tables that do not exist yet. Return the bucket of the catalogue, which may differ from `url`."""
    await sql.create(_CREATE)
    await sql.write(lambda transaction: transaction.change(_CHOOSE, url, secrets.token_hex(16)))
    [row] = await sql.rows(_BUCKET)
    return BlobPlace(*row)


async def bucket_of(sql: Sql) -> BlobPlace | None:
    """Return the bucket of the catalogue; None if the database has none."""
    rows = await sql.rows(_BUCKET) if await sql.has_table("ad_bucket") else ()
    return BlobPlace(*rows[0]) if rows else None


def stored(row: Row) -> FileRow:
    """Return the file in a row of the files."""
    number, token, version, name, media_type, size, sha256, changed, blob = row
    file = StoredFile(number, token, version, bytes(name).decode(), media_type, size, sha256, int(changed))
    return FileRow(file, blob)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _find(by: By, value: str | int) -> tuple[str, str | int | bytes]:
    """Return the condition that finds an entry, and its value."""
    return f" where {_COLUMNS[by]} = ?", _digest(str(value)) if by == "name" else value


async def find(sql: Sql | Transaction, by: By, value: str | int) -> FileRow | None:
    """Return the file with that name or identifier."""
    condition, wanted = _find(by, value)
    rows = await sql.rows(f"{_FILES}{condition.replace('where ', 'where f.')}", wanted)
    return stored(rows[0]) if rows else None


async def files(sql: Sql, limit: int | None = None) -> list[FileRow]:
    """Return all files, or the first `limit` of them, in the order of their names."""
    few = () if limit is None else (limit,)
    return [stored(row) for row in await sql.rows(f"{_FILES}{_ORDER}{' limit ?' if few else ''}", *few)]


async def rows_below(sql: Sql | Transaction, key: str, limit: int | None = None) -> Sequence[Row]:
    """Return the rows of the files below the key, or of all files, in the order of their names."""
    if not key:
        return await sql.rows(f"{_FILES}{_ORDER}")
    first, last = f"{key}/".encode(), f"{key}0".encode()  # the character after the slash in ASCII is 0
    values = [first[:_BEGINNING_BYTES], last[:_BEGINNING_BYTES], first, last, *([limit] if limit else [])]
    return await sql.rows(f"{_BELOW}{' limit ?' if limit else ''}", *values)


async def missing(sql: Sql | Transaction, by: By, value: str | int) -> NotFound:
    """Return the error for a name or an identifier that no file has."""
    if by != "name":
        return NotFound(f"there is no file with the {by} {value!r}")
    return not_found(str(value), [stored(row).file.name for row in await rows_below(sql, str(value), 1)])


async def begin(transaction: Transaction, name: str, media_type: str, *, replace: bool) -> BlobRow:
    """Record that an upload begins. Return its object. Raises AlreadyThere if the name is taken, unless `replace`."""
    if not replace and await find(transaction, "name", name):
        raise already_there(name)
    blob = secrets.token_hex(16)
    await transaction.change(_BEGIN, blob, await transaction.now(), media_type)
    [[number]] = await transaction.rows("select id from ad_object where blob = ?", blob)
    return BlobRow(number, blob)


async def keep(transaction: Transaction, blob: BlobRow) -> None:
    """Record that an upload still runs. Do nothing if the upload was deleted."""
    await transaction.change(_KEEP, await transaction.now(), blob.id)


async def publish(
    transaction: Transaction, blob: BlobRow, name: str, *, size: int, sha256: bytes, replace: bool
) -> StoredFile:
    """Make the object the current one of the file, and retire the previous one. Raises AlreadyThere as `begin` does."""
    now, encoded, digest = await transaction.now(), name.encode(), _digest(name)
    if not await transaction.change(_KEEP, now, blob.id):  # no other process can claim the object from here on
        raise SourceError(f"the upload of {name!r} was deleted before it was complete")
    row = (new_token(), digest, encoded[:_BEGINNING_BYTES], encoded, blob.id)
    await transaction.change(_NAME + ("update set object = excluded.object" if replace else "nothing"), *row)
    rows = await transaction.rows("select id from ad_entry where digest = ? and object = ?", digest, blob.id)
    if not rows:
        raise already_there(name)
    [[entry]] = rows
    await transaction.change(_PUBLISH, entry, now, size, sha256, blob.id)
    await transaction.change(_RETIRE, now, entry, blob.id)
    stored = await find(transaction, "integer", entry)
    assert stored is not None  # noqa: S101 - this transaction wrote it
    return stored.file


async def discard(transaction: Transaction, blob: BlobRow) -> bool:
    """Claim an unfinished object for deletion. Return False if it was published after all, and must stay."""
    if await transaction.change(_DISCARD, blob.id):
        return True
    rows = await transaction.rows("select state from ad_object where id = ?", blob.id)
    return all(state == "deleting" for [state] in rows)


async def remove(transaction: Transaction, by: By, value: str | int) -> None:
    """Delete the file with that name or identifier, and retire its object. Raises NotFound if there is none."""
    condition, wanted = _find(by, value)
    rows = await transaction.rows(f"select id from ad_entry{condition}", wanted)  # noqa: S608 - our own text
    if not rows or not await transaction.change("delete from ad_entry where id = ?", rows[0][0]):
        raise await missing(transaction, by, value)
    await transaction.change(_RETIRE, await transaction.now(), rows[0][0], 0)


async def expire(transaction: Transaction, grace: float) -> None:
    """Claim for deletion all objects that were retired or last updated over `grace` seconds ago."""
    await transaction.change(_EXPIRE, await transaction.now() - grace)


async def expired(sql: Sql) -> list[BlobRow]:
    """Return some of the objects that are claimed for deletion; an empty list if none are left."""
    return [BlobRow(*row) for row in await sql.rows(_EXPIRED, _PAGE)]


async def forget(transaction: Transaction, blobs: Sequence[BlobRow]) -> int:
    """Delete the rows of deleted objects. Return the bytes of the objects whose rows this call deleted."""
    return sum([blob.size * await transaction.change(_FORGET, blob.id) for blob in blobs])


async def known(transaction: Transaction, names: Sequence[str]) -> set[str]:
    """Return which of these objects have a row. This is a transaction, because a replica might lack the newest rows."""
    found: set[str] = set()
    for start in range(0, len(names), _PAGE):
        some = names[start : start + _PAGE]
        marks = ", ".join("?" * len(some))
        statement = f"select blob from ad_object where blob in ({marks})"  # noqa: S608 - marks only
        found.update(name for [name] in await transaction.rows(statement, *some))
    return found
