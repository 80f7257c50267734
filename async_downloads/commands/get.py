"""`async-downloads get`: read and check the options, then load the client and download."""

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
from .messages import INTERRUPTED, CannotRun, print_error
from .options import STDIN, parse_each_with, parse_with

__all__ = ["get"]


F = TypeVar("F", bound=Callable[..., Any])
_MAX_COUNT: Final = 64  # connections for one file, and files at once: more would be impolite
_RATE: Final = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)(?P<unit>[KMG]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_FIELD: Final = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>(?:[!-~][\t -~]*)?)")
_RESERVED: Final = {
    "accept-encoding",
    "content-length",
    "if-range",
    "range",
    "transfer-encoding",
    "want-repr-digest",
}  # the download sets them itself; other values would mix two versions of a file


class _CannotSave(click.ClickException):
    """No file can be saved there, so no request is sent."""

    exit_code = 3


def _read_rate(value: str) -> int:
    """Return the bytes per second of a text like `500K` or `1.5M`, with the units of curl and wget.

    >>> _read_rate("2M"), _read_rate("0.5k")
    (2097152, 512)
    """
    found = _RATE.fullmatch(value)
    rate = int(float(found["number"]) * _UNITS[found["unit"].upper()]) if found else 0
    if rate < 1:
        raise ValueError(f"{value!r} is not a rate: say 500K, 2M or 1.5G")
    return rate


def _read_field(value: str) -> tuple[str, str]:
    """Return name and value of a header field. The message does not show the text: it may hold a password."""
    found = _FIELD.fullmatch(value)
    if not found:
        raise ValueError("expected 'Name: value' in printable ASCII")
    if found["name"].lower() in _RESERVED:
        raise ValueError(f"{found['name']} is set by the download itself")
    return found["name"], found["value"].rstrip()


