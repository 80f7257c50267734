"""`in_thread` and `await_shielded`: what happens to the result, the error, and a cancelled caller."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from async_downloads import threads
from async_downloads.errors import DownloadError
from async_downloads.threads import await_shielded, in_thread


async def test_the_result_and_the_error_of_a_thread_come_through() -> None:
    def fail() -> None:
        raise DownloadError

    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(DownloadError):
        await in_thread(fail)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_a_function_that_calls_sys_exit_does_not_end_the_event_loop(error: BaseException) -> None:
    def leave() -> None:
        raise error

    with pytest.raises(RuntimeError, match="was raised in a thread"):
        await in_thread(leave)


async def test_a_function_runs_in_the_executor_that_the_caller_chooses() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="chosen") as executor:
        thread = await in_thread(threading.current_thread, executor=executor)
    assert thread.name.startswith("chosen")


async def test_work_that_waits_for_a_thread_is_not_done_for_a_cancelled_caller() -> None:
    called: list[int] = []
    may_end = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        first = asyncio.create_task(in_thread(may_end.wait, executor=executor))
        second = asyncio.create_task(in_thread(lambda: called.append(1), executor=executor))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        may_end.set()
        await first
    assert second.cancelled()
    assert called == []


class Work:
    """Work that ends after `may_end` is set."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.ended = False

    async def __call__(self, error: Exception | None = None) -> str:
        """Wait, then return or raise the error."""
        await self.may_end.wait()
        self.ended = True
        if error:
            raise error
        return "done"


async def test_shielded_work_returns_its_result() -> None:
    work = Work()
    work.may_end.set()
    assert await await_shielded(work()) == "done"


async def test_shielded_work_raises_its_error() -> None:
    work = Work()
    work.may_end.set()
    with pytest.raises(ValueError, match="broken"):
        await await_shielded(work(ValueError("broken")))


@pytest.mark.parametrize("error", [None, ValueError("not raised")])
async def test_a_cancelled_caller_waits_until_the_shielded_work_has_ended(error: Exception | None) -> None:
    work = Work()
    task = asyncio.create_task(await_shielded(work(error)))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended


async def test_shielded_work_that_is_cancelled_itself_ends() -> None:
    work = asyncio.create_task(Work()())
    task = asyncio.create_task(await_shielded(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_thread_keeps_a_lower_priority_than_ours_and_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    def niceness() -> int:
        threads.lower_priority()
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(niceness).result() == executor.submit(niceness).result() > 0
    monkeypatch.setattr(os, "setpriority", refuse)
    with ThreadPoolExecutor(1) as executor:
        executor.submit(threads.lower_priority).result()
