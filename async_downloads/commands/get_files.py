"""How `get` downloads: several files at a time, to the end or until a signal comes."""

import asyncio
import os
import signal
from functools import partial
from typing import Final

from ..client import Downloader, Result
from ..client.disk.existing import resumable
from ..errors import FetchError
from .get_options import STDOUT, GetOptions
from .get_output import Display, Json, Lines, UrlItem, is_url
from .get_stdout import ReaderLeft, stream
from .messages import UsageRefused
from .signals import interruptible

__all__ = ["run"]


_STDERR: Final = 2
_OTHER, _USAGE = 1, 2  # exit codes; the errors of a download have their own
_READER_LEFT: Final = 128 + signal.SIGPIPE  # as a shell reports a program that a closed pipe ended


def run(order: GetOptions) -> int:
    """Download what is ordered; return the exit code, that of the first URL that failed if any did."""
    with _display(order) as shown:
        return asyncio.run(_run(order, shown))


def _display(order: GetOptions) -> Display:
    if order.as_json:
        return Json(quiet=order.quiet)
    if order.quiet:
        return Display()
    if not os.isatty(_STDERR):
        return Lines()
    from .get_bars import Bars

    return Bars()


async def _run(order: GetOptions, shown: Display) -> int:
    downloader = _downloader(order)
    downloads = _Downloads(order, shown, downloader)
    with interruptible() as interruption:
        try:
            async with downloader:
                codes = await downloads.all()
        except ValueError as error:  # about a proxy in the environment: the downloads have told of their own
            raise UsageRefused(str(error)) from None
        except asyncio.CancelledError:
            if interruption.code is None:
                raise
            shown.interrupted(downloads.advice(), interruption.code)
            return interruption.code
    return next(filter(None, codes), 0)


def _downloader(order: GetOptions) -> Downloader:
    return Downloader(
        connections=order.connections,
        retries=order.retries,
        timeout=order.timeout,
        stall_timeout=order.stall_timeout,
        limit_rate=order.limit_rate,
        headers=order.header,
        insecure_redirects=order.insecure_redirects,
    )


class _Downloads:
    """The downloads of one command."""

    def __init__(self, order: GetOptions, shown: Display, downloader: Downloader) -> None:
        self._order = order
        self._display = shown
        self._downloader = downloader
        self._turns = asyncio.Semaphore(order.jobs)
        self._finished = False

    async def all(self) -> list[int]:
        """Get all that is wanted, and return the exit code for each."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._one(UrlItem(*each))) for each in enumerate(self._order.urls)]
        return [task.result() for task in running]

    def advice(self) -> str:
        """Return what to say of the next run when this one was interrupted."""
        if self._order.output == STDOUT:
            return ""
        return "; the same command goes on from here" if self._goes_on() else "; the same command begins anew"

    def _goes_on(self) -> bool:
        """Whether any file is there, or so much of it that the next run can go on with that."""
        order = self._order
        left = (resumable(url, order.output, order.directory) for url in order.urls if is_url(url))
        return order.resume and (self._finished or any(left))

    async def _one(self, wanted: UrlItem) -> int:
        async with self._turns:
            try:
                result = await self._result(wanted)
            except ReaderLeft:
                return _READER_LEFT
            except FetchError as error:
                return self._failed(wanted, error, error.exit_code)
            except ValueError as error:  # a URL that is none
                return self._failed(wanted, error, _USAGE)
            except Exception as error:  # noqa: BLE001 - a mistake of ours, which is no reason to lose the other files
                return self._failed(wanted, error, _OTHER)
        self._finished = True
        self._display.finished(wanted, result)
        return 0

    def _failed(self, wanted: UrlItem, error: Exception, code: int) -> int:
        self._display.failed(wanted, error, code)
        return code

    async def _result(self, wanted: UrlItem) -> Result:
        if not is_url(wanted.url):
            raise ValueError("not a URL: it must begin with http:// or https:// and have a host")
        tell = partial(self._display.progress, wanted)
        if self._order.output == STDOUT:
            return await stream(
                self._downloader, wanted.url, checksum=self._order.checksum, within=self._order.timeout, tell=tell
            )
        return await self._downloader.fetch(
            wanted.url,
            self._order.output,
            directory=self._order.directory,
            checksum=self._order.checksum,
            overwrite=self._order.overwrite,
            resume=self._order.resume,
            on_progress=tell,
        )