def _read_urls(path: Path) -> tuple[str, ...]:
    """Return the URLs of a file, or of standard input for `-`."""
    name = "standard input" if path == STDIN else repr(str(path))
    if path == STDIN and sys.__stdin__ is None:
        raise CannotRun("cannot read standard input: it is closed")
    try:
        with open(0 if path == STDIN else path, encoding="utf-8-sig", closefd=path != STDIN) as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise CannotRun(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CannotRun(f"cannot read {name}: it is not text in UTF-8") from error
    return tuple(_urls(lines, name))


def _urls(lines: Iterable[str], name: str) -> Iterator[str]:
    """Yield the URL of each line; a line may also be empty, or a comment that starts with #."""
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        if len(line.split()) > 1:
            raise CannotRun(f"line {number} of {name} is not a URL")
        yield line


def _read_options(options: dict[str, Any]) -> GetOptions:
    """Check the options against each other. Raises UsageError, CannotRun or `_CannotSave`."""
    given, listed, directory = options.pop("urls"), options.pop("input_file"), options.pop("directory")
    urls = tuple(dict.fromkeys([*given, *(_read_urls(listed) if listed else ())]))  # each once: one part file
    if not urls:
        raise click.UsageError("the input has no URL" if listed else "no URL is given")
    for name, value in (("-o", options["output"]), ("--checksum", options["checksum"])):
        if value is not None and len(urls) > 1:
            raise click.UsageError(f"{name} is for one URL")
    if options["output"] is not None and directory is not None:
        raise click.UsageError("-o and -d both say where to save")
    if options["output"] == STDOUT and sys.__stdout__ is None:
        raise CannotRun("standard output is closed")
    _check_place(options["output"], directory)
    return GetOptions(urls=urls, directory=directory or Path(), resume=not options.pop("restart"), **options)


def _check_place(output: Path | None, directory: Path | None) -> None:
    """Raise `_CannotSave`, before any request, if no file can be saved there."""
    if output is not None:
        _check_output(output)
    if directory is not None:
        _check_directory(directory)


def _check_output(path: Path) -> None:
    """Raise `_CannotSave` if no file can have that name."""
    if path == STDOUT:
        return
    if os.path.isdir(path):
        raise _CannotSave(f"{path}: Is a directory: -d {shlex.quote(str(path))} saves in it")
    _check_directory(path.parent)


def _check_directory(path: Path) -> None:
    """Raise `_CannotSave` if no file can be in that folder."""
    try:
        os.stat(f"{path}/")
    except FileNotFoundError:
        raise _CannotSave(f"{path}: no such folder (mkdir -p {shlex.quote(str(path))} makes it)") from None
    except OSError as error:
        raise _CannotSave(f"{path}: {error.strerror}") from None


_PATH: Final = click.Path(path_type=Path, readable=False)  # a file that will be replaced need not be readable
_COUNT: Final = click.IntRange(1, _MAX_COUNT)
_SECONDS: Final = parse_with(read_seconds)
_RATES: Final = parse_with(_read_rate)
_FIELDS: Final = parse_each_with(_read_field)
_FIELD_HELP: Final = "Send this header field, such as 'Authorization: Bearer …'; repeatable."
_EPILOG: Final = (
    "Exit codes: 1 other, 2 usage, 3 file, 4 network, 5 TLS, 6 authentication, 7 protocol, 8 HTTP status, "
    "9 digest, 130 and 143 signals. With several URLs: the code of the first one that failed."
)


def _option(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, **{"show_default": True, **attributes})


@click.command(epilog=_EPILOG)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@_option("--output", "-o", metavar="PATH", type=_PATH, help="Save as PATH; - is standard output.")
@_option("--directory", "-d", metavar="DIR", type=_PATH, help="Save in DIR, with the name that the server gives.")
@_option("--connections", "-x", metavar="N", type=_COUNT, default=4, help="Connections per file.")
@_option("--checksum", metavar="ALGO:HEX", help="Expected digest: sha256:… or sha512:…")
@_option("--retries", metavar="N", type=click.IntRange(0), default=5, help="Give up after N retries without progress.")
@_option("--timeout", metavar="SECONDS", callback=_SECONDS, help="Limit for each file, from start to end.")
@_option("--stall-timeout", metavar="SECONDS", default="30", callback=_SECONDS, help="Reconnect after such a pause.")
@_option("--limit-rate", metavar="RATE", callback=_RATES, help="Bytes per second: 500K, 2M, 1.5G; K is 1024.")
@_option("--header", "-H", metavar="'NAME: VALUE'", multiple=True, callback=_FIELDS, help=_FIELD_HELP)
@_option("--insecure-redirects", is_flag=True, help="Follow redirects from https to http.")
@_option("--input-file", metavar="FILE", type=_PATH, help="Read URLs from FILE, one a line; - is standard input.")
@_option("--jobs", metavar="N", type=_COUNT, default=4, help="Download N files at the same time.")
@_option("--overwrite", is_flag=True, help="Replace a file of that name. Default: save as 'name (1)'.")
@_option("--no-resume", "restart", is_flag=True, help="Start again; use no part of an earlier run.")
@_option("--json", "as_json", is_flag=True, help="Print JSON objects to standard error, one a line.")
@_option("--quiet", "-q", is_flag=True, help="Print errors only.")
def get(**options: Any) -> int:
    """Download each URL over several connections. A file appears under its name only when it is complete.

    Run the same command again to continue an interrupted download. All messages go to standard error. If one file
    fails the others are still downloaded. A URL may contain user and password: http://user:password@host/path.
    """
    try:
        return _load()(_read_options(options))
    except KeyboardInterrupt:  # before the first request, so there is nothing to resume
        print_error("interrupted")
        return INTERRUPTED


def _load() -> Callable[[GetOptions], int]:
    """Import the client, and no more: the import takes a third of a second, enough to download 300 MB."""
    # httpx has a command of its own, whose modules take a third of the time to load. httpx works without it: its import
    # may fail, as it does where those modules are not installed. None makes it fail.
    blocked = sys.modules.setdefault("httpx._main", None) is None  # type: ignore[arg-type]
    gc.disable()  # imported modules are not garbage, and all of them stay
    try:
        from .get_files import run
    finally:
        if blocked:
            sys.modules.pop("httpx._main", None)  # other code of this process can import it again
        gc.freeze()
        gc.enable()
    return run
