"""Bytes per second: for one download, or for several that share them."""

import asyncio
import math
from typing import Final

__all__ = ["TokenBucket"]


# A download takes the bytes of a fifth of a second at once, and may hold as many; an idle bucket saves those of a
# sixteenth. Together this is less than 5 % of ten seconds.
_QUANTUM_SECONDS: Final = 1 / 5
_SAVED_SECONDS: Final = 1 / 16
# Each quantum costs the process some 0.1 ms, so many downloads that share a bucket do not make it smaller than this.
_SMALL_BYTES: Final = 16 * 1024
_LARGE_BYTES: Final = 512 * 1024
_LEAST_WAIT_SECONDS: Final = 0.001  # what comes later is made up for by the balance


class TokenBucket:
    """Gives out `rate` bytes per second, in the order in which they are asked for.

        take ──balance is not negative──> taken
          └──> in line ──its turn──> taken
                  └──cancelled──> out of the line

    Taking makes the balance negative, and time fills it. So each of several downloads gets the same share if all take
    `quantum` bytes at a time. `users` is how many there are; their owner counts them.
    """

    def __init__(self, rate: int) -> None:
        self.users: int = 0
        self._rate = rate
        self._balance = 0.0  # in bytes, at the time `_at`
        self._at = -math.inf
        self._line: dict[asyncio.Future[None], int] = {}  # the first one waits longest
        self._timer: asyncio.TimerHandle | None = None

    @property
    def quantum(self) -> int:
        """How many bytes each user should take at once."""
        a_while = self._rate * _QUANTUM_SECONDS
        share = max(a_while / max(self.users, 1), min(a_while, _SMALL_BYTES))
        return max(int(min(share, _LARGE_BYTES)), 1)

    def is_full(self) -> bool:
        """Return whether it has saved as much as it can, like a new one."""
        self._fill()
        return self._balance == self._rate * _SAVED_SECONDS

    async def take(self, count: int) -> None:
        """Wait until it is the caller's turn, and take `count` bytes."""
        self._fill()
        if self._balance >= 0 and not self._line:
            self._balance -= count
            return
        turn = asyncio.get_running_loop().create_future()
        self._line[turn] = count
        self._set_timer()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._line.pop(turn, None)
            else:
                self.give_back(count)
            raise

    def give_back(self, count: int) -> None:
        """Return bytes that were taken and are not needed."""
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
        if self._line and self._timer is None:
            seconds = max(-self._balance / self._rate, _LEAST_WAIT_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._pass_on)

    def _pass_on(self) -> None:
        """Give bytes to those whose turn it is."""
        self._timer = None
        self._fill()
        while self._line and self._balance >= 0:
            turn = next(iter(self._line))
            count = self._line.pop(turn)
            if not turn.done():  # else its task is being cancelled
                self._balance -= count
                turn.set_result(None)
        self._set_timer()
