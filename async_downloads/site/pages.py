"""Pages: each one is drawn once for all requests that want it, in separate threads, and then kept (`SharedWork`).

Drawing a large page takes up to a second of CPU time. These threads open no files, so no download waits for them.
"""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any, Final, TypeVar

from ..asgi import error_response, request_head
from ..responder import Response
from ..semantics.codings import acceptable
from ..semantics.etags import ETag
from ..semantics.representation import Representation, Validators
from ..sending import Receive, Scope, until_disconnect
from ..sources.memory import MemorySource
from ..threads import LISTING_THREADS, in_thread
from .held_memory import MemoryLease
from .shared_work import SharedWork, Version

__all__ = ["Pages", "client_left", "page", "unless_left", "wants_gzip", "zipped"]


T = TypeVar("T")
_MIN_ZIPPED_BYTES: Final = 1_000  # a smaller page fits in one packet without compression
_ZIP_LEVEL: Final = 5
Draw = Callable[[], Awaitable[Callable[[], MemorySource]]]


class Pages:
    """The pages of one site, by key, drawn in the threads of `executor`. It belongs to one event loop.

    `HeldMemory` counts all pages in memory, also those that are no longer kept but still being sent.
    """

    def __init__(self, executor: Executor = LISTING_THREADS) -> None:
        self._executor = executor
        self._work = SharedWork[MemorySource](lambda drawn: len(drawn.data))

    async def get(self, key: Hashable, draw: Draw, version: Version | None = None) -> MemorySource:
        """Return the page with that key: the kept one, the one being drawn, or a new one.

        `draw` reads the data and returns a function that renders them; it runs in a thread. `version` returns a value
        that differs if the data have changed, or None if that is not known. Without `version` no page is kept.
        Raises SourceBusy if there is no memory for one more page.
        """
        return await self._work.get(key, partial(self._drawn, draw), version)

    async def _drawn(self, draw: Draw) -> MemorySource:
        lease = MemoryLease()
        lease.grow(0)  # no page is drawn if there is no memory left
        drawn = await in_thread(await draw(), executor=self._executor)
        lease.grow(len(drawn.data))
        lease.hold_for(drawn)
        return drawn


async def unless_left(work: Coroutine[Any, Any, T], receive: Receive) -> T | None:
    """Await the work. If the client leaves meanwhile, cancel the work and return None."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(until_disconnect(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        watching.cancel()
        working.cancel()


def client_left() -> Response:
    """Return the response for a client that seems to have left. If it still reads, it learns to try again."""
    return error_response(503, ("Retry-After", "1"))


def page(content: bytes, media_type: str) -> MemorySource:
    """Return the source of a page; its ETag is a hash of its bytes."""
    validators = Validators(ETag(sha256(content).hexdigest()[:32]))
    return MemorySource(content, Representation(len(content), media_type, validators=validators))


def wants_gzip(scope: Scope) -> bool:
    """Return whether a client prefers a page in gzip. A range is always a range of the page without a coding."""
    fields = request_head(scope).fields
    return "range" not in fields and bool(acceptable(fields.get("accept-encoding", ""), ["gzip"]))


def zipped(plain: MemorySource, *, is_wanted: bool) -> MemorySource:
    """Return the page in gzip if it is wanted and the page is not tiny. Equal pages have equal bytes in gzip."""
    described = replace(plain.representation, negotiated=True)
    if not is_wanted or len(plain.data) < _MIN_ZIPPED_BYTES:
        return MemorySource(plain.data, described)
    coded = page(gzip.compress(plain.data, _ZIP_LEVEL, mtime=0), described.media_type)
    return MemorySource(coded.data, replace(coded.representation, coding="gzip", negotiated=True))
