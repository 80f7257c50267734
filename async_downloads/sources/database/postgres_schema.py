"""The tables of the PostgreSQL catalogue, and the statements on them.

    ad_file     a name, its identifiers, and the number of its current version
    ad_version  a version: its description, and the number `lo` of the large object that has its bytes; `retired_at` is
                null only while the version is the current one of a file

PostgreSQL may give the number of a deleted large object to a later one, but never uses the number of a version again.
So every statement finds the large object through its version, and cannot read the bytes of another one.
"""

import hashlib
from typing import Final

import asyncpg

from ...errors import NotFound, SourceError
from .catalogue import StoredFile, already_there, new_token, not_found

__all__ = [
    "CREATE",
    "FILES",
    "FREE",
    "READ",
    "READ_BARE",
    "SIZE_BARE",
    "TABLE",
    "Upload",
    "bounds",
    "missing",
    "remove",
    "stored",
]


TABLE: Final = "ad_version"  # only a catalogue with its bytes in the database has this table
_LOCK: Final = 0x61646F776E6C  # an arbitrary number, the same in every process
# An index entry holds up to 2,704 bytes and a name has up to 4,096. So the unique index is on the digest of the name,
# and the index for the order is on its beginning. The cast to `bytea` would interpret a backslash, but no name has one.
CREATE: Final = f"""
select pg_advisory_xact_lock({_LOCK});
create table if not exists ad_version (
    id bigint generated always as identity primary key,
    file bigint,
    lo oid not null unique,
    media_type text not null,
    size bigint not null,
    sha256 bytea,
    created_at timestamptz not null default now(),
    retired_at timestamptz default now()
);
create table if not exists ad_file (
    id bigint generated always as identity primary key,
    token text collate "C" not null unique,
    name text collate "C" not null,
    version bigint not null unique references ad_version (id)
);
create unique index if not exists ad_file_name on ad_file (sha256(name::bytea));
create index if not exists ad_file_beginning on ad_file (left(name, 512));
create index if not exists ad_version_file on ad_version (file) where retired_at is null;
create index if not exists ad_version_retired_at on ad_version (retired_at);
"""
# The digest tells the version from another one with its number, in a database that was restored meanwhile.
READ: Final = "select lo_get(lo, $1, $2) from ad_version where id = $3 and sha256 = $4"
READ_BARE: Final = "select lo_get($3::oid, $1, $2)"
SIZE_BARE: Final = (
    "select lo_lseek64(lo_open($1, 262144), 0, 2) as size"  # 0x40000 opens for reading; 2 seeks from the end
)
_WHERE: Final = {
    "name": "sha256(f.name::bytea) = sha256($1::text::bytea)",
    "token": "f.token = $1",
    "integer": "f.id = $1",
}
_FILES: Final = """
select f.id, f.token, v.id, f.name, v.media_type, v.size, v.sha256, floor(extract(epoch from v.created_at))::bigint
from ad_file f join ad_version v on v.id = f.version """
FILES: Final = {
    **{by: f"{_FILES} where {condition}" for by, condition in _WHERE.items()},
    "all": f"{_FILES} order by f.name limit $1",
    # The names from "a/" up to "a0" are those below "a": 0 follows the slash in ASCII.
    "below": f"""{_FILES} where left(f.name, 512) between left($1, 512) and left($2, 512)
        and f.name > $1 and f.name < $2 order by left(f.name, 512), f.name limit $3""",
}
# 16 at a time, because each deletion needs a lock. The join skips large objects that an administrator has deleted.
FREE: Final = """
with expired as (
    delete from ad_version where id in (
        select id from ad_version where retired_at <= now() - make_interval(secs => $1)
        order by retired_at limit 16 for update skip locked
    ) returning lo, size
)
select count(*) as versions, coalesce(sum(size), 0)::bigint as size, count(lo_unlink(there.oid))
from expired left join pg_largeobject_metadata there on there.oid = lo"""
_BEGIN: Final = "insert into ad_version (lo, media_type, size) values (lo_create(0), $1, 0) returning id"
# `gc` looks at `retired_at`, so each write postpones the deletion of an unfinished upload.
_WRITE: Final = """
with own as (
    update ad_version set size = $2::bigint + length($3::bytea), retired_at = now()
    where id = $1 and retired_at is not null and size = $2::bigint returning lo
)
select lo_put(lo, $2, $3) from own"""
_PUBLISH: Final = """
update ad_version set file = $2, sha256 = $3, created_at = now(), retired_at = null
where id = $1 and retired_at is not null and size = $4 returning id"""
_NAME: Final = """
insert into ad_file (token, name, version) values ($1, $2, $3)
on conflict (sha256(name::bytea)) do update set version = excluded.version where $4 returning id"""
_RETIRE: Final = "update ad_version set retired_at = now() where file = $1 and id <> $2 and retired_at is null"
_DISCARD: Final = """
with expired as (delete from ad_version where id = $1 and retired_at is not null returning lo)
select count(lo_unlink(lo)) from expired"""


