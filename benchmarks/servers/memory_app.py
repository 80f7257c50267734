"""The least Hypercorn can cost: an ASGI application that has every byte in memory.

It knows just enough HTTP for the requests that the other servers get: one range, and a matching If-None-Match.
The large file is one chunk sent again and again, so a range of it has the right length and not the right bytes.
"""

import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.servers.base import DIRECTORY
from benchmarks.tree import LARGE, SMALL

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Fields = list[tuple[bytes, bytes]]

CHUNK = 512 * 1024  # the size at which facts about copies stop changing; larger ones were slower
ETAG = b'"memory"'
directory = Path(os.environ[DIRECTORY])
sizes = {f"/{name}": (directory / name).stat().st_size for name in (*SMALL, LARGE)}
files = {f"/{name}": (directory / name).read_bytes() for name in SMALL}
with (directory / LARGE).open("rb") as large:
    files[f"/{LARGE}"] = large.read(CHUNK)


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Handle a request, or the lifespan protocol."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif dict(scope["headers"]).get(b"if-none-match") == ETAG:
        await _respond(send, 304, [(b"etag", ETAG)], b"", 0)
    else:
        await _file(scope, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _file(scope: Message, send: Send) -> None:
    size, content = sizes[scope["path"]], files[scope["path"]]
    asked = re.fullmatch(rb"bytes=(\d+)-(\d+)", dict(scope["headers"]).get(b"range", b""))
    if asked is None:
        await _respond(send, 200, [(b"etag", ETAG)], content, size)
        return
    length = int(asked[2]) + 1 - int(asked[1])
    fields = [(b"etag", ETAG), (b"content-range", b"bytes %b-%b/%d" % (asked[1], asked[2], size))]
    await _respond(send, 206, fields, content, length)


async def _respond(send: Send, status: int, fields: Fields, content: bytes, length: int) -> None:
    fields = [*fields, (b"content-length", b"%d" % length)] if status != 304 else fields
    await send({"type": "http.response.start", "status": status, "headers": fields})
    for chunk, more in _chunks(content, length):
        await send({"type": "http.response.body", "body": chunk, "more_body": more})


def _chunks(content: bytes, length: int) -> Iterator[tuple[bytes, bool]]:
    """Repeat the content up to the length, and say with each chunk whether another follows."""
    while length > len(content):
        yield content, True
        length -= len(content)
    yield content if length == len(content) else content[:length], False
