"""Waiting for a condition instead of for a time."""

import asyncio
from collections.abc import Callable

__all__ = ["eventually"]


async def eventually(condition: Callable[[], object], *, within: float = 10.0) -> None:
    """Return as soon as the condition holds; AssertionError when it does not in that many seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not condition():
        assert loop.time() < deadline, f"not so within {within:g} s"
        await asyncio.sleep(0.002)  # no event tells of what the kernel or a library does
