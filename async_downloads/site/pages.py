"""Pages that are made once for all requests for the same one, such as the listing of a folder.

    absent ── first request ──> drawing ── done ──> kept ── the version changed, or too old ──> absent
                                   └── every client that waits has left: the work stops ──────────┘

Drawing a large folder takes seconds of a processor. So it happens in threads of its own, in which no file is opened,
and the page is kept for ten times as long as it took: listings never use more than a tenth of the time.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final, TypeVar

from ..asgi import error_response
from ..responder import Response
from ..semantics.etags import ETag
from ..semantics.representation import Representation, Validators
from ..sending import Receive
from ..sources.memory import MemorySource
from ..threads import LISTING_THREADS, in_thread

__all__ = ["Pages", "client_left", "page", "unless_left"]


T = TypeVar("T")
_KEPT_BYTES: Final = 32 * 1024 * 1024
_MIN_KEPT_SECONDS: Final = 1.0
_MAX_KEPT_SECONDS: Final = 60.0
_KEPT_PER_DRAWN: Final = 10.0
_LEAVING_SECONDS: Final = 1.0  # a client that has only ended its own side looks like one that has left, and still reads
Draw = Callable[[], Awaitable[Callable[[], MemorySource]]]
Version = Callable[[], Awaitable[Hashable]]


@dataclass(slots=True)
class _Drawing:
    """A page that is being drawn, and the number of requests that wait for it."""

    task: "asyncio.Task[MemorySource]"
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    page: MemorySource
    version: Hashable
    until: float


class Pages:
    """The pages of one site, by key. It belongs to one event loop.

    Kept pages have 32 MiB together; the one that was used longest ago goes first.
    """

    def __init__(self) -> None:
        self._drawing: dict[Hashable, _Drawing] = {}
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._bytes = 0

    async def get(self, key: Hashable, draw: Draw, version: Version | None = None) -> MemorySource:
        """Return the page with that key: the kept one, the one being drawn, or a new one.

        `draw` reads the data and returns a function that renders them; it runs in a thread. `version` returns a value
        that differs if the data have changed, or None if that is not known. Without `version` no page is kept.
        """
        if kept := self._kept.get(key):
            if version and _now() < kept.until and kept.version == await version():
                return kept.page
            self._forget(key, kept)
        if not (drawing := self._drawing.get(key)):
            drawing = self._drawing[key] = _Drawing(asyncio.create_task(self._draw(key, draw, version)))
            drawing.task.add_done_callback(partial(self._finish, key, drawing))
        return await _join(drawing)

    async def _draw(self, key: Hashable, draw: Draw, version: Version | None) -> MemorySource:
        started = _now()
        found = await version() if version else None
        drawn = await in_thread(await draw(), executor=LISTING_THREADS)
        if found is not None:
            self._keep(key, drawn, found, seconds=_now() - started)
        return drawn

    def _finish(self, key: Hashable, drawing: _Drawing, task: "asyncio.Task[MemorySource]") -> None:
        if self._drawing.get(key) is drawing:
            del self._drawing[key]
        if not task.cancelled():
            task.exception()  # else asyncio logs an error whose last waiter has left as never retrieved

    def _keep(self, key: Hashable, drawn: MemorySource, version: Hashable, *, seconds: float) -> None:
        size = len(drawn.data)
        if size > _KEPT_BYTES:
            return
        while self._bytes + size > _KEPT_BYTES:
            self._forget(*next(iter(self._kept.items())))
        kept_seconds = min(max(_KEPT_PER_DRAWN * seconds, _MIN_KEPT_SECONDS), _MAX_KEPT_SECONDS)
        self._kept[key] = _Kept(drawn, version, _now() + kept_seconds)
        self._bytes += size

    def _forget(self, key: Hashable, kept: _Kept) -> None:
        if self._kept.get(key) is kept:
            del self._kept[key]
            self._bytes -= len(kept.page.data)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _join(drawing: _Drawing) -> MemorySource:
    """Wait for the page; if the last request that waits is cancelled, cancel the drawing."""
    drawing.waiting += 1
    try:
        return await asyncio.shield(drawing.task)
    finally:
        drawing.waiting -= 1
        if not drawing.waiting:
            drawing.task.cancel()


async def unless_left(work: Coroutine[Any, Any, T], receive: Receive) -> T | None:
    """Await the work; if the client leaves meanwhile, cancel it a second later and return None."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await asyncio.wait({working}, timeout=_LEAVING_SECONDS)
        return working.result() if working.done() else None
    finally:
        watching.cancel()
        working.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def client_left() -> Response:
    """Return a response for a client that has left, or that reads on and should try again."""
    return error_response(503, ("Retry-After", "1"))


def page(content: bytes, media_type: str) -> MemorySource:
    """Return the source of a page; its ETag is a hash of its bytes."""
    validators = Validators(ETag(sha256(content).hexdigest()[:32]))
    return MemorySource(content, Representation(len(content), media_type, validators=validators))
