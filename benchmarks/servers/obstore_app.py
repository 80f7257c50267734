"""The least that an object can cost: obstore's own stream of it, passed on piece by piece."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import obstore
from obstore.store import S3Store

from benchmarks.servers.bucket import BUCKET
from benchmarks.settings import MIB


@cache
def _store() -> S3Store:
    """Connect in the process that serves: obstore does not survive a fork."""
    return S3Store(BUCKET, client_options={"allow_http": True, "timeout": "1 day"})


async def app(
    scope: dict[str, Any], _: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Respond to a request for a whole object."""
    if scope["type"] != "http":
        return
    got = await obstore.get_async(_store(), scope["path"].lstrip("/"))
    fields = [(b"content-length", str(got.meta["size"]).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    async for chunk in got.stream(min_chunk_size=MIB):
        await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
