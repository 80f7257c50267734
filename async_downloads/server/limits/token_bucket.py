"""Bytes per second: for one download, or for several that share them."""

import asyncio
import math
from typing import Final

__all__ = ["TokenBucket"]


# A download takes the bytes of a fifth of a second at once, and an idle bucket saves the bytes of a sixteenth of a
# second. Together this is less than 5 % of ten seconds.
_QUANTUM_SECONDS: Final = 1 / 5
_SAVED_SECONDS: Final = 1 / 16
# Each quantum takes the process about 0.1 ms, so it is not smaller than this if many downloads share a bucket.
_SMALL_BYTES: Final = 16 * 1024
_LARGE_BYTES: Final = 512 * 1024
_LEAST_WAIT_SECONDS: Final = 0.001  # after a longer wait the balance is higher, so the rate stays the same


class TokenBucket:
    """Lets its users take `rate` bytes per second, in the order of their calls.

        take ──balance is not negative──> taken
          └──> queued ──first in the queue, and balance is not negative──> taken
                  └──cancelled──> removed from the queue

    `take` may make the balance negative, and time increases it. If several downloads take `quantum` bytes at a time,
    each one gets the same share. `users` is the number of downloads; their owner counts them.
    """

    def __init__(self, rate: int) -> None:
        self.users: int = 0
        self._rate = rate
        self._balance = 0.0  # in bytes, at the time `_at`
        self._at = -math.inf
        self._queue: dict[asyncio.Future[None], int] = {}  # the first one waits longest
        self._timer: asyncio.TimerHandle | None = None

    @property
    def quantum(self) -> int:
        """How many bytes each user should take at once."""
        whole = self._rate * _QUANTUM_SECONDS
        share = max(whole / max(self.users, 1), min(whole, _SMALL_BYTES))
        return max(int(min(share, _LARGE_BYTES)), 1)

    def is_full(self) -> bool:
        """Return whether the bucket has saved as many bytes as it can, like a new bucket."""
        self._fill()
        return self._balance == self._rate * _SAVED_SECONDS

    async def take(self, count: int) -> None:
        """Wait until it is the caller's turn, and take `count` bytes."""
        self._fill()
        if self._balance >= 0 and not self._queue:
            self._balance -= count
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue[turn] = count
        self._set_timer()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._queue.pop(turn, None)
            else:
                self.give_back(count)
            raise

    def give_back(self, count: int) -> None:
        """Give back bytes that were taken and are not needed."""
        self._fill()
        self._balance += count
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._set_timer()

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        earned = (now - self._at) * self._rate
        self._balance, self._at = min(self._balance + earned, self._rate * _SAVED_SECONDS), now

    def _set_timer(self) -> None:
        if self._queue and self._timer is None:
            seconds = max(-self._balance / self._rate, _LEAST_WAIT_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._serve_queue)

    def _serve_queue(self) -> None:
        """Let the first ones in the queue take their bytes, while the balance is not negative."""
        self._timer = None
        self._fill()
        while self._queue and self._balance >= 0:
            turn = next(iter(self._queue))
            count = self._queue.pop(turn)
            if not turn.done():  # else its task is being cancelled
                self._balance -= count
                turn.set_result(None)
        self._set_timer()
