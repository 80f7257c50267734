"""Event loops whose threads have a lower priority than the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ..threads import lower_priority

__all__ = ["loop_factory"]


# Threads that read files. On one core, more threads delay the event loop: a thread may hold the interpreter's lock
# while another thread has the processor. With eight threads, another client waited 20 to 80 ms; with four, 4 ms.
_READER_THREADS: Final = 4


def loop_factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return a loop factory: uvloop's loop if `kind` is "uvloop", else asyncio's."""
    base: type[Any] = asyncio.SelectorEventLoop
    if kind == "uvloop":
        import uvloop

        base = uvloop.Loop

    class Loop(base):  # type: ignore[misc] # mypy does not know the base
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.set_default_executor(ThreadPoolExecutor(_READER_THREADS, "reader", lower_priority))

    return Loop
