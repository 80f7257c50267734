"""CancelScope and Patience: a block is ended by whom it should be, and nobody else's cancelling is lost."""

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
    """Wait for nothing."""
    await asyncio.Event().wait()


async def until_cancelled() -> None:
    """Wait, and take it quietly to be cancelled."""
    with suppress(asyncio.CancelledError):
        await forever()


def _soon(*calls: Callable[[], object]) -> None:
    for call in calls:
        asyncio.get_running_loop().call_soon(call)


async def _pass(seconds: float) -> None:
    """Take that long: what is tested is about time."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def _goes_on() -> None:
    """See that the task is none that is being cancelled."""
    assert task().cancelling() == 0
    await asyncio.sleep(0)


async def test_a_block_that_is_interrupted_ends_quietly_and_the_task_goes_on() -> None:
    reached = False
    with CancelScope() as interruption:
        _soon(interruption.cancel)
        await forever()
        reached = True
    assert not reached
    await _goes_on()


async def test_a_block_that_nobody_interrupts_ends_by_itself() -> None:
    with CancelScope():
        await asyncio.sleep(0)
    await _goes_on()


async def test_an_error_of_the_block_comes_through() -> None:
    with pytest.raises(ValueError), CancelScope():  # noqa: PT011
        raise ValueError
    await _goes_on()


async def _run(body: Callable[[CancelScope], Awaitable[None]]) -> None:
    with CancelScope() as interruption:
        await body(interruption)


async def test_who_cancels_from_outside_is_obeyed() -> None:
    running = asyncio.create_task(_run(lambda _: forever()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("first", ["interrupt", "cancel"])
async def test_who_cancels_at_the_same_time_as_the_interruption_is_obeyed(first: str) -> None:
    async def both(interruption: CancelScope) -> None:
        calls = [interruption.cancel, task().cancel]
        _soon(*(calls if first == "interrupt" else reversed(calls)))
        await forever()

    running = asyncio.create_task(_run(both))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert running.cancelling() == 1


async def test_an_interruption_that_the_block_takes_for_itself_leaves_nothing_behind() -> None:
    with CancelScope() as interruption:
        _soon(interruption.cancel)
        await until_cancelled()
    await _goes_on()


async def test_an_error_that_an_interruption_sets_off_comes_through() -> None:
    with pytest.raises(ValueError), CancelScope() as interruption:  # noqa: PT011, PT012
        _soon(interruption.cancel)
        await until_cancelled()
        raise ValueError
    await _goes_on()


async def test_of_two_that_interrupt_at_once_the_outer_ends_the_block() -> None:
    between = False
    with CancelScope() as outer:
        with CancelScope() as inner:
            _soon(inner.cancel, outer.cancel)
            await forever()
        between = True
    assert not between
    await _goes_on()


async def test_of_two_blocks_the_inner_is_interrupted_alone() -> None:
    with CancelScope():
        with CancelScope() as inner:
            _soon(inner.cancel)
            await forever()
        await _goes_on()


@pytest.mark.parametrize("block", [CancelScope, lambda: StallTimer(SECONDS)])
async def test_a_task_that_cleans_up_after_a_cancelling_can_be_interrupted_too(
    block: Callable[[], CancelScope],
) -> None:
    cleaned_up: list[int] = []

    async def clean_up() -> None:
        try:
            await forever()
        finally:
            try:
                with block() as interruption:
                    if isinstance(interruption, StallTimer):
                        await forever()
                    _soon(interruption.cancel)
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


async def test_patience_ends() -> None:
    with pytest.raises(SendStalled, match=r"nothing for 0\.05 s") as raised, StallTimer(SECONDS):
        await forever()
    assert raised.value.__suppress_context__
    await _goes_on()


async def test_patience_that_is_renewed_lasts() -> None:
    with StallTimer(SECONDS) as patience:
        for _ in range(8):
            await _pass(SECONDS / 4)
            patience.renew()
    await _goes_on()


async def test_patience_that_rests_counts_nothing_until_it_is_renewed() -> None:
    with pytest.raises(SendStalled), StallTimer(SECONDS) as patience:  # noqa: PT012
        patience.pause()
        await _pass(4 * SECONDS)
        patience.renew()
        await forever()


async def test_patience_has_an_end_even_where_it_was_renewed_late() -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(SendStalled), StallTimer(SECONDS) as patience:  # noqa: PT012
        await _pass(SECONDS / 2)
        patience.renew()
        await forever()
    assert asyncio.get_running_loop().time() - began >= 1.5 * SECONDS


async def test_who_cancels_a_patient_block_is_obeyed() -> None:
    async def wait() -> None:
        with StallTimer(60):
            await forever()

    running = asyncio.create_task(wait())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_who_cancels_when_patience_ends_is_obeyed() -> None:
    async def wait() -> None:
        with StallTimer(SECONDS) as patience:
            asyncio.get_running_loop().call_at(patience._deadline, task().cancel)
            patience._look()  # at the same time
            await asyncio.sleep(0)
            patience.renew()
            _soon(patience.cancel, task().cancel)
            await forever()

    running = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_block_that_has_ended_is_not_interrupted_later() -> None:
    with StallTimer(SECONDS):
        pass
    await _pass(2 * SECONDS)
    await _goes_on()


async def test_what_the_client_has_taken_is_as_good_as_a_renewal() -> None:
    taken = 0
    patience = StallTimer(SECONDS)
    patience.watch(lambda: taken)
    with patience:
        for _ in range(16):
            await _pass(SECONDS / 4)
            taken += 1
    await _goes_on()


async def test_a_client_that_has_taken_nothing_more_is_at_the_end_of_patience() -> None:
    patience = StallTimer(SECONDS)
    patience.watch(lambda: 1_000_000)
    began = asyncio.get_running_loop().time()
    with pytest.raises(SendStalled), patience:
        await forever()
    assert asyncio.get_running_loop().time() - began < 20 * SECONDS


async def test_what_was_taken_while_it_rests_ends_no_rest() -> None:
    patience = StallTimer(SECONDS)
    patience.watch(iter(range(1000)).__next__)
    with patience:
        patience.pause()
        await _pass(4 * SECONDS)
    await _goes_on()
