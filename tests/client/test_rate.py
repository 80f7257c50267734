"""Bytes per second, of all who draw from one bucket."""

import asyncio
from dataclasses import dataclass, field

from async_downloads.client.rate import RateLimit


@dataclass
class Clock:
    """A clock that goes on when somebody sleeps."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Sleep in no time."""
        self.slept.append(seconds)
        self.now += seconds


def limited(limit: int | None, clock: Clock) -> RateLimit:
    """A rate on that clock."""
    return RateLimit(limit, clock=lambda: clock.now, sleep=clock.sleep)


async def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    await limited(None, clock).consume(1_000_000)
    assert clock.slept == []


async def test_bytes_take_the_time_they_should() -> None:
    clock = Clock()
    rate = limited(1000, clock)
    for _ in range(3):
        await rate.consume(500)
    assert clock.slept == [0.5, 0.5, 0.5]


async def test_time_in_which_nothing_came_is_not_made_up_for() -> None:
    clock = Clock()
    rate = limited(1000, clock)
    await rate.consume(500)
    clock.now += 60
    await rate.consume(500)
    assert clock.slept == [0.5, 0.5]


async def test_two_share_what_there_is() -> None:
    clock = Clock()
    rate = RateLimit(1000, clock=lambda: 0.0, sleep=clock.sleep)
    await asyncio.gather(rate.consume(500), rate.consume(500))
    assert clock.slept == [0.5, 1.0]


async def test_the_clock_of_the_loop_is_the_default() -> None:
    await RateLimit(10**12).consume(1)
