"""The downloads of `get`: several files at a time, until all are complete or a signal ends the command."""

import asyncio
import os
import signal
from contextlib import aclosing
from functools import partial
from typing import Final

from ..client import Downloader, NetworkOptions
from ..client.disk.existing import resumable
from ..errors import FetchError
from .get_options import GetOptions, UrlItem
from .get_output import Display, Json, Lines, LinesAndBars
from .get_plan import GetPlan, Task
from .get_stdout import ReaderLeft
from .get_tally import Tally
from .messages import CannotRun, print_error
from .redaction import is_url, redacted
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
    return (LinesAndBars if os.isatty(_STDERR) else Lines)(list_unchanged=not options.recursive)


async def _run(options: GetOptions, display: Display) -> int:
    downloader = _downloader(options)
    downloads = _Downloads(options, display, downloader)
    with interruptible() as signals:
        try:
            async with downloader:
                code = await downloads.run()
        except ValueError as error:  # a proxy in the environment is malformed; `_one` catches errors of a URL
            raise CannotRun(str(error)) from None
        except asyncio.CancelledError:
            if signals.code is None:
                raise
            display.interrupted(downloads.advice(), signals.code)
            return signals.code
    return code


def _downloader(options: GetOptions) -> Downloader:
    return Downloader(
        connections=options.connections,
        retries=options.retries,
        patience=options.patience,
        response_timeout=options.response_timeout,
        speed_floor=options.speed_floor,
        strict=options.strict,
        timeout=options.timeout,
        stall_timeout=options.stall_timeout,
        limit_rate=options.limit_rate,
        headers=options.header,
        insecure_redirects=options.insecure_redirects,
        network=NetworkOptions(**options.network),
    )


class _Downloads:
    """The downloads of one command, `jobs` of them at the same time."""

    def __init__(self, options: GetOptions, display: Display, downloader: Downloader) -> None:
        self._options = options
        self._display = display
        self._plan = GetPlan(options, downloader, display)
        self._slots = asyncio.Semaphore(options.jobs)
        self._tally = Tally()
        self._failures: dict[int, int] = {}

    async def run(self) -> int:
        """Download every file; return the exit code of the first one that failed, 0 if all are complete."""
        try:
            async with asyncio.TaskGroup() as group, aclosing(self._plan.tasks()) as tasks:
                async for task in tasks:
                    await self._slots.acquire()
                    group.create_task(self._one(task))
        except BaseExceptionGroup as errors:
            return self._list_failed(errors)
        if self._options.recursive or self._tally.files > 1:
            self._display.summary(self._tally)
        return self._failures[min(self._failures)] if self._failures else 0

    def _list_failed(self, errors: BaseExceptionGroup[BaseException]) -> int:
        """Return the exit code if a list of checksums or a Metalink file could not be read; raise other errors."""
        error = errors.exceptions[0]
        if not isinstance(error, FetchError):
            raise error
        print_error(redacted(error))
        return error.exit_code

    def advice(self) -> str:
        """Return the end of the message after an interruption: what the next run will do."""
        if self._options.to_stdout:
            return ""
        return f"; the same command {'continues from here' if self._can_resume() else 'starts from the beginning'}"

    def _can_resume(self) -> bool:
        """Whether a file is complete, or a part of one is left that the next run can use."""
        items = [item for item in self._options.items if is_url(item.url)]
        parts = (resumable(item.url, item.path, item.directory) for item in items)
        return self._options.resume and (self._options.recursive or self._tally.complete > 0 or any(parts))

    async def _one(self, task: Task) -> None:
        """Run one download. Whatever its error, the other files are still downloaded."""
        try:
            result = await task.fetch(partial(self._display.progress, task.item))
        except ReaderLeft:
            self._failures[task.item.index] = _READER_LEFT
        except FetchError as error:
            self._failed(task.item, error, error.exit_code)
        except ValueError as error:  # a malformed URL or checksum
            self._failed(task.item, error, _USAGE)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not stop the other downloads
            self._failed(task.item, error, _OTHER)
        else:
            self._tally.add(result)
            self._display.finished(task.item, result)
        finally:
            self._slots.release()

    def _failed(self, item: UrlItem, error: Exception, code: int) -> None:
        self._failures[item.index] = code
        self._tally.add_failure(item)
        self._display.failed(item, error, code)
