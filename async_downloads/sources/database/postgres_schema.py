"""The tables that files have in PostgreSQL, and the statements on them.

    ad_file     what a name stands for, and the version it has now
    ad_version  bytes that never change, in a large object; `retired_at` from the first, until it is published

The number of a large object may be given again when it is free; that of a version is not. So bytes are read by way of
the version: when it is gone, they are not those of another. What an upload has written is found by way of it, too.
"""

import hashlib
from typing import Final

import asyncpg

from ...errors import AlreadyThere, NotFound, SourceError
from .catalogue import StoredFile, new_token, not_found

__all__ = ["CREATE", "FILES", "FREE", "MEASURE", "READ", "READ_BARE", "Upload", "below", "missing", "remove", "stored"]


_LOCK: Final = 0x61646F776E6C  # any number, but always the same
# An entry of an index holds 2,704 bytes and a name has up to 4,096, so what is unique is its digest, and what is in
# order its beginning. A name has no backslash, which is all that the cast would take for something else.
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
READ: Final = "select lo_get(lo, $2, $3) from ad_version where id = $1"
READ_BARE: Final = "select lo_get($1::oid, $2, $3)"
MEASURE: Final = "select lo_lseek64(lo_open($1, 262144), 0, 2) as size"  # 0x40000 is to read, 2 is from the end
_FILES: Final = """
select f.id, f.token, v.id, f.name, v.media_type, v.size, v.sha256, floor(extract(epoch from v.created_at))::bigint
from ad_file f join ad_version v on v.id = f.version """
FILES: Final = {
    "name": f"{_FILES} where sha256(f.name::bytea) = sha256($1::text::bytea)",
    "token": f"{_FILES} where f.token = $1",
    "integer": f"{_FILES} where f.id = $1",
    "all": f"{_FILES} order by f.name limit $1",
    # Below "a" is what begins with "a/", and 0 comes after the slash.
    "below": f"""{_FILES} where left(f.name, 512) between left($1, 512) and left($2, 512)
        and f.name > $1 and f.name < $2 order by left(f.name, 512), f.name limit $3""",
}
# A few at once, since each needs a lock. One that somebody has freed by hand is no reason to leave the others.
FREE: Final = """
with doomed as (
    delete from ad_version where id in (
        select id from ad_version where retired_at <= now() - make_interval(secs => $1)
        order by retired_at limit 16 for update skip locked
    ) returning lo, size
)
select count(*) as versions, coalesce(sum(size), 0)::bigint as size, count(lo_unlink(there.oid))
from doomed left join pg_largeobject_metadata there on there.oid = lo"""
_BEGIN: Final = "insert into ad_version (lo, media_type, size) values (lo_create(0), $1, 0) returning id"
# The time says that the upload is alive.
_WRITE: Final = """
with own as (
    update ad_version set size = $2::bigint + length($3::bytea), retired_at = now()
    where id = $1 and retired_at is not null returning lo
)
select lo_put(lo, $2, $3) from own"""
_PUBLISH: Final = """
update ad_version set file = $2, sha256 = $3, created_at = now(), retired_at = null
where id = $1 and retired_at is not null returning id"""
_NAME: Final = """
insert into ad_file (token, name, version) values ($1, $2, $3)
on conflict (sha256(name::bytea)) do update set version = excluded.version where $4 returning id"""
_RETIRE: Final = "update ad_version set retired_at = now() where file = $1 and id <> $2 and retired_at is null"
_DISCARD: Final = """
with doomed as (delete from ad_version where id = $1 and retired_at is not null returning lo)
select count(lo_unlink(lo)) from doomed"""


class Upload:
    """A version that is being put; between two pieces no transaction is open."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._size = 0
        self._digest = hashlib.sha256()

    @classmethod
    async def begin(cls, connection: asyncpg.Connection, name: str, media_type: str, *, replace: bool) -> "Upload":
        """Begin to put a file. `AlreadyThere` when the name is taken, so that its bytes need not come."""
        if await connection.fetchrow(FILES["name"], name) and not replace:
            raise _taken(name)
        return cls(await connection.fetchval(_BEGIN, media_type))

    async def write(self, connection: asyncpg.Connection, piece: bytes) -> None:
        """Write what comes next."""
        if await connection.fetchrow(_WRITE, self._version, self._size, piece) is None:
            raise self._freed()
        self._size += len(piece)
        self._digest.update(piece)

    async def publish(self, connection: asyncpg.Connection, name: str, *, replace: bool) -> StoredFile:
        """Make it the version that the name has from now on, and retire the one before."""
        async with connection.transaction():
            file = await connection.fetchval(_NAME, new_token(), name, self._version, replace)
            if file is None:
                raise _taken(name)
            if not await connection.fetchval(_PUBLISH, self._version, file, self._digest.digest()):
                raise self._freed()
            await connection.execute(_RETIRE, file, self._version)
            return stored(await connection.fetchrow(FILES["integer"], file))

    async def discard(self, connection: asyncpg.Connection) -> None:
        """Free what was written, unless it is published."""
        await connection.execute(_DISCARD, self._version)

    def _freed(self) -> SourceError:
        return SourceError(f"version {self._version} was freed before the last of it was there")


def _taken(name: str) -> AlreadyThere:
    return AlreadyThere(f"there is a file {name!r}")


def stored(row: asyncpg.Record) -> StoredFile:
    """Return the file that a row of `FILES` describes."""
    return StoredFile(*row)


async def remove(connection: asyncpg.Connection, name: str) -> None:
    """Take a file away, and retire its version. `NotFound` when there is none."""
    async with connection.transaction():
        taken = "delete from ad_file where sha256(name::bytea) = sha256($1::text::bytea) returning version"
        version = await connection.fetchval(taken, name)
        if version is None:
            raise await missing(connection, name)
        await connection.execute("update ad_version set retired_at = now() where id = $1", version)


async def below(connection: asyncpg.Connection, key: str, most: int | None = None) -> list[StoredFile]:
    """Return the files with names that begin with the key and a slash, by name."""
    return [stored(row) for row in await connection.fetch(FILES["below"], f"{key}/", f"{key}0", most)]


async def missing(connection: asyncpg.Connection, key: str) -> NotFound:
    """Return the error for a key that no file has."""
    return not_found(key, [file.name for file in await below(connection, key, 1)])
