"""A client that has nothing to do with the load: a small file, on a fresh connection, every so often.

It runs as its own process, so that a busy driver does not delay it, and it starts each request on time whether or not
the last was answered. It stops when its standard input ends and prints its latencies as JSON.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from benchmarks.load.messages import parse_head, request
from benchmarks.process import ROOT, pinned
from benchmarks.servers.base import HOST, PYTHON

__all__ = ["Probe"]

LONGEST = 120.0  # seconds a forgotten probe lives


class Probe:
    """Probe from ``__enter__`` on; ``finish`` gives the seconds of each, None for one that timed out."""

    def __init__(self, port: int, name: str, *, core: int, interval: float, timeout: float) -> None:
        arguments = [str(port), name, str(interval), str(timeout)]
        self._timeout = timeout
        with pinned(core):
            self._process = subprocess.Popen(
                [PYTHON, "-m", "benchmarks.load.probe", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                text=True,
                start_new_session=True,  # Ctrl-C is for the harness, which ends the probe itself
            )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it is ready
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def finish(self) -> list[float | None]:
        """Stop, wait for what is under way, and return what was seen."""
        output, _ = self._process.communicate(timeout=self._timeout + 5)
        latencies: list[float | None] = json.loads(output)
        return latencies


async def _probe(port: int, message: bytes, limit: float) -> float | None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(limit):
            if await _answered(loop, port, message):
                return loop.time() - start
    return None


async def _answered(loop: asyncio.AbstractEventLoop, port: int, message: bytes) -> bool:
    """Tell whether a whole 200 came back."""
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


async def _run(port: int, name: str, interval: float, limit: float) -> list[float | None]:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_reader(sys.stdin, stop.set)
    message, probes, start = request(name), [], loop.time()
    _say("ready")
    while not stop.is_set() and loop.time() < start + LONGEST:
        probes.append(asyncio.create_task(_probe(port, message, limit)))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(0.0, start + len(probes) * interval - loop.time()))
    return list(await asyncio.gather(*probes))


def _say(words: str) -> None:
    """Print, or end without a word when nobody listens any more: the harness was interrupted."""
    try:
        print(words, flush=True)
    except BrokenPipeError:
        os._exit(1)


if __name__ == "__main__":
    port, name, interval, timeout = sys.argv[1:]
    _say(json.dumps(asyncio.run(_run(int(port), name, float(interval), float(timeout)))))
