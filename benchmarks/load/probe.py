"""A client beside the load: it fetches a small file on a new connection at a fixed interval.

Each request starts on time, even if the last response has not come. A second program detects standstills of the machine
meanwhile.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.load.companion import LONGEST, Companion, say
from benchmarks.load.messages import parse_head, request
from benchmarks.servers.base import HOST

__all__ = ["Probe", "Probed"]

Interval = Sequence[float]  # begin and end in monotonic seconds


@dataclass(frozen=True, slots=True)
class Probed:
    """The begin and the seconds of each request, None if it timed out; and each standstill."""

    requests: Sequence[tuple[float, float | None]]
    standstills: Sequence[Interval]

    @property
    def latencies(self) -> list[float | None]:
        """Return the seconds of all requests."""
        return [seconds for _, seconds in self.requests]

    @property
    def undisturbed(self) -> list[float | None]:
        """Return the seconds of all requests less the standstills; a request that timed out stays None."""
        return [None if seconds is None else self._running(begin, begin + seconds) for begin, seconds in self.requests]

    @property
    def stood_still(self) -> float:
        """Return the total seconds of the standstills."""
        return sum(end - begin for begin, end in self.standstills)

    def _running(self, begin: float, end: float) -> float:
        stood = (min(end, stop) - max(begin, start) for start, stop in self.standstills)
        return end - begin - sum(each for each in stood if each > 0)


class Probe:
    """Sends the requests from ``__enter__`` on."""

    def __init__(self, port: int, name: str, *, core: int, interval: float, timeout: float) -> None:
        self._timeout = timeout
        self._asking = Companion("benchmarks.load.probe", port, name, interval, timeout, core=core)
        self._looking = Companion("benchmarks.load.standstill", core=core)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._looking)
            stack.enter_context(self._asking)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def finish(self) -> Probed:
        """Stop, wait for the running requests, and return the observations."""
        requests = self._asking.finish(self._timeout + 5)
        return Probed(requests, self._looking.finish(5))


async def _probe(port: int, message: bytes, limit: float) -> tuple[float, float | None]:
    loop = asyncio.get_running_loop()
    start = loop.time()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(limit):
            if await _is_served(loop, port, message):
                return start, loop.time() - start
    return start, None


async def _is_served(loop: asyncio.AbstractEventLoop, port: int, message: bytes) -> bool:
    """Return whether a complete response with status 200 came."""
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, (HOST, port))
        await loop.sock_sendall(connection, message)
        data = b""
        while more := await loop.sock_recv(connection, 65536):
            data += more
            head = parse_head(data)
            if head and len(data) - head.size == head.length:
                return head.status == 200
    return False


async def _run(port: int, name: str, interval: float, limit: float) -> list[tuple[float, float | None]]:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_reader(sys.stdin, stop.set)
    message, probes, start = request(name), [], loop.time()
    say("ready")
    while not stop.is_set() and loop.time() < start + LONGEST:
        probes.append(asyncio.create_task(_probe(port, message, limit)))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(0.0, start + len(probes) * interval - loop.time()))
    return list(await asyncio.gather(*probes))


if __name__ == "__main__":
    port, name, interval, timeout = sys.argv[1:]
    say(json.dumps(asyncio.run(_run(int(port), name, float(interval), float(timeout)))))
