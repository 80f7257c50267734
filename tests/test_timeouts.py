"""CancelScope and StallTimer: each ends its own block, and a cancellation by other code is never lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from async_downloads.errors import SendStalled
from async_downloads.timeouts import CancelScope, StallTimer

SECONDS = 0.05

pytestmark = pytest.mark.usefixtures("clock")


def task() -> "asyncio.Task[object]":
    """Return the running task."""
    current = asyncio.current_task()
    assert current
    return current


async def forever() -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


async def until_cancelled() -> None:
    """Wait, and ignore the cancellation."""
    with suppress(asyncio.CancelledError):
        await forever()


def _soon(*calls: Callable[[], object]) -> None:
    for call in calls:
        asyncio.get_running_loop().call_soon(call)


async def _pass(seconds: float) -> None:
    """Wait that long, because the test is about time."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def _goes_on() -> None:
    """Check that the task is not being cancelled."""
    assert task().cancelling() == 0
    await asyncio.sleep(0)


async def test_a_cancelled_block_ends_without_an_error_and_the_task_goes_on() -> None:
    reached = False
    with CancelScope() as scope:
        _soon(scope.cancel)
        await forever()
        reached = True
    assert not reached
    await _goes_on()


async def test_a_block_that_is_not_cancelled_ends_by_itself() -> None:
    with CancelScope():
        await asyncio.sleep(0)
    await _goes_on()


async def test_an_error_of_the_block_comes_through() -> None:
    with pytest.raises(ValueError), CancelScope():  # noqa: PT011
        raise ValueError
    await _goes_on()


async def _run(body: Callable[[CancelScope], Awaitable[None]]) -> None:
    with CancelScope() as scope:
        await body(scope)


async def test_cancelling_the_task_cancels_it() -> None:
    running = asyncio.create_task(_run(lambda _: forever()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("first", ["scope", "cancel"])
async def test_cancelling_the_task_together_with_the_scope_cancels_it(first: str) -> None:
    async def both(scope: CancelScope) -> None:
        calls = [scope.cancel, task().cancel]
        _soon(*(calls if first == "scope" else reversed(calls)))
        await forever()

    running = asyncio.create_task(_run(both))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert running.cancelling() == 1


async def test_a_block_that_catches_the_cancellation_leaves_the_task_uncancelled() -> None:
    with CancelScope() as scope:
        _soon(scope.cancel)
        await until_cancelled()
    await _goes_on()


async def test_an_error_after_the_cancellation_comes_through() -> None:
    with pytest.raises(ValueError), CancelScope() as scope:  # noqa: PT011, PT012
        _soon(scope.cancel)
        await until_cancelled()
        raise ValueError
    await _goes_on()


async def test_the_outer_of_two_cancelled_scopes_ends_the_block() -> None:
    between = False
    with CancelScope() as outer:
        with CancelScope() as inner:
            _soon(inner.cancel, outer.cancel)
            await forever()
        between = True
    assert not between
    await _goes_on()


async def test_cancelling_the_inner_scope_does_not_end_the_outer() -> None:
    with CancelScope():
        with CancelScope() as inner:
            _soon(inner.cancel)
            await forever()
        await _goes_on()


@pytest.mark.parametrize("block", [CancelScope, lambda: StallTimer(SECONDS)])
async def test_a_scope_works_in_a_task_that_is_being_cancelled(
    block: Callable[[], CancelScope],
) -> None:
    cleaned_up: list[int] = []

    async def clean_up() -> None:
        try:
            await forever()
        finally:
            try:
                with block() as scope:
                    if isinstance(scope, StallTimer):
                        await forever()
                    _soon(scope.cancel)
                    await forever()
            except SendStalled:
                pass
            cleaned_up.append(task().cancelling())

    running = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert cleaned_up == [1]


async def test_a_block_that_is_not_renewed_stalls() -> None:
    with pytest.raises(SendStalled, match=r"nothing for 0\.05 s") as raised, StallTimer(SECONDS):
        await forever()
    assert raised.value.__suppress_context__
    await _goes_on()


async def test_a_block_that_is_renewed_goes_on() -> None:
    with StallTimer(SECONDS) as timer:
        for _ in range(8):
            await _pass(SECONDS / 4)
            timer.renew()
    await _goes_on()


async def test_a_paused_timer_counts_no_seconds_until_it_is_renewed() -> None:
    with pytest.raises(SendStalled), StallTimer(SECONDS) as timer:  # noqa: PT012
        timer.pause()
        await _pass(4 * SECONDS)
        timer.renew()
        await forever()


async def test_the_seconds_count_from_the_last_renewal() -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(SendStalled), StallTimer(SECONDS) as timer:  # noqa: PT012
        await _pass(SECONDS / 2)
        timer.renew()
        await forever()
    assert asyncio.get_running_loop().time() - began >= 1.5 * SECONDS


async def test_cancelling_the_task_of_a_timed_block_cancels_it() -> None:
    async def wait() -> None:
        with StallTimer(60):
            await forever()

    running = asyncio.create_task(wait())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_cancelling_the_task_when_the_time_is_over_cancels_it() -> None:
    async def wait() -> None:
        with StallTimer(SECONDS) as timer:
            asyncio.get_running_loop().call_at(timer._deadline, task().cancel)
            timer._look()  # at the same time
            await asyncio.sleep(0)
            timer.renew()
            _soon(timer.cancel, task().cancel)
            await forever()

    running = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_block_that_has_ended_does_not_stall_later() -> None:
    with StallTimer(SECONDS):
        pass
    await _pass(2 * SECONDS)
    await _goes_on()


async def test_bytes_that_the_client_received_count_as_a_renewal() -> None:
    taken = 0
    timer = StallTimer(SECONDS)
    timer.watch(lambda: taken)
    with timer:
        for _ in range(16):
            await _pass(SECONDS / 4)
            taken += 1
    await _goes_on()


async def test_a_client_that_receives_no_further_bytes_stalls() -> None:
    timer = StallTimer(SECONDS)
    timer.watch(lambda: 1_000_000)
    began = asyncio.get_running_loop().time()
    with pytest.raises(SendStalled), timer:
        await forever()
    assert asyncio.get_running_loop().time() - began < 20 * SECONDS


async def test_bytes_received_during_a_pause_do_not_end_it() -> None:
    timer = StallTimer(SECONDS)
    timer.watch(iter(range(1000)).__next__)
    with timer:
        timer.pause()
        await _pass(4 * SECONDS)
    await _goes_on()
