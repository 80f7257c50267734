"""Waiting for room in a socket that belongs to an asyncio transport."""

import asyncio
import select
from collections import deque

__all__ = ["FairTurns", "SocketReadiness"]


class FairTurns:
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


class SocketReadiness:
    """Tells when a socket that belongs to a transport has room; asyncio itself tells only the transport.

    The kernel says so when half of what it may hold back (`TCP_NOTSENT_LOWAT`) has gone, where a write that is tried
    too soon would be taken in crumbs.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        loop.add_reader(self._epoll.fileno(), self._look)

    async def wait(self, fd: int) -> None:
        """Return when the socket has room, or an error to tell, or is gone."""
        self._waiting[fd] = future = asyncio.get_running_loop().create_future()
        try:
            self._ask(fd)
            await future
        finally:
            if self._waiting.get(fd) is future:  # the number may be another connection's by now
                del self._waiting[fd]

    def _ask(self, fd: int) -> None:
        once = select.EPOLLOUT | select.EPOLLONESHOT
        try:
            self._epoll.modify(fd, once)
        except FileNotFoundError:
            self._epoll.register(fd, once)

    def _look(self) -> None:
        for fd, _ in self._epoll.poll(0):
            self.wake(fd)

    def wake(self, fd: int) -> None:
        """End the waiting for a socket: one that is closed is in no epoll any more."""
        future = self._waiting.get(fd)
        if future is not None and not future.done():
            future.set_result(None)