class Upload:
    """A version that is being uploaded. No transaction is open between two calls.

    Owner: one call of `PostgresStore.put`.

    States of the version:
    - unfinished, from `begin` on: `retired_at` is the time of the last `write`, and the version belongs to no file;
    - published: it is the current version of a file, and `retired_at` is null;
    - deleted, by `discard` or by `gc`: the next `write` or `publish` raises SourceError.
    """

    def __init__(self, version: int) -> None:
        self._version = version
        self._size = 0
        self._digest = hashlib.sha256()

    @classmethod
    async def begin(cls, connection: asyncpg.Connection, name: str, media_type: str, *, replace: bool) -> "Upload":
        """Begin an upload. Raises AlreadyThere if the name is taken, before any byte has been sent."""
        if await connection.fetchrow(FILES["name"], name) and not replace:
            raise already_there(name)
        return cls(await connection.fetchval(_BEGIN, media_type))

    async def write(self, connection: asyncpg.Connection, piece: bytes) -> None:
        """Append a piece to the version."""
        if await connection.fetchrow(_WRITE, self._version, self._size, piece) is None:
            raise self._deleted()
        self._size += len(piece)
        self._digest.update(piece)

    async def publish(self, connection: asyncpg.Connection, name: str, *, replace: bool) -> StoredFile:
        """Make this the current version of the file; retire the previous one. Raises AlreadyThere as `begin` does."""
        async with connection.transaction():
            file = await connection.fetchval(_NAME, new_token(), name, self._version, replace)
            if file is None:
                raise already_there(name)
            if not await connection.fetchval(_PUBLISH, self._version, file, self._digest.digest(), self._size):
                raise self._deleted()
            await connection.execute(_RETIRE, file, self._version)
            return stored(await connection.fetchrow(FILES["integer"], file))

    async def discard(self, connection: asyncpg.Connection) -> None:
        """Delete the version unless it is published."""
        await connection.execute(_DISCARD, self._version)

    def _deleted(self) -> SourceError:
        return SourceError(f"version {self._version} was deleted before its upload was complete")


def stored(row: asyncpg.Record) -> StoredFile:
    """Return the file in a row of a `FILES` statement."""
    return StoredFile(*row)


async def remove(connection: asyncpg.Connection, by: str, value: str | int) -> None:
    """Delete the file with that name or identifier, and retire its version. Raises NotFound if there is no such file.

    `by` is "name", "token" or "integer".
    """
    async with connection.transaction():
        delete = f"delete from ad_file f where {_WHERE[by]} returning version"  # noqa: S608 - our own text
        version = await connection.fetchval(delete, value)
        if version is None:
            raise await missing(connection, str(value)) if by == "name" else NotFound(f"there is no file {value!r}")
        await connection.execute("update ad_version set retired_at = now() where id = $1", version)


def bounds(key: str) -> tuple[str, str]:
    """Return the names between which all names below the key are, for the statement "below"."""
    return f"{key}/", f"{key}0"


async def missing(connection: asyncpg.Connection, key: str) -> NotFound:
    """Return the error for a key that no file has."""
    rows = await connection.fetch(FILES["below"], *bounds(key), 1)
    return not_found(key, [stored(row).name for row in rows])
