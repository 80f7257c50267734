"""Taking turns on an event loop."""

import asyncio
from collections import deque

__all__ = ["Turns"]


class Turns:
    """Lets a few do something that takes long in one turn of the event loop, the others in the next ones, in order.

    So whoever wants something short of the loop waits for those few alone.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()  # no semaphore: it would hold the loop

    async def come(self) -> None:
        """Return when it is one's turn, which lasts until the caller next lets the loop go on."""
        loop = asyncio.get_running_loop()
        if self._free:
            self._free -= 1
            loop.call_soon(self._pass_on)
            return
        self._waiting.append(turn := loop.create_future())
        try:
            await turn
        finally:
            if not turn.cancelled():
                loop.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        """Give a turn that is over to the next who still waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
