"""How `get -o -` downloads: to standard output, whose reader may take its time, or leave.

A pipe that is full keeps a write waiting for as long as its reader likes, and a thread that waits cannot be stopped.
So the thread is one that nobody waits for: when the command is interrupted the process ends, and the thread with it.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread
from typing import Final

from ..client import Downloader, Progress, ResponseStream, Result
from ..client.checksum import Checksum
from ..errors import DeadlineExceeded, DigestMismatch, DiskError
from .get_options import STDOUT

__all__ = ["ReaderLeft", "stream"]


_FD: Final = 1
_PAUSE: Final = 0.1  # seconds between two looks at how far it is


class ReaderLeft(Exception):
    """Nobody reads standard output any more."""


async def stream(
    downloader: Downloader, url: str, *, checksum: str | None, within: float | None, tell: Callable[[Progress], object]
) -> Result:
    """Write what is at a URL to standard output, within so many seconds.

    `ReaderLeft`, or `FetchError` also for what cannot be written.
    """
    expected = Checksum.parse(checksum) if checksum else None
    hashed = hashlib.new(expected.algorithm, usedforsecurity=False) if expected else None
    try:
        async with asyncio.timeout(within) as deadline, downloader.open(url) as body:
            result = await _copied(body, hashed, tell)
    except TimeoutError:
        if not deadline.expired():
            raise
        raise DeadlineExceeded(f"the download was not over after {within:g} s") from None
    if not expected or not hashed:
        return result
    actual = Checksum(expected.algorithm, hashed.digest())
    if actual != expected:
        raise DigestMismatch(str(expected), str(actual))
    return replace(result, digest=str(actual))


async def _copied(body: ResponseStream, hashed: "hashlib._Hash | None", tell: Callable[[Progress], object]) -> Result:
    output, count = _StandardOutput(), _Count(body, tell)
    async for chunk in body:
        await output.write(chunk)
        if hashed:
            hashed.update(chunk)
        count.more(len(chunk))
    return count.result()


class _Count:
    """How far a body is, told now and then."""

    def __init__(self, body: ResponseStream, tell: Callable[[Progress], object]) -> None:
        self._body = body
        self._tell = tell
        self._begun = self._last = time.monotonic()
        self._done = 0

    def more(self, count: int) -> None:
        """Add so many bytes."""
        self._done += count
        if (now := time.monotonic()) - self._last >= _PAUSE:
            self._last = now
            speed = self._done / (now - self._begun)
            self._tell(Progress("downloading", self._body.name, self._body.size, self._done, 0, (), speed, ""))

    def result(self) -> Result:
        """Return what came."""
        seconds = time.monotonic() - self._begun
        return Result(STDOUT, self._done, self._done, 0, self._body.validators, None, seconds)


class _StandardOutput:
    """Standard output, written in a thread, one segment after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._segments: SimpleQueue[tuple[bytes, asyncio.Future[None]]] = SimpleQueue()
        Thread(target=self._run, daemon=True).start()

    async def write(self, data: bytes) -> None:
        """Return when all of it is written."""
        written: asyncio.Future[None] = self._loop.create_future()
        self._segments.put((data, written))
        try:
            await written
        except BrokenPipeError:
            raise ReaderLeft from None
        except OSError as error:
            raise DiskError(f"cannot write to standard output: {error.strerror}") from error

    def _run(self) -> None:
        while True:
            data, written = self._segments.get()
            error = _write(data)
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know
                self._loop.call_soon_threadsafe(_settle, written, error)


def _write(data: bytes) -> OSError | None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(_FD, rest) :]
    except OSError as error:
        return error
    return None


def _settle(written: "asyncio.Future[None]", error: OSError | None) -> None:
    if written.cancelled():
        return
    if error:
        written.set_exception(error)
    else:
        written.set_result(None)
