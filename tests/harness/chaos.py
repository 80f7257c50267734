"""A server on a real socket with the faults of the Internet, chosen by a seeded random generator.

    python -m harness.chaos '{"seed": 1, "cut": [0, 100000000], "unavailable": 0.1}'

prints its URL and serves until its standard input ends. Without a fault its responses are right (`origin`).
`/-/log` returns a log of requests and responses as JSON; that request never has a fault.
"""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from harness.origin import OriginResponse, Request, respond, text
from harness.versions import GIB, Version

__all__ = ["Chaos", "Exchange", "Faults", "Spoil", "chaos_process"]

_LOG: Final = "/-/log"
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing drops unsent bytes and sends a reset
# Bytes in a buffer are lost when a connection breaks: with a small one, the counts are more exact.
_BUFFER: Final = 64 * 1024
_TICK: Final = 0.002  # seconds: no sleep is as short

Spoil = Callable[[Request, OriginResponse], OriginResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Which faults happen, and how often; none by default. Sizes are in bytes, shares between 0 and 1."""

    size: int = GIB
    seed: int = 0
    cut: tuple[int, int] | None = None  # a connection breaks after a number of bytes in this range
    changes: tuple[int, ...] = ()  # total bytes sent, after each of which the file has a new version and a new ETag
    unavailable: float = 0  # share of requests with a 503, every second one with Retry-After: 0
    ignored: float = 0  # share of ranges that get a 200 with the whole file
    rate: float = float("inf")  # bytes per second of all connections together


@dataclass(slots=True)
class Exchange:
    """One request, its connection and the status of its response; `sent` counts bytes of the body."""

    connection: int
    method: str
    target: str
    range: str | None
    if_range: str | None
    status: int
    sent: int = 0

    @classmethod
    def of(cls, connection: int, request: Request, status: int) -> "Exchange":
        """Make a note of a request and the status of its response."""
        ranges = request.fields.get("range"), request.fields.get("if-range")
        return cls(connection, request.method, request.target, *ranges, status)


class _Cut(Exception):
    """The connection has sent all bytes that it may send."""


@dataclass(slots=True)
class _Connection:
    """A client's connection, its random generator, and how many bytes it may still send."""

    number: int
    sock: socket.socket
    dice: Random
    left: float
    unread: bytes = b""

    async def request(self) -> Request | None:
        """Read the head of a request. Returns None if the client has left."""
        loop = asyncio.get_running_loop()
        while b"\r\n\r\n" not in self.unread:
            received = await loop.sock_recv(self.sock, 65536)
            if not received:
                return None
            self.unread += received
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        return Request.parse(head)

    async def send(self, data: memoryview, took: Callable[[int], object] = bool) -> None:
        """Send the data. Calls `took` with the number of bytes each time that the kernel takes some."""
        while data:
            if not self.left:
                raise _Cut
            try:
                sent = self.sock.send(data[: int(min(self.left, _BUFFER))])
            except BlockingIOError:
                await _writable(self.sock)
                continue
            self.left -= sent
            data = data[sent:]
            took(sent)
            await asyncio.sleep(0)  # let other connections run


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(sock)


@dataclass(slots=True)
class Chaos:
    """The server. `at` maps a number of bytes to a function that is called when that many bytes of bodies were sent.

    `spoil` may change each response before it is sent.
    """

    faults: Faults
    spoil: Spoil = lambda _, response: response
    log: list[Exchange] = field(default_factory=list)
    at: dict[int, Callable[[], object]] = field(default_factory=dict)
    sent: int = 0
    _free_at: float = 0  # the loop's time at which the simulated line is free again

    @property
    def version(self) -> Version:
        """The version that is being served."""
        number = sum(self.sent >= change for change in self.faults.changes)
        return Version(number, self.faults.size, seed=self.faults.seed)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Serve until the end of the block. Yields the URL."""
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            listener.setblocking(False)
            accepting = asyncio.create_task(self._accept(listener))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/chaos.bin"
            finally:
                accepting.cancel()
                with suppress(asyncio.CancelledError):
                    await accepting

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            number = 0
            while True:
                sock, _ = await loop.sock_accept(listener)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                group.create_task(self._serve(self._connection(number, sock)))
                number += 1

    def _connection(self, number: int, sock: socket.socket) -> _Connection:
        dice = Random(f"{self.faults.seed}.{number}")
        left = dice.randint(*self.faults.cut) if self.faults.cut else float("inf")
        return _Connection(number, sock, dice, left)

    async def _serve(self, connection: _Connection) -> None:
        with connection.sock, suppress(ConnectionError):
            try:
                while (request := await connection.request()) and await self._reply(connection, request):
                    pass
            except _Cut:
                if connection.dice.random() < 0.5:
                    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def _reply(self, connection: _Connection, request: Request) -> bool:
        """Send a response. Returns whether the connection stays open."""
        if request.target == _LOG:
            log = text(200, json.dumps([asdict(each) for each in self.log]))
            await asyncio.get_running_loop().sock_sendall(connection.sock, log.head() + b"".join(log.body))
            return True
        chosen = self.spoil(request, self._choose(connection.dice, request))
        exchange = Exchange.of(connection.number, request, chosen.status)
        self.log.append(exchange)
        await connection.send(memoryview(chosen.head()))
        for piece in chosen.body if request.method != "HEAD" else ():
            await connection.send(memoryview(piece), partial(self._count, exchange))
            await self._line(len(piece))
        return chosen.fields.get("Connection") != "close"

    async def _line(self, size: int) -> None:
        """Wait as long as a line with the configured rate needs for that many bytes."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + size / self.faults.rate
        if self._free_at - now > _TICK:
            await asyncio.sleep(self._free_at - now)

    def _choose(self, dice: Random, request: Request) -> OriginResponse:
        """Choose the right response, or a fault."""
        roll, now = dice.random(), dice.random() < 0.5
        if roll < self.faults.unavailable:
            return text(503, "not now\n", **({"Retry_After": "0"} if now else {}))
        if roll < self.faults.unavailable + self.faults.ignored:
            fields = {name: value for name, value in request.fields.items() if name != "range"}
            request = replace(request, fields=fields)
        return respond(request, self.version)

    def _count(self, exchange: Exchange, sent: int) -> None:
        exchange.sent += sent
        self.sent += sent
        for due in [number for number in self.at if number <= self.sent]:
            self.at.pop(due)()


@contextmanager
def chaos_process(faults: Faults) -> Iterator[str]:
    """Serve in another process until the end of the block. Yields the URL."""
    command = [sys.executable, "-m", __name__, json.dumps(asdict(faults))]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


async def _main(faults: Faults) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    async with Chaos(faults).listening() as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(_main(Faults(**json.loads(sys.argv[1]))))
