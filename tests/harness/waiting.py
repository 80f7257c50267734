"""Waiting for a condition instead of for a time."""

import asyncio
from collections.abc import Callable
from typing import Final

__all__ = ["HANGING", "eventually"]

HANGING: Final = 60.0
"""Seconds after which something is said to hang: far beyond what a machine with much else to do ever needs."""

_LOOK: Final = 0.002  # seconds; there is no event for the work of the kernel or of a library


async def eventually(condition: Callable[[], object], *, within: float = HANGING) -> None:
    """Return as soon as the condition holds. Raises AssertionError if it does not hold within that many seconds.

    Seconds in which this process itself did not run do not count: the other tasks did not run in them either.
    """
    loop = asyncio.get_running_loop()
    left = within
    while not condition():
        assert left > 0, f"not so within {within:g} s"
        began = loop.time()
        await asyncio.sleep(_LOOK)
        left -= min(loop.time() - began, 50 * _LOOK)
