"""Room in sockets that belong to asyncio transports, and fair turns of those that have it."""

import asyncio
import select
import time
from collections.abc import Callable
from typing import Final

__all__ = ["SocketReadiness"]


_SEEN_AT_ONCE: Final = 256  # sockets; further ones are seen in a later turn


class SocketReadiness:
    """Calls back when a socket has room. It belongs to a transport, and asyncio reports room to the transport alone.

    A callback may take a millisecond. So sockets are served in the order in which they got room, for two milliseconds
    in one turn of the event loop, and a short request waits no longer. The others wait for the next turn: the epoll
    reports them again.

    The kernel reports room when half of what it may hold (TCP_NOTSENT_LOWAT) has gone. A call that is tried sooner
    sends a few bytes at a time.
    """

    _TURN_SECONDS: Final = 0.002

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[float], None]] = {}
        self._ready: dict[int, float] = {}  # when each socket was seen to have room, the first one first
        loop.add_reader(self._epoll.fileno(), self._serve_turn)

    def __len__(self) -> int:
        """How many sockets are watched."""
        return len(self._callbacks)

    def watch(self, fd: int, callback: Callable[[float], None]) -> None:
        """Call back in each turn in which the socket has room or an error, until `forget`.

        The callback gets the time, by `time.monotonic`, when the socket was seen to have room. It must not raise.
        """
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLOUT)

    def forget(self, fd: int) -> None:
        """Call back no more, if the socket is watched; call this before the socket is closed."""
        if self._callbacks.pop(fd, None):
            self._epoll.unregister(fd)
            self._ready.pop(fd, None)

    def close(self) -> None:
        """Close the epoll, when the loop is about to end."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _serve_turn(self) -> None:
        now = time.monotonic()
        for fd, _ in self._epoll.poll(0, _SEEN_AT_ONCE):
            self._ready.setdefault(fd, now)
        end = now + self._TURN_SECONDS
        while self._ready and now <= end:
            fd = next(iter(self._ready))
            self._callbacks[fd](self._ready.pop(fd))
            now = time.monotonic()
