"""Thousands of slow clients in one thread, without a selector: each client is served once a second.

In its turn a client sends its request, or reads at most one second's worth of bytes. The turns are spread over the
second, so that the clients do not all act at the same time. While the crowd starts, clients without a response try to
read in every turn.
"""

import socket
import time
from typing import Self

from benchmarks.load.messages import connect

__all__ = ["Crowd"]

TURNS = 20  # per second
PATIENCE = 3.0  # seconds without a newly started client; then the server is assumed to be full
OPENED = 100  # new connections per turn, fewer than the backlog of any server
WINDOW = 64 * 1024  # bytes of receive buffer; the server must keep all other unread bytes, as on a real network


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
        """Send the request if it is not sent yet; otherwise read at most one buffer."""
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
    """``count`` clients that read the same file at ``pace`` bytes per second each."""

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
        """Return how many clients have received the start of a response with status 200."""
        return sum(client.started for client in self.clients)

    @property
    def received(self) -> int:
        """Return the bytes that all clients have read."""
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
        """Read at the pace for ``seconds``."""
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            self._take_turn()

    def leave(self) -> None:
        """Close every connection. Unread bytes turn each close into a reset, as when a user closes a browser tab."""
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
