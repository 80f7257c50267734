"""The limit of bytes per second that downloads share."""

import asyncio
from dataclasses import dataclass, field

from async_downloads.client.rate import RateLimit


@dataclass
class Clock:
    """A clock that a sleep moves forward at once."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Move the clock forward."""
        self.slept.append(seconds)
        self.now += seconds


def limited(limit: int | None, clock: Clock) -> RateLimit:
    """Return a limit on that clock."""
    return RateLimit(limit, clock=lambda: clock.now, sleep=clock.sleep)


async def test_without_a_limit_there_is_no_wait() -> None:
    clock = Clock()
    await limited(None, clock).consume(1_000_000)
    assert clock.slept == []


async def test_bytes_take_their_share_of_time() -> None:
    clock = Clock()
    rate = limited(1000, clock)
    for _ in range(3):
        await rate.consume(500)
    assert clock.slept == [0.5, 0.5, 0.5]


async def test_idle_time_is_not_saved_up() -> None:
    clock = Clock()
    rate = limited(1000, clock)
    await rate.consume(500)
    clock.now += 60
    await rate.consume(500)
    assert clock.slept == [0.5, 0.5]


async def test_two_callers_share_the_limit() -> None:
    clock = Clock()
    rate = RateLimit(1000, clock=lambda: 0.0, sleep=clock.sleep)
    await asyncio.gather(rate.consume(500), rate.consume(500))
    assert clock.slept == [0.5, 1.0]


async def test_the_event_loops_clock_is_the_default() -> None:
    await RateLimit(10**12).consume(1)
