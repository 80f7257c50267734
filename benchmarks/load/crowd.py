"""Thousands of slow clients in one thread, without a selector: each has its turn once a second.

A turn asks what has not been asked, and then reads at most a second's worth of bytes. The clients are spread over the
second, so that neither side sees them all at once; only while the crowd gathers, those without an answer look for it
in every turn.
"""

import socket
import time
from typing import Self

from benchmarks.load.messages import connect

__all__ = ["Crowd"]

TURNS = 20  # in a second
PATIENCE = 3.0  # seconds without a new start, after which a server is taken to have no room for more
OPENED = 100  # new connections in one turn, fewer than any server's backlog
WINDOW = 64 * 1024  # receive buffer: the rest of what a server sends ahead stays on its side, as with a real network


class Client:
    """One slow reader."""

    __slots__ = ("_asked", "_message", "connection", "lost", "received", "started")

    def __init__(self, port: int, message: bytes) -> None:
        self._message = message
        self._asked = False
        self.connection = connect(port)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        self.received = 0
        self.started = False
        self.lost = False

    def turn(self, buffer: memoryview) -> None:
        """Ask if that is still to be done, else read one buffer's worth."""
        try:
            if self._asked:
                self._read(buffer)
            else:
                self.connection.sendall(self._message)
                self._asked = True
        except BlockingIOError:
            pass
        except OSError:
            self.lost = True

    def _read(self, buffer: memoryview) -> None:
        count = self.connection.recv_into(buffer)
        self.lost = count == 0
        self.received += count
        self.started = self.started or bytes(buffer[9:12]) == b"200"


class Crowd:
    """So many clients that all read the same file at the same pace."""

    def __init__(self, port: int, message: bytes, *, count: int, pace: int) -> None:
        self._port = port
        self._message = message
        self._count = count
        self._buffer = memoryview(bytearray(pace))
        self._turn = 0
        self._next = time.perf_counter()
        self.clients: list[Client] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def started(self) -> int:
        """Return how many have seen a body begin."""
        return sum(client.started for client in self.clients)

    @property
    def received(self) -> int:
        """Return the bytes read by all."""
        return sum(client.received for client in self.clients)

    def start(self, limit: float) -> None:
        """Read until each client has received bytes, no new client has for some seconds, or the limit is reached."""
        now = time.perf_counter()
        deadline, patience, started = now + limit, now + PATIENCE, 0
        while started < self._count and time.perf_counter() < min(deadline, patience):
            self._take_turn(everyone=True)
            if self.started > started:
                started, patience = self.started, time.perf_counter() + PATIENCE

    def read(self, seconds: float) -> None:
        """Go on reading at the pace."""
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            self._take_turn()

    def leave(self) -> None:
        """Close every connection; what is unread makes that a reset, as when a browser's tab is closed."""
        for client in self.clients:
            client.connection.close()
        self.clients.clear()

    def _take_turn(self, *, everyone: bool = False) -> None:
        time.sleep(max(0.0, self._next - time.perf_counter()))
        self._next += 1 / TURNS
        for _ in range(min(OPENED, self._count - len(self.clients))):
            self.clients.append(Client(self._port, self._message))
        due = {id(client): client for client in self.clients[self._turn :: TURNS]}
        if everyone:
            due |= {id(client): client for client in self.clients if not client.started}
        for client in due.values():
            if not client.lost:
                client.turn(self._buffer)
        self._turn = (self._turn + 1) % TURNS
