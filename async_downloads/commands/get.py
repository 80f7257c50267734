"""`async-downloads get`: files from servers, whole or not at all."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from ..config import read_seconds
from .database import INTERRUPTED, Refused, complain
from .options import reading, reading_each
from .reading import STDIN

__all__ = ["STDOUT", "Order", "get"]

F = TypeVar("F", bound=Callable[..., Any])

STDOUT: Final = Path("-")
_MOST: Final = 64  # connections for one file, and files at once: what a polite client never needs
_RATE: Final = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)(?P<unit>[KMG]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_FIELD: Final = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>(?:[!-~][\t -~]*)?)")
_OURS: Final = {"accept-encoding", "if-range", "range", "want-repr-digest"}  # with others the file would be a mixture


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the user wants: the options by their names."""

    urls: tuple[str, ...] = field(repr=False)
    output: Path | None
    directory: Path
    connections: int
    checksum: str | None
    retries: int
    timeout: float | None
    stall_timeout: float
    limit_rate: int | None
    header: tuple[tuple[str, str], ...] = field(repr=False)
    insecure_redirects: bool
    jobs: int
    overwrite: bool
    resume: bool
    as_json: bool
    quiet: bool


def _read_rate(value: str) -> int:
    """Return the bytes per second that a text like `500K` or `1.5M` means; the units are those of curl and wget.

    >>> _read_rate("2M"), _read_rate("0.5k")
    (2097152, 512)
    """
    found = _RATE.fullmatch(value)
    rate = int(float(found["number"]) * _UNITS[found["unit"].upper()]) if found else 0
    if rate < 1:
        raise ValueError(f"{value!r} is no number of bytes per second: expected one like 500K or 1.5M")
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
    """Return the URLs in a file, or in standard input for `-`: one in a line, which may be empty or a comment."""
    what = "standard input" if path == STDIN else repr(str(path))
    if path == STDIN and sys.__stdin__ is None:
        raise Refused("cannot read standard input: it is closed")
    try:
        with open(0 if path == STDIN else path, encoding="utf-8-sig", closefd=path != STDIN) as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise Refused(f"cannot read {what}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"cannot read {what}: it is no text in UTF-8") from error
    return tuple(line for line in lines if line and not line.startswith("#"))


def _all(options: dict[str, Any]) -> Order:
    """Put the options together. `UsageError` when they are not about the same thing."""
    given, listed, directory = options.pop("urls"), options.pop("input_file"), options.pop("directory")
    urls = tuple(dict.fromkeys([*given, *(_listed(listed) if listed else ())]))  # once each: they share a target
    if not urls:
        raise click.UsageError("the input has no URL" if listed else "no URL is given")
    for name, value in (("-o", options["output"]), ("--checksum", options["checksum"])):
        if value is not None and len(urls) > 1:
            raise click.UsageError(f"{name} is for one URL")
    if options["output"] is not None and directory is not None:
        raise click.UsageError("-o and -d name the place twice")
    if options["output"] == STDOUT and sys.__stdout__ is None:
        raise Refused("standard output is closed")
    return Order(urls=urls, directory=directory or Path(), resume=not options.pop("anew"), **options)


_PATH: Final = click.Path(path_type=Path, readable=False)  # what is to be replaced need not be
_SOME: Final = click.IntRange(1, _MOST)
_SECONDS: Final = reading(read_seconds)
_FIELDS: Final = reading_each(_read_field)


def _option(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, **{"show_default": True, **attributes})


@click.command()
@click.argument("urls", nargs=-1, metavar="URL...")
@_option("--output", "-o", metavar="PATH", type=_PATH, help="Save as PATH; - is standard output.")
@_option("--directory", "-d", metavar="DIR", type=_PATH, help="Save in DIR, under the server's name.")
@_option("--connections", "-x", metavar="N", type=_SOME, default=4, help="Connections for each file.")
@_option("--checksum", metavar="ALGO:HEX", help="What the file must be: sha256:… or sha512:…")
@_option("--retries", metavar="N", type=click.IntRange(0), default=5, help="Tries again that bring nothing new.")
@_option("--timeout", metavar="SECONDS", callback=_SECONDS, help="How long each file may take in all.")
@_option("--stall-timeout", metavar="SECONDS", default="30", callback=_SECONDS, help="How long nothing may come.")
@_option("--limit-rate", metavar="RATE", callback=reading(_read_rate), help="Bytes per second: 500K, 2M, 1.5G.")
@_option("--header", "-H", metavar="'NAME: VALUE'", multiple=True, callback=_FIELDS, help="Send a field; repeatable.")
@_option("--insecure-redirects", is_flag=True, help="Follow redirects from https to http.")
@_option("--input-file", metavar="FILE", type=_PATH, help="Read URLs, one a line; - is standard input.")
@_option("--jobs", metavar="N", type=_SOME, default=4, help="Files at the same time.")
@_option("--overwrite", is_flag=True, help="Replace a file of the server's name; else 'name (1)'.")
@_option("--no-resume", "anew", is_flag=True, help="Begin again, whatever is there.")
@_option("--json", "as_json", is_flag=True, help="Tell everything in JSON, an object a line.")
@_option("--quiet", "-q", is_flag=True, help="Tell nothing but what went wrong.")
def get(**options: Any) -> int:
    """Download each URL: resuming, over several connections, and whole or not at all.

    The same command again goes on where it ended, or says that the file is complete. Everything is told on standard
    error. When one file cannot be had the others still are.
    """
    try:
        order = _all(options)
        from .downloading import run

        return run(order)
    except KeyboardInterrupt:  # before there is anything to resume, or for the second time
        complain("interrupted")
        return INTERRUPTED
