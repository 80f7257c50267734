"""FairTurns: a few tasks per turn, in order; a cancelled task loses no slot."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.server.http1.readiness import FairTurns


class Rounds:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.number = 0
        self._turn()

    def _turn(self) -> None:
        self.number += 1
        self._next = asyncio.get_running_loop().call_soon(self._turn)

    def stop(self) -> None:
        """Stop counting."""
        self._next.cancel()


async def _all_come(at_once: int, tasks: int, times: int) -> list[tuple[int, int]]:
    """Let each task wait for that many slots; return pairs of turn and task."""
    turns, rounds, came = FairTurns(at_once), Rounds(), list[tuple[int, int]]()

    async def one(number: int) -> None:
        for _ in range(times):
            await turns.come()
            came.append((rounds.number, number))

    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            group.create_task(one(number))
    rounds.stop()
    return came


@given(at_once=st.integers(1, 5), tasks=st.integers(1, 12), times=st.integers(1, 5))
def test_each_turn_admits_a_few_and_no_task_gets_far_ahead(at_once: int, tasks: int, times: int) -> None:
    came = asyncio.run(_all_come(at_once, tasks, times))
    numbers = [number for _, number in came]
    assert sorted(numbers) == sorted(list(range(tasks)) * times)
    rounds = [round_ for round_, _ in came]
    assert max(rounds.count(each) for each in rounds) <= at_once
    if tasks > at_once:  # otherwise no task has to wait
        assert all(
            abs(numbers[:stop].count(one) - numbers[:stop].count(other)) <= at_once + 1
            for stop in range(len(numbers))
            for one in range(tasks)
            for other in range(one)
        )


async def test_a_single_task_does_not_wait() -> None:
    with pytest.raises(StopIteration):
        FairTurns(1).come().send(None)


@pytest.mark.parametrize(
    ("rounds", "too_late"),
    [
        pytest.param(1, False, id="who waits"),
        pytest.param(2, False, id="whose turn it is"),
        pytest.param(3, True, id="who has had it"),
    ],
)
async def test_the_slot_of_a_cancelled_task_goes_to_the_next(rounds: int, too_late: bool) -> None:
    turns = FairTurns(1)
    holder, first, second = (asyncio.create_task(turns.come()) for _ in range(3))
    for _ in range(rounds):
        await asyncio.sleep(0)
    assert holder.done()
    assert first.done() is too_late
    first.cancel()
    await second
    assert first.cancelled() is not too_late
    await turns.come()
