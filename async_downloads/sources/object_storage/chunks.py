"""The bytes of an object in chunks, at the speed of the client. Each chunk is one request."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from ...threads import retrieve_exception
from .byte_budget import ByteBudget
from .read_ahead import ReadAhead

__all__ = ["ObjectChunks"]


Fetch = Callable[[int, int], Awaitable[bytes]]


class ObjectChunks:
    """The chunks of one span, some of them requested before they are needed.

    `_asked` is the position where the next request begins. `_ahead` has the chunks between the last yielded byte and
    that position, in order. The bytes of all these chunks, `_taken`, come from `_budget`, and go back to it when the
    client took them.
    """

    def __init__(self, fetch: Fetch, start: int, stop: int, budget: ByteBudget) -> None:
        self._fetch = fetch
        self._asked = start
        self._stop = stop
        self._budget = budget
        self._taken = 0
        self._read_ahead = ReadAhead()
        self._ahead: deque[asyncio.Task[bytes]] = deque()

    async def all(self) -> AsyncGenerator[bytes, None]:
        """Yield all chunks. At the end, cancel requests that are still running."""
        try:
            while self._ahead or self._asked < self._stop:
                chunk = await (self._ahead.popleft() if self._ahead else self._next())
                self._request_ahead()
                given = time.monotonic()
                yield chunk
                self._give_back(len(chunk))
                self._read_ahead.took(len(chunk), time.monotonic() - given)
        finally:
            for task in self._ahead:
                task.cancel()
            self._give_back(self._taken)

    def _give_back(self, count: int) -> None:
        self._taken -= count
        self._budget.give_back(count)

    def _next(self) -> Awaitable[bytes]:
        start = self._asked
        wanted = min(self._read_ahead.chunk_bytes, self._stop - start)
        taken = self._budget.take(wanted, least=min(ReadAhead.LEAST_BYTES, wanted))
        self._taken += taken
        self._asked += taken
        return self._fetch(start, self._asked)

    def _request_ahead(self) -> None:
        most = self._read_ahead.ahead
        while self._asked < self._stop and len(self._ahead) < most and self._budget.has_free:
            task = asyncio.ensure_future(self._next())
            task.add_done_callback(retrieve_exception)
            self._ahead.append(task)
