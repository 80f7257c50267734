"""The number of workers, which counts no worker that never started."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from async_downloads.client.workers import WorkerPool


@pytest.fixture
def numbers() -> Iterator[int]:
    """A number for each worker that starts."""
    return count(1)


async def test_a_worker_cancelled_before_its_first_step_is_not_counted(numbers: Iterator[int]) -> None:
    gate = asyncio.Event()

    async def work(_: bool) -> None:
        number = next(numbers)
        if number == 1:
            workers.fill()
            asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, gate.set)
        if number < 3:
            await gate.wait()
        if number == 1:
            raise LookupError
        if number == 2:
            workers.fill()  # the group is ending: this fourth worker is cancelled before its first step

    workers = WorkerPool(work, 3)
    with pytest.raises(ExceptionGroup):
        await workers.run()
    assert (next(numbers), workers._running) == (4, set())


async def test_fill_starts_as_many_workers_as_allowed(numbers: Iterator[int]) -> None:
    all_here = asyncio.Barrier(3)

    async def work(_: bool) -> None:
        next(numbers)
        workers.fill()
        await all_here.wait()

    workers = WorkerPool(work, 3)
    await workers.run()
    assert next(numbers) == 4


async def test_a_worker_is_added_again_some_time_after_one_retired(
    numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    gate = asyncio.Event()

    async def work(_: bool) -> None:
        number = next(numbers)
        if number == 1:
            workers.fill()
            workers.scale_down()
            workers.scale_up()
            sizes.append(len(workers._running))
            monkeypatch.setattr("async_downloads.client.workers._SCALE_UP_SECONDS", 0.0)
            workers.scale_down()
            sizes.append(workers._allowed)
            workers.scale_up()
            gate.set()
        await gate.wait()

    workers = WorkerPool(work, 3)
    await workers.run()
    assert (sizes, workers._allowed, next(numbers)) == ([3, 2], 3, 4)


async def test_one_worker_is_always_allowed() -> None:
    async def work(_: bool) -> None:
        workers.scale_down()

    workers = WorkerPool(work, 3)
    await workers.run()
    assert workers._allowed == 1


async def test_a_refusal_says_how_long_one_worker_fewer_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("async_downloads.client.workers._SCALE_UP_SECONDS", 0.0)

    async def work(_: bool) -> None:
        workers.scale_down(3600.0)
        workers.scale_up()

    workers = WorkerPool(work, 3)
    await workers.run()
    assert workers._allowed == 1


async def test_each_worker_knows_whether_it_is_the_first() -> None:
    firsts: list[bool] = []

    async def work(first: bool) -> None:
        firsts.append(first)
        workers.fill()
        await asyncio.sleep(0)

    workers = WorkerPool(work, 3)
    await workers.run()
    assert firsts == [True, False, False]


async def test_a_worker_can_stop_the_others(numbers: Iterator[int]) -> None:
    async def work(_: bool) -> None:
        if next(numbers) == 1:
            workers.fill()
            await asyncio.sleep(0)
            workers.stop()
        else:
            await asyncio.Event().wait()

    workers = WorkerPool(work, 3)
    await workers.run()
    assert next(numbers) == 4
