"""`async-downloads get`: files from servers, whole or not at all."""

import gc
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from ..config import read_seconds
from .get_options import STDOUT, GetOptions
from .messages import INTERRUPTED, UsageRefused, print_error
from .options import STDIN, reading, reading_each

__all__ = ["get"]


F = TypeVar("F", bound=Callable[..., Any])
_MOST: Final = 64  # connections for one file, and files at once: what a polite client never needs
_RATE: Final = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)(?P<unit>[KMG]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_FIELD: Final = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>(?:[!-~][\t -~]*)?)")
_OURS: Final = {
    "accept-encoding",
    "content-length",
    "if-range",
    "range",
    "transfer-encoding",
    "want-repr-digest",
}  # with others the file would be a mixture


class _NoPlace(click.ClickException):
    """Nothing can be saved there, whatever the server says."""

    exit_code = 3


def _read_rate(value: str) -> int:
    """Return the bytes per second that a text like `500K` or `1.5M` means; the units are those of curl and wget.

    >>> _read_rate("2M"), _read_rate("0.5k")
    (2097152, 512)
    """
    found = _RATE.fullmatch(value)
    rate = int(float(found["number"]) * _UNITS[found["unit"].upper()]) if found else 0
    if rate < 1:
        raise ValueError(f"{value!r} is not a rate: say 500K, 2M or 1.5G")
    return rate


def _read_field(value: str) -> tuple[str, str]:
    """Return name and value of a header field. What is refused is not shown: it may hold a password."""
    found = _FIELD.fullmatch(value)
    if not found:
        raise ValueError("expected 'Name: value' in printable ASCII")
    if found["name"].lower() in _OURS:
        raise ValueError(f"the download itself says {found['name']}")
    return found["name"], found["value"].rstrip()


