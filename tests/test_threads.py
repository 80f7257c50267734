"""`in_thread`: which thread runs a function, and what happens to its result."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from async_downloads.errors import DownloadError
from async_downloads.threads import in_thread


async def test_the_result_and_the_error_of_a_thread_come_through() -> None:
    def fail() -> None:
        raise DownloadError

    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(DownloadError):
        await in_thread(fail)


async def test_a_function_runs_in_the_executor_that_the_caller_chooses() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="chosen") as executor:
        thread = await in_thread(threading.current_thread, executor=executor)
    assert thread.name.startswith("chosen")
