"""Output of `get` on standard error: the state of each file, as bars, lines or JSON."""

import json
import re
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from .get_options import STDOUT, UrlItem
from .get_tally import RunningTotal, Tally
from .messages import print_line
from .progress import Bars, speed_text
from .redaction import printable, public_url, redacted

__all__ = ["Display", "Json", "Lines", "LinesAndBars"]


if TYPE_CHECKING:
    from types import TracebackType

    from ..client import Progress, Result


_NOTE_SECONDS: Final = 1.0  # between two notes about a file: a server may drop every connection at once
_TOTAL: Final = -1  # the key of the bar of all files
_WAIT: Final = re.compile(r"\bagain (in \d+ s)\b")  # in a note
_LOGIN: Final = " (write the user and the password in ~/.netrc, or in the URL: {scheme}://USER:PASSWORD@HOST/)"


class Display(AbstractContextManager["Display"]):
    """Prints errors only: `--quiet`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None", /
    ) -> None:
        """Remove the bars; the lines stay."""

    def print(self, line: str) -> None:
        """Write a line."""
        print_line(line)

    def progress(self, item: UrlItem, progress: "Progress", /) -> None:
        """Show the progress of a download."""

    def finished(self, item: UrlItem, result: "Result", /) -> None:
        """Show that a download is complete."""

    def failed(self, item: UrlItem, error: Exception, _: int, /) -> None:
        """Show why a download failed, and its exit code."""
        self.print(f"async-downloads: {item.public}: {redacted(error)}{_advice(item, error)}")

    def replaced(self, item: UrlItem, url: str, error: Exception, /) -> None:
        """Show that a server failed, and that the download uses another one."""

    def hint(self, text: str, /) -> None:
        """Show what the user may want to do instead."""

    def summary(self, tally: Tally, /) -> None:
        """Show the sum of several downloads."""

    def interrupted(self, advice: str, _: int, /) -> None:
        """Show that the command was interrupted, what the next run will do, and the exit code."""
        self.print(f"async-downloads: interrupted{advice}")


class Lines(Display):
    """Prints a line for each file that is complete, failed, or has to wait."""

    def __init__(self, *, list_unchanged: bool = True) -> None:
        self._list_unchanged = list_unchanged
        self._notes: dict[int, tuple[str, float]] = {}

    def progress(self, item: UrlItem, progress: "Progress", /) -> None:
        last, at = self._notes.get(item.index, ("", float("-inf")))
        if progress.note in {"", last} or time.monotonic() - at < _NOTE_SECONDS:
            return
        self._notes[item.index] = progress.note, time.monotonic()
        self.print(f"{progress.name or item.public}: {printable(progress.note)}")

    def finished(self, _: UrlItem, result: "Result", /) -> None:
        if self._list_unchanged or not result.unchanged:
            self.print(f"{_place(result)}: {_outcome(result)}")
        if result.warning:
            self.print(f"{_place(result)}: warning: {printable(result.warning)}")

    def replaced(self, _: UrlItem, url: str, error: Exception, /) -> None:
        self.print(f"{public_url(url) or 'a server'}: {redacted(error)}: using another server")

    def hint(self, text: str, /) -> None:
        self.print(f"async-downloads: {printable(text)}")

    def summary(self, tally: Tally, /) -> None:
        self.print(str(tally))


def _place(result: "Result") -> str:
    return "standard output" if result.path == STDOUT else printable(str(result.path))


def _outcome(result: "Result") -> str:
    if result.unchanged:
        return "already complete"
    from rich.filesize import decimal

    speed = speed_text(result.transferred / max(result.seconds, 0.001))
    resumed = f", resumed at {decimal(result.resumed_from)}" if result.resumed_from else ""
    verified = f", {result.digest.partition(':')[0]} verified" if result.digest else ""
    return f"{decimal(result.size)} in {result.seconds:.1f} s ({speed}){resumed}{verified}"


class LinesAndBars(Lines):
    """Prints lines, and below them a bar for each download that is running."""

    def __init__(self, *, list_unchanged: bool = True) -> None:
        super().__init__(list_unchanged=list_unchanged)
        self._bars = Bars()
        self._total = RunningTotal()

    def __enter__(self) -> Self:
        self._bars.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None", /
    ) -> None:
        self._bars.__exit__(kind, error, trace)

    def print(self, line: str) -> None:
        self._bars.print(line)

    def progress(self, item: UrlItem, progress: "Progress", /) -> None:
        super().progress(item, progress)
        name, status = progress.name or item.public, _status(progress)
        self._bars.show(item.index, name, progress.done, progress.total, status=status, speed=progress.speed)
        self._total.advance(item.index, progress)
        self._show_total()

    def finished(self, item: UrlItem, result: "Result", /) -> None:
        self._ended(item)
        super().finished(item, result)

    def failed(self, item: UrlItem, error: Exception, code: int, /) -> None:
        self._ended(item)
        super().failed(item, error, code)

    def _ended(self, item: UrlItem) -> None:
        self._bars.remove(item.index)
        self._total.end(item.index)
        self._show_total()

    def _show_total(self) -> None:
        total = self._total
        if total.files > 1:
            self._bars.show(_TOTAL, total.name, total.done, None, status=speed_text(total.speed), speed=total.speed)


def _status(progress: "Progress") -> str:
    """Return speed and number of connections, or the state of a download that is not running.

    The speed counts only bytes of this run, not those that an earlier run left.
    """
    if progress.state != "downloading":
        wait = _WAIT.search(progress.note)
        return f"{progress.state} {wait[1]}" if wait else progress.state
    return f"{speed_text(progress.speed)} x{max(len(progress.segments), 1)}"


class Json(Display):
    """Prints a JSON object in each line, for a program; its `event` names the kind."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def progress(self, item: UrlItem, progress: "Progress", /) -> None:
        if not self._quiet:
            segments = [segment._asdict() for segment in progress.segments]
            about = {**asdict(progress), "segments": segments, "url": item.public}  # that of `progress` may be secret
            self._print_event("progress", item, **about)

    def finished(self, item: UrlItem, result: "Result", /) -> None:
        if not self._quiet:
            etag, last_modified = result.validators.etag, result.validators.last_modified
            rest = {each.name: getattr(result, each.name) for each in fields(result) if each.name != "validators"}
            self._print_event("finished", item, **rest, etag=etag and str(etag), last_modified=last_modified)

    def failed(self, item: UrlItem, error: Exception, code: int, /) -> None:
        self._print_event("failed", item, error=type(error).__name__, message=redacted(error), exit_code=code)

    def replaced(self, item: UrlItem, url: str, error: Exception, /) -> None:
        if not self._quiet:
            message = redacted(error)
            self._print_event("replaced", item, source=public_url(url), error=type(error).__name__, message=message)

    def hint(self, text: str, /) -> None:
        if not self._quiet:
            self.print(json.dumps({"event": "hint", "message": text}))

    def summary(self, tally: Tally, /) -> None:
        if not self._quiet:
            self.print(json.dumps({"event": "summary", **tally.as_dict()}))

    def interrupted(self, advice: str, code: int, /) -> None:
        self.print(json.dumps({"event": "interrupted", "message": f"interrupted{advice}", "exit_code": code}))

    def _print_event(self, event: str, item: UrlItem, **about: object) -> None:
        self.print(json.dumps({"event": event, "index": item.index, "url": item.public, **about}, default=str))


def _advice(item: UrlItem, error: Exception) -> str:
    """Return how to give a password, if the server requires one and the URL has none."""
    if getattr(error, "code", None) != HTTPStatus.UNAUTHORIZED:
        return ""
    url = urlsplit(item.url)
    return "" if url.username else _LOGIN.format(scheme=url.scheme)
