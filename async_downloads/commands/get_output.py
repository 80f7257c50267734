"""What `get` tells on standard error: what became of each file and what hinders it, in lines or in JSON."""

import json
import re
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

__all__ = ["Display", "Json", "Lines", "UrlItem", "event_json", "is_url"]


if TYPE_CHECKING:
    from types import TracebackType

    from ..client import Progress, Result


_PAUSE: Final = 1.0  # seconds between two notes about a file, though a server should drop every connection
_USERINFO: Final = re.compile(r"//[^/]*@")  # also of those who forgot to escape a ? or # in a password
_PLAIN: Final = re.compile(r"[\w./:-]*")  # nothing in it can be a password
_URL: Final = re.compile(r"\bhttps?://[^\s'\"]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UrlItem:
    """One URL of the command line, and its place there."""

    index: int
    url: str = field(repr=False)

    @property
    def public(self) -> str:
        """The URL without what may be secret in it: user, password, query (signatures) and fragment."""
        return _public(self.url) or (self.url if _PLAIN.fullmatch(self.url) else f"URL {self.index + 1}")


def _public(url: str) -> str:
    """Return what may be shown of a URL; "" of what is none, as nobody knows which part of it is the password.

    >>> _public("https://me:secret@example.com/a?signature=abc")
    'https://example.com/a'
    """
    shown = re.split("[?#]", _USERINFO.sub("//", url, count=1), maxsplit=1)[0]
    return _printable(shown) if is_url(shown) else ""


def _printable(text: str) -> str:
    """Replace what a terminal would obey."""
    return "".join(char if char.isprintable() else "_" for char in text)


def is_url(text: str) -> bool:
    """Whether it is a URL that can be asked for."""
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def event_json(error: BaseException) -> str:
    """Return what an error says, in one line and without what is secret in a URL.

    >>> event_json(ValueError("no server at\\nhttp://me:secret@localhost/files?key=abc"))
    'no server at http://localhost/files'
    """
    text = _URL.sub(lambda found: _public(found[0]) or "a URL", " ".join(str(error).split()))
    return _printable(text) or type(error).__name__


class Display(AbstractContextManager["Display"]):
    """Tells what went wrong, and nothing else: `--quiet`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None", /
    ) -> None:
        """Leave nothing but lines."""

    def say(self, line: str) -> None:
        """Write a line. That nobody reads it any more is no reason to lose a download."""
        with suppress(OSError):
            click.echo(line, err=True)

    def progress(self, wanted: UrlItem, progress: "Progress", /) -> None:
        """Tell how far a download is."""

    def finished(self, wanted: UrlItem, result: "Result", /) -> None:
        """Tell that a download is there."""

    def failed(self, wanted: UrlItem, error: Exception, _: int, /) -> None:
        """Tell why a download could not be had, and the exit code for that."""
        self.say(f"async-downloads: {wanted.public}: {event_json(error)}")

    def interrupted(self, advice: str, _: int, /) -> None:
        """Tell that the command was interrupted, what to do about it, and the exit code for that."""
        self.say(f"async-downloads: interrupted{advice}")


class Lines(Display):
    """Tells what became of each file, in a line, and what hinders it."""

    def __init__(self) -> None:
        self._notes: dict[int, tuple[str, float]] = {}

    def progress(self, wanted: UrlItem, progress: "Progress", /) -> None:
        last, at = self._notes.get(wanted.index, ("", float("-inf")))
        if progress.note in {"", last} or time.monotonic() - at < _PAUSE:
            return
        self._notes[wanted.index] = progress.note, time.monotonic()
        self.say(f"{progress.name or wanted.public}: {_printable(progress.note)}")

    def finished(self, _: UrlItem, result: "Result", /) -> None:
        self.say(f"{result.path}: {_outcome(result)}")


def _outcome(result: "Result") -> str:
    if result.unchanged:
        return "already complete"
    from rich.filesize import decimal

    speed = decimal(int(result.transferred / max(result.seconds, 0.001)))
    resumed = f", resumed at {decimal(result.resumed_from)}" if result.resumed_from else ""
    verified = f", {result.digest.partition(':')[0]} verified" if result.digest else ""
    return f"{decimal(result.size)} in {result.seconds:.1f} s ({speed}/s){resumed}{verified}"


class Json(Display):
    """Tells everything to a program: an object in each line, whose `event` says what it is about."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def progress(self, wanted: UrlItem, progress: "Progress", /) -> None:
        if not self._quiet:
            segments = [segment._asdict() for segment in progress.segments]
            self._tell("progress", wanted, **{**asdict(progress), "segments": segments})

    def finished(self, wanted: UrlItem, result: "Result", /) -> None:
        if not self._quiet:
            etag, last_modified = result.validators.etag, result.validators.last_modified
            rest = {each.name: getattr(result, each.name) for each in fields(result) if each.name != "validators"}
            self._tell("finished", wanted, **rest, etag=etag and str(etag), last_modified=last_modified)

    def failed(self, wanted: UrlItem, error: Exception, code: int, /) -> None:
        self._tell("failed", wanted, error=type(error).__name__, message=event_json(error), exit_code=code)

    def interrupted(self, advice: str, code: int, /) -> None:
        self.say(json.dumps({"event": "interrupted", "message": f"interrupted{advice}", "exit_code": code}))

    def _tell(self, event: str, wanted: UrlItem, **about: object) -> None:
        self.say(json.dumps({"event": event, "index": wanted.index, "url": wanted.public, **about}, default=str))
