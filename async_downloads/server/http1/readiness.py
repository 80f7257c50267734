"""Waiting for a turn, and for room in a socket that belongs to an asyncio transport."""

import asyncio
import select
from collections import deque

__all__ = ["FairTurns", "SocketReadiness"]


class FairTurns:
    """Lets a few tasks do long work in one turn of the event loop, and the others in the next turns, in order.

    A short request then waits for those few alone.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def come(self) -> None:
        """Wait for a slot. It is released at the caller's next await."""
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
        """Give a released slot to the next task that still waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class SocketReadiness:
    """Reports when a socket has room, although it belongs to a transport: asyncio reports that to the transport alone.

    The kernel reports room when half of what it may hold (TCP_NOTSENT_LOWAT) has gone. A call that is tried sooner
    sends a few bytes at a time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        loop.add_reader(self._epoll.fileno(), self._look)

    async def wait(self, fd: int) -> None:
        """Return when the socket has room or an error, or after `wake`."""
        self._waiting[fd] = future = asyncio.get_running_loop().create_future()
        try:
            self._register(fd)
            await future
        finally:
            if self._waiting.get(fd) is future:  # the number may be another connection's by now
                del self._waiting[fd]

    def wake(self, fd: int) -> None:
        """End the waiting for a socket: one that is closed is in no epoll any more."""
        future = self._waiting.get(fd)
        if future is not None and not future.done():
            future.set_result(None)

    def close(self) -> None:
        """Close the epoll, when the loop is about to end."""
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _register(self, fd: int) -> None:
        once = select.EPOLLOUT | select.EPOLLONESHOT
        try:
            self._epoll.modify(fd, once)
        except FileNotFoundError:  # the first time, and after the number was another connection's
            self._epoll.register(fd, once)

    def _look(self) -> None:
        for fd, _ in self._epoll.poll(0):
            self.wake(fd)
