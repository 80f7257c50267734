"""The limit of bytes per second, in itself: its rate, its shares, its line."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from harness.clock import HastyClock

from async_downloads.server.limits.rates import Allowance, Rates
from async_downloads.server.limits.token_bucket import TokenBucket

RATE = 1_000_000
A, B = ("192.0.2.1", 5), ("192.0.2.2", 5)


@pytest.fixture(autouse=True)
async def hasty(monkeypatch: pytest.MonkeyPatch) -> HastyClock:
    """A clock that does not wait."""
    return HastyClock(monkeypatch)


async def download(rates: Rates, address: tuple[str, int], seconds: float, *, chunk: int = 10**9) -> int:
    """Take bytes for that time in chunks of that size; return how many were taken."""
    with rates.allowance(address) as allowance:
        return await _taken_within(allowance, seconds, chunk)


async def _taken_within(allowance: Allowance, seconds: float, chunk: int) -> int:
    taken = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                taken += await allowance.take(chunk)
    return taken


async def downloads(rates: Rates, clients: Sequence[tuple[str, int]], seconds: float = 10) -> list[int]:
    """Run a download of each client at the same time."""
    return await asyncio.gather(*(download(rates, client, seconds) for client in clients))


@pytest.mark.parametrize("rate", [1, 7, 1000, 50_000, 10**6, 10**7])
async def test_ten_seconds_have_the_bytes_of_ten_seconds(rate: int) -> None:
    seconds = 10 if rate > 4 else 100  # a byte is the least that is sent
    assert await download(Rates(rate, None, None), A, seconds) == pytest.approx(seconds * rate, rel=0.05)


@pytest.mark.parametrize("chunk", [1, 1000, 16_384])
async def test_the_size_of_chunks_does_not_change_the_rate(chunk: int) -> None:
    assert await download(Rates(50_000, None, None), A, 10, chunk=chunk) == pytest.approx(500_000, rel=0.05)


async def test_an_idle_bucket_saves_little(hasty: HastyClock) -> None:
    rates = Rates(RATE, None, None)
    with rates.allowance(A) as allowance:
        await allowance.take(1)
        hasty.now += 3600
        taken = await _taken_within(allowance, 10, RATE)
    assert taken == pytest.approx(10 * RATE, rel=0.05)


async def test_the_first_bytes_come_at_once(hasty: HastyClock) -> None:
    began = hasty.now
    with Rates(RATE, RATE, RATE).allowance(A) as allowance:
        assert await allowance.take(10**9) == RATE / 5
    assert hasty.now == began


@pytest.mark.parametrize("count", [2, 7, 30])
async def test_the_downloads_of_a_client_share_its_rate(count: int) -> None:
    first, *others = await downloads(Rates(None, RATE, None), [A] * count + [B])
    assert sum([first, *others]) == pytest.approx(2 * 10 * RATE, rel=0.05)
    assert others[-1] == pytest.approx(10 * RATE, rel=0.05)
    for taken in [first, *others[:-1]]:
        assert taken == pytest.approx(10 * RATE / count, abs=RATE / 2)  # the first one may take two quanta at once


async def test_all_downloads_share_the_total_rate() -> None:
    taken = await downloads(Rates(None, None, RATE), [A, A, B])
    assert sum(taken) == pytest.approx(10 * RATE, rel=0.05)
    assert max(taken) - min(taken) <= RATE / 2


async def test_a_download_with_small_chunks_gets_the_same_share() -> None:
    rates = Rates(None, None, RATE)
    small, large = await asyncio.gather(download(rates, A, 30, chunk=4000), download(rates, B, 30))
    assert small == pytest.approx(large, rel=0.05)


async def test_what_a_slower_limit_leaves_is_for_the_others() -> None:
    rates = Rates(None, RATE // 4, RATE)
    slow = await downloads(rates, [A, B])
    assert slow == [pytest.approx(2_500_000, rel=0.05)] * 2
    clients = [(f"192.0.2.{number}", 5) for number in range(8)]
    assert sum(await downloads(rates, clients)) == pytest.approx(10 * RATE, rel=0.05)


async def test_the_limits_of_each_client_and_all_hold_at_the_same_time() -> None:
    rates = Rates(100_000, 150_000, 10**9)
    one, two, other = await downloads(rates, [A, A, B])
    assert other == pytest.approx(1_000_000, rel=0.05)
    assert one + two == pytest.approx(1_500_000, rel=0.05)


async def test_a_download_that_leaves_gives_its_place_back(hasty: HastyClock) -> None:
    bucket = TokenBucket(1000)
    await bucket.take(1000)
    leaving = [asyncio.create_task(bucket.take(100_000)) for _ in range(3)]
    staying = asyncio.create_task(bucket.take(10))
    await asyncio.sleep(0)
    for task in leaving:
        task.cancel()
    began = hasty.now
    await staying
    assert hasty.now - began < 1


async def test_a_download_that_leaves_when_its_turn_comes_gives_the_bytes_back(hasty: HastyClock) -> None:
    bucket = TokenBucket(1000)
    await bucket.take(1000)
    leaving = asyncio.create_task(bucket.take(100_000))
    await asyncio.sleep(0)
    hasty.now += 1
    bucket._serve_queue()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    began = hasty.now
    await bucket.take(10)
    assert hasty.now - began < 1


async def test_one_limit_gives_back_what_the_other_one_does_not_grant(hasty: HastyClock) -> None:
    plenty, scarce = TokenBucket(1000), TokenBucket(1000)
    await scarce.take(100_000)
    waiting = asyncio.create_task(Allowance([plenty, scarce]).take(10))
    await asyncio.sleep(0)
    assert not plenty.is_full()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert plenty.is_full()


async def test_bytes_that_were_not_sent_are_given_back(hasty: HastyClock) -> None:
    rates, began = Rates(None, None, RATE), hasty.now
    for _ in range(1000):
        with rates.allowance(A) as allowance:
            await allowance.take(10)
    assert hasty.now - began < 0.1


async def test_many_short_downloads_have_the_rate_of_one(hasty: HastyClock) -> None:
    rates, began = Rates(None, RATE, None), hasty.now
    for _ in range(100):
        with rates.allowance(A) as allowance:
            assert await allowance.take(100_000) == 100_000
    assert hasty.now - began == pytest.approx(10, rel=0.05)


async def test_clients_that_have_left_are_forgotten(hasty: HastyClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("async_downloads.server.limits.rates._MOST_LEFT", 20)
    rates = Rates(None, RATE, None)
    table = rates._clients
    assert table
    for number in range(50):
        with rates.allowance((f"192.0.2.{number}", 5)) as allowance:
            await allowance.take(10**6)
    assert (len(table._used), len(table._left)) == (0, 20)
    hasty.now += 1
    await download(rates, A, 1)
    hasty.now += 1
    with rates.allowance(B):
        pass
    assert (len(table._used), len(table._left)) == (0, 0)


async def test_clients_of_unix_sockets_share_only_the_total() -> None:
    rates = Rates(None, 1000, RATE)
    with rates.allowance(None) as allowance:
        assert await allowance.take(10**9) == RATE / 5


async def test_bytes_that_are_given_back_do_not_delay_those_who_wait(hasty: HastyClock) -> None:
    bucket = TokenBucket(1000)
    await bucket.take(1000)
    waiting = asyncio.create_task(bucket.take(10))
    await asyncio.sleep(0)
    began = hasty.now
    hasty.now += 0.9
    bucket.give_back(1)
    await waiting
    assert hasty.now - began < 1