def _listed(path: Path) -> tuple[str, ...]:
    """Return the URLs in a file, or in standard input for `-`."""
    what = "standard input" if path == STDIN else repr(str(path))
    if path == STDIN and sys.__stdin__ is None:
        raise UsageRefused("cannot read standard input: it is closed")
    try:
        with open(0 if path == STDIN else path, encoding="utf-8-sig", closefd=path != STDIN) as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise UsageRefused(f"cannot read {what}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageRefused(f"cannot read {what}: it is no text in UTF-8") from error
    return tuple(_urls(lines, what))


def _urls(lines: Iterable[str], what: str) -> Iterator[str]:
    """Yield the URLs: one in a line, which may be empty or a comment."""
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        if len(line.split()) > 1:
            raise UsageRefused(f"line {number} of {what} is not a URL")
        yield line


def _all(options: dict[str, Any]) -> GetOptions:
    """Put the options together. `UsageError` when they are not about the same thing."""
    given, listed, directory = options.pop("urls"), options.pop("input_file"), options.pop("directory")
    urls = tuple(dict.fromkeys([*given, *(_listed(listed) if listed else ())]))  # once each: they share a part_file
    if not urls:
        raise click.UsageError("the input has no URL" if listed else "no URL is given")
    for name, value in (("-o", options["output"]), ("--checksum", options["checksum"])):
        if value is not None and len(urls) > 1:
            raise click.UsageError(f"{name} is for one URL")
    if options["output"] is not None and directory is not None:
        raise click.UsageError("-o and -d name the place twice")
    if options["output"] == STDOUT and sys.__stdout__ is None:
        raise UsageRefused("standard output is closed")
    _check_place(options["output"], directory)
    return GetOptions(urls=urls, directory=directory or Path(), resume=not options.pop("anew"), **options)


def _check_place(output: Path | None, directory: Path | None) -> None:
    """Raise `_NoPlace` when nothing can be saved there. It is told once, and before anybody is asked."""
    if output is not None:
        _check_output(output)
    if directory is not None:
        _check_directory(directory)


def _check_output(path: Path) -> None:
    """Raise `_NoPlace` when no file can have that name."""
    if path == STDOUT:
        return
    if os.path.isdir(path):
        raise _NoPlace(f"{path}: Is a directory: -d {shlex.quote(str(path))} saves in it")
    _check_directory(path.parent)


def _check_directory(path: Path) -> None:
    """Raise `_NoPlace` when no file can be in that folder."""
    try:
        os.stat(f"{path}/")
    except FileNotFoundError:
        raise _NoPlace(f"{path}: no such folder (mkdir -p {shlex.quote(str(path))} makes it)") from None
    except OSError as error:
        raise _NoPlace(f"{path}: {error.strerror}") from None


_PATH: Final = click.Path(path_type=Path, readable=False)  # what is to be replaced need not be
_SOME: Final = click.IntRange(1, _MOST)
_SECONDS: Final = reading(read_seconds)
_RATES: Final = reading(_read_rate)
_FIELDS: Final = reading_each(_read_field)
_FIELD_HELP: Final = "Send a field, like 'Authorization: Bearer …'; repeatable."
_EPILOG: Final = (
    "Exit codes: 1 other, 2 usage, 3 file, 4 network, 5 TLS, 6 authentication, 7 protocol, 8 the server's status, "
    "9 digest, 130 and 143 signals; of several URLs, that of the first that failed."
)


def _option(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, **{"show_default": True, **attributes})


@click.command(epilog=_EPILOG)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@_option("--output", "-o", metavar="PATH", type=_PATH, help="Save as PATH; - is standard output.")
@_option("--directory", "-d", metavar="DIR", type=_PATH, help="Save in DIR, under the server's name.")
@_option("--connections", "-x", metavar="N", type=_SOME, default=4, help="Connections for each file.")
@_option("--checksum", metavar="ALGO:HEX", help="What the file must be: sha256:… or sha512:…")
@_option("--retries", metavar="N", type=click.IntRange(0), default=5, help="Tries again that bring nothing new.")
@_option("--timeout", metavar="SECONDS", callback=_SECONDS, help="How long each file may take in all.")
@_option("--stall-timeout", metavar="SECONDS", default="30", callback=_SECONDS, help="How long nothing may come.")
@_option("--limit-rate", metavar="RATE", callback=_RATES, help="Bytes per second: 500K, 2M, 1.5G; K is 1024.")
@_option("--header", "-H", metavar="'NAME: VALUE'", multiple=True, callback=_FIELDS, help=_FIELD_HELP)
@_option("--insecure-redirects", is_flag=True, help="Follow redirects from https to http.")
@_option("--input-file", metavar="FILE", type=_PATH, help="Read URLs, one a line; - is standard input.")
@_option("--jobs", metavar="N", type=_SOME, default=4, help="Files at the same time.")
@_option("--overwrite", is_flag=True, help="Replace a file of the server's name; else 'name (1)'.")
@_option("--no-resume", "anew", is_flag=True, help="Begin again, whatever is there.")
@_option("--json", "as_json", is_flag=True, help="Tell everything in JSON on standard error, an object a line.")
@_option("--quiet", "-q", is_flag=True, help="Tell nothing but what went wrong.")
def get(**options: Any) -> int:
    """Download each URL: resuming, over several connections, and whole or not at all.

    The same command again goes on where it ended, or says that the file is complete. Everything is told on standard
    error. When one file cannot be had the others still are. A URL may hold a user and a password:
    http://user:password@host/path.
    """
    try:
        order = _all(options)
        return _loaded()(order)
    except KeyboardInterrupt:  # before there is anything to resume
        print_error("interrupted")
        return INTERRUPTED


def _loaded() -> Callable[[GetOptions], int]:
    """Load what downloads, and no more: to load takes a third of a second, in which 300 MB could have come."""
    # httpx has a command of its own, whose modules take a third of the time to load. httpx works without it: its import
    # may fail, as it does where those modules are not installed. None makes it fail.
    blocked = sys.modules.setdefault("httpx._main", None) is None  # type: ignore[arg-type]
    gc.disable()  # there is no garbage among what is loaded, and all of it stays
    try:
        from .get_files import run
    finally:
        if blocked:
            sys.modules.pop("httpx._main", None)  # other code of this process can import it again
        gc.freeze()
        gc.enable()
    return run
