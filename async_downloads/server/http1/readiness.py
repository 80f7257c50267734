"""Find out which sockets of asyncio transports have room, and serve them in fair turns."""

import asyncio
import select
import time
from collections.abc import Callable
from typing import Final

__all__ = ["SocketReadiness"]


_SEEN_AT_ONCE: Final = 256  # sockets; further sockets are handled in a later turn


class SocketReadiness:
    """Calls a function when a socket has room. asyncio itself reports room only to the transport that owns the socket.

    A callback may take a millisecond. So sockets are served in the order in which they got room, for two milliseconds
    in one turn of the event loop, so that short requests do not wait longer. The others wait for the next turn, in
    which the epoll reports them again.

    The kernel reports room when half of the bytes that it may hold (TCP_NOTSENT_LOWAT) are sent. A call before that
    time would send only a few bytes.
    """

    _TURN_SECONDS: Final = 0.002

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[float], None]] = {}
        self._ready: dict[int, float] = {}  # the time since which each socket has room; the earliest comes first
        loop.add_reader(self._epoll.fileno(), self._serve_turn)

    def watch(self, fd: int, callback: Callable[[float], None]) -> None:
        """Call the callback in each turn in which the socket has room or an error, until `forget`.

        The callback gets the time, by `time.monotonic`, since which the socket has room. It must not raise an error.
        """
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLOUT)

    def forget(self, fd: int) -> None:
        """Stop watching the socket, if it is watched. Call this before the socket is closed."""
        if self._callbacks.pop(fd, None):
            self._epoll.unregister(fd)
            self._ready.pop(fd, None)

    def close(self) -> None:
        """Close the epoll. Call this before the loop ends."""
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
