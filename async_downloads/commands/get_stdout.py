"""`get -o -`: download to standard output, whose reader may be slow, or may close it.

A write to a full pipe blocks until the reader reads, and a blocked thread cannot be stopped. So the writer is a daemon
thread: when the command is interrupted the process ends without waiting for it.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Final

from ..client import Downloader, Progress, ResponseStream, Result
from ..client.checksum import Checksum, DigestCheck
from ..client.http.body_stream import Deadline
from ..errors import DiskError
from ..threads import in_thread
from .get_options import STDOUT, GetOptions, UrlItem

__all__ = ["ReaderLeft", "stream"]


_FD: Final = 1
_COPIED_BYTES: Final = 1024 * 1024  # in memory at once
_REPORT_SECONDS: Final = 0.1  # between two reports of progress


class ReaderLeft(Exception):
    """The reader of standard output closed it."""


async def stream(
    downloader: Downloader, item: UrlItem, options: GetOptions, report: Callable[[Progress], object]
) -> Result:
    """Write the content of a URL to standard output within `options.timeout` seconds.

    Raises ReaderLeft if the reader closes it, FetchError if the download or a write fails.
    """
    async with Deadline(options.timeout).kept():
        return await _stream(downloader, item, report)


async def _stream(downloader: Downloader, item: UrlItem, report: Callable[[Progress], object]) -> Result:
    expected = Checksum.parse(item.checksum) if item.checksum else None
    check = DigestCheck(expected)
    async with downloader.open(item.url) as body:
        is_ambiguous = expected is not None and body.coding is not None
        result = None if is_ambiguous else await _copy(body, check, report)
    if result is None:
        return await _copy_verified(downloader, item, report)
    check.verify()
    return replace(result, digest=str(expected)) if expected else result


async def _copy_verified(downloader: Downloader, item: UrlItem, report: Callable[[Progress], object]) -> Result:
    """Download to a temporary file, then copy it.

    If a body has a content coding, the checksum may be that of the bytes with or without the coding. Only at the end is
    it known which bytes the user expects, and a file can keep them until then.
    """
    with TemporaryDirectory() as folder:
        path, output = Path(folder) / "body", _StandardOutput()
        result = await downloader.fetch(item.url, path, checksum=item.checksum, on_progress=report)
        with await in_thread(lambda: path.open("rb")) as file:
            while chunk := await in_thread(partial(file.read, _COPIED_BYTES)):
                await output.write(chunk)
    return replace(result, path=STDOUT)


async def _copy(body: ResponseStream, check: DigestCheck, report: Callable[[Progress], object]) -> Result:
    output, counter = _StandardOutput(), _ByteCounter(body, report)
    async for chunk in body:
        await output.write(chunk)
        check.add(chunk)
        counter.add(len(chunk))
    return counter.result()


class _ByteCounter:
    """Counts the bytes of a body that were written, and reports them at most ten times per second."""

    def __init__(self, body: ResponseStream, report: Callable[[Progress], object]) -> None:
        self._body = body
        self._report = report
        self._begun = self._last = time.monotonic()
        self._done = 0

    def add(self, count: int) -> None:
        """Count `count` more bytes."""
        self._done += count
        if (now := time.monotonic()) - self._last >= _REPORT_SECONDS:
            self._last = now
            speed = self._done / (now - self._begun)
            self._report(Progress("downloading", self._body.name, self._body.size, self._done, 0, (), speed, ""))

    def result(self) -> Result:
        """Return the result of the whole download."""
        seconds = time.monotonic() - self._begun
        body = self._body
        return Result(STDOUT, self._done, self._done, 0, body.validators, None, seconds, warning=body.warning)


class _StandardOutput:
    """Standard output, written by one thread in the order of the calls."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[bytes, asyncio.Future[None]]] = SimpleQueue()
        Thread(target=self._run, daemon=True).start()

    async def write(self, data: bytes) -> None:
        """Write all of `data`. Raises ReaderLeft if standard output was closed, DiskError if the write fails."""
        written: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((data, written))
        try:
            await written
        except BrokenPipeError:
            raise ReaderLeft from None
        except OSError as error:
            raise DiskError(f"cannot write to standard output: {error.strerror}") from error

    def _run(self) -> None:
        while True:
            data, written = self._queue.get()
            error = _write(data)
            with suppress(RuntimeError):  # the loop is closed: the command was interrupted
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
