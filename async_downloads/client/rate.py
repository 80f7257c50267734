"""Limit the bytes per second of all downloads that share one limit."""

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["RateLimit"]


class RateLimit:
    """Allows `limit` bytes per second; None means no limit. By default, clock and sleep are those of the event loop."""

    def __init__(
        self,
        limit: int | None,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._paid_until: float | None = None

    async def consume(self, size: int) -> None:
        """Wait until the limit allows `size` more bytes."""
        if not self._limit:
            return
        now = self._clock() if self._clock else asyncio.get_running_loop().time()
        self._paid_until = max(self._paid_until or now, now) + size / self._limit
        if self._paid_until > now:
            await self._sleep(self._paid_until - now)
