"""The least that PostgreSQL can cost: one connection, asked for one 256 KiB chunk of a large object after the other."""

import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from benchmarks.servers.databases import POSTGRES
from benchmarks.tree import LARGE

CHUNK = 256 * 1024
OBJECT = "select v.lo, v.size from ad_file f join ad_version v on v.id = f.version where f.name = $1"


async def app(
    scope: dict[str, Any], _: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Respond to a request for the large file, whole or one range of it."""
    if scope["type"] != "http":
        return
    connection = await asyncpg.connect(os.environ[POSTGRES])
    try:
        oid, size = await connection.fetchrow(OBJECT, LARGE)
        start, stop = _span(dict(scope["headers"]).get(b"range", b""), size)
        fields = [(b"content-length", str(stop - start).encode())]
        if (start, stop) != (0, size):
            fields.append((b"content-range", f"bytes {start}-{stop - 1}/{size}".encode()))
        await send({"type": "http.response.start", "status": 206 if fields[1:] else 200, "headers": fields})
        for offset in range(start, stop, CHUNK):
            chunk = await connection.fetchval("select lo_get($1, $2, $3)", oid, offset, min(CHUNK, stop - offset))
            await send({"type": "http.response.body", "body": chunk, "more_body": offset + CHUNK < stop})
    finally:
        connection.terminate()


def _span(field: bytes, size: int) -> tuple[int, int]:
    found = re.fullmatch(rb"bytes=(\d+)-(\d+)", field)
    return (int(found[1]), int(found[2]) + 1) if found else (0, size)
