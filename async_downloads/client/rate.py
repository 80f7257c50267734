"""A bucket of tokens: so many bytes per second, of all who draw from it together."""

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["Rate"]


class Rate:
    """Lets `limit` bytes through each second; None is no limit. Clock and sleep are those of the loop by default."""

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

    async def spend(self, size: int) -> None:
        """Return when so many bytes have had their time."""
        if not self._limit:
            return
        now = self._clock() if self._clock else asyncio.get_running_loop().time()
        self._paid_until = max(self._paid_until or now, now) + size / self._limit
        if self._paid_until > now:
            await self._sleep(self._paid_until - now)
