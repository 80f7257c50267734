"""Who works at the same time: how many are allowed, and that those who never began are not counted."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from async_downloads.client.workers import Crew


@pytest.fixture
def numbers() -> Iterator[int]:
    """One for each worker that begins."""
    return count(1)


async def test_a_worker_that_is_cancelled_before_its_first_step_is_not_counted(numbers: Iterator[int]) -> None:
    gate = asyncio.Event()

    async def work() -> None:
        number = next(numbers)
        if number == 1:
            crew.fill()
            asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, gate.set)
        if number < 3:
            await gate.wait()
        if number == 1:
            raise LookupError
        if number == 2:
            crew.fill()  # takes the place of the third, who has gone, and cannot begin any more

    crew = Crew(work, 3)
    with pytest.raises(ExceptionGroup):
        await crew.run()
    assert (next(numbers), crew._living) == (4, set())


async def test_there_are_as_many_as_are_allowed(numbers: Iterator[int]) -> None:
    all_here = asyncio.Barrier(3)

    async def work() -> None:
        next(numbers)
        crew.fill()
        await all_here.wait()

    crew = Crew(work, 3)
    await crew.run()
    assert next(numbers) == 4


async def test_where_one_went_there_are_fewer_until_it_was_calm_for_a_while(
    numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    gate = asyncio.Event()

    async def work() -> None:
        number = next(numbers)
        if number == 1:
            crew.fill()
            crew.shrink()
            crew.dare()
            sizes.append(len(crew._living))
            monkeypatch.setattr("async_downloads.client.workers._CALM", -1.0)
            crew.dare()
            crew.dare()
            gate.set()
        await gate.wait()

    crew = Crew(work, 3)
    await crew.run()
    assert (sizes, crew._allowed, next(numbers)) == ([3], 3, 4)


async def test_one_is_left_whatever_is_refused() -> None:
    async def work() -> None:
        crew.shrink()

    crew = Crew(work, 3)
    await crew.run()
    assert crew._allowed == 1
