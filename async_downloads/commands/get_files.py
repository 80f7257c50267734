"""The downloads of `get`: several files at a time, until all are complete or a signal ends the command."""

import asyncio
import os
import signal
from functools import partial
from typing import Final

from ..client import Downloader, Result
from ..client.disk.existing import resumable
from ..errors import FetchError
from .get_options import STDOUT, GetOptions
from .get_output import Display, Json, Lines, LinesAndBars, UrlItem
from .get_stdout import ReaderLeft, stream
from .messages import CannotRun
from .redaction import is_url
from .signals import interruptible

__all__ = ["run"]


_STDERR: Final = 2
_OTHER, _USAGE = 1, 2  # exit codes; the errors of a download have their own
_READER_LEFT: Final = 128 + signal.SIGPIPE  # as a shell reports a program that a closed pipe ended


def run(options: GetOptions) -> int:
    """Download the files; return the exit code, which is that of the first URL that failed."""
    with _display(options) as display:
        return asyncio.run(_run(options, display))


def _display(options: GetOptions) -> Display:
    if options.as_json:
        return Json(quiet=options.quiet)
    if options.quiet:
        return Display()
    return LinesAndBars() if os.isatty(_STDERR) else Lines()


async def _run(options: GetOptions, display: Display) -> int:
    downloader = _downloader(options)
    downloads = _Downloads(options, display, downloader)
    with interruptible() as signals:
        try:
            async with downloader:
                codes = await downloads.run()
        except ValueError as error:  # about a proxy in the environment; `_one` catches those about a URL
            raise CannotRun(str(error)) from None
        except asyncio.CancelledError:
            if signals.code is None:
                raise
            display.interrupted(downloads.advice(), signals.code)
            return signals.code
    return next(filter(None, codes), 0)


def _downloader(options: GetOptions) -> Downloader:
    return Downloader(
        connections=options.connections,
        retries=options.retries,
        timeout=options.timeout,
        stall_timeout=options.stall_timeout,
        limit_rate=options.limit_rate,
        headers=options.header,
        insecure_redirects=options.insecure_redirects,
    )


class _Downloads:
    """The downloads of one command."""

    def __init__(self, options: GetOptions, display: Display, downloader: Downloader) -> None:
        self._options = options
        self._display = display
        self._downloader = downloader
        self._slots = asyncio.Semaphore(options.jobs)
        self._any_finished = False

    async def run(self) -> list[int]:
        """Download every file; return the exit codes in the order of the URLs."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._one(UrlItem(*each))) for each in enumerate(self._options.urls)]
        return [task.result() for task in running]

    def advice(self) -> str:
        """Return the end of the message after an interruption: what the next run will do."""
        if self._options.output == STDOUT:
            return ""
        return "; the same command continues from here" if self._can_resume() else "; the same command starts again"

    def _can_resume(self) -> bool:
        """Whether a file is complete, or a part of one is left that the next run can use."""
        options = self._options
        parts = (resumable(url, options.output, options.directory) for url in options.urls if is_url(url))
        return options.resume and (self._any_finished or any(parts))

    async def _one(self, item: UrlItem) -> int:
        async with self._slots:
            try:
                result = await self._result(item)
            except ReaderLeft:
                return _READER_LEFT
            except FetchError as error:
                return self._failed(item, error, error.exit_code)
            except ValueError as error:  # a malformed URL or checksum
                return self._failed(item, error, _USAGE)
            except Exception as error:  # noqa: BLE001 - a bug of ours must not cost the other files
                return self._failed(item, error, _OTHER)
        self._any_finished = True
        self._display.finished(item, result)
        return 0

    def _failed(self, item: UrlItem, error: Exception, code: int) -> int:
        self._display.failed(item, error, code)
        return code

    async def _result(self, item: UrlItem) -> Result:
        if not is_url(item.url):
            raise ValueError("not a URL: it must begin with http:// or https:// and have a host")
        report = partial(self._display.progress, item)
        if self._options.output == STDOUT:
            return await stream(self._downloader, item.url, self._options, report)
        return await self._downloader.fetch(
            item.url,
            self._options.output,
            directory=self._options.directory,
            checksum=self._options.checksum,
            overwrite=self._options.overwrite,
            resume=self._options.resume,
            on_progress=report,
        )
