"""How a command gets at a database, and what it says when that fails: one line, without the password."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import click

from ..config import PREFIX
from ..errors import DownloadError
from ..sources.catalogue import Catalogue
from ..sources.databases import open_catalogue

__all__ = ["DATABASE", "IDS", "Database", "Refused", "complain", "each"]

T = TypeVar("T")

_INTERRUPTED: Final = 130  # as a shell reports SIGINT
_MISSING: Final = f"no database is given: say --database sqlite:///files.db (or postgresql://…) or set {PREFIX}DATABASE"


class Refused(click.ClickException):
    """What was asked for cannot be done."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Database:
    """The database that the user named."""

    url: str = field(repr=False)

    def run(self, work: Callable[[Catalogue], Coroutine[Any, Any, int]]) -> int:
        """Work with its catalogue, and return the exit code. `ClickException` for what goes wrong with it."""
        try:
            return asyncio.run(self._run(work))
        except KeyboardInterrupt:
            complain("interrupted")
            return _INTERRUPTED

    async def _run(self, work: Callable[[Catalogue], Coroutine[Any, Any, int]]) -> int:
        try:
            opened = open_catalogue(self.url)
        except ValueError as error:
            raise Refused(self.told(error)) from None
        with self._telling():
            async with aclosing(opened) as catalogue:
                return await work(catalogue)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except DownloadError as error:
            raise click.ClickException(self.told(error)) from error

    def told(self, error: Exception) -> str:
        """Return an error's message in one line, without the URL's password."""
        text = "; ".join(filter(None, map(str.strip, str(error).splitlines())))
        for secret in _secrets(self.url):
            text = text.replace(secret, "***")
        return text


def _secrets(url: str) -> Iterator[str]:
    """Yield what must not be shown, as it stands in the URL and as it is meant; the longer one first."""
    try:
        parts = urlsplit(url)
    except ValueError:
        yield url
        return
    password = parts.password or "".join(parse_qs(parts.query).get("password", ()))
    yield from sorted(filter(None, {password, unquote(password)}), key=len, reverse=True)


def complain(message: str) -> None:
    """Say what is wrong, on standard error."""
    click.echo(f"async-downloads: {message}", err=True)


async def each(things: Iterable[T], do: Callable[[T], Awaitable[None]]) -> int:
    """Do something with each thing, also when it went wrong with another; say so, and return the worst exit code."""
    worst = 0
    for thing in things:
        try:
            await do(thing)
        except click.ClickException as error:
            complain(error.format_message())
            worst = max(worst, error.exit_code)
    return worst


def _named(context: click.Context, _: click.Parameter, url: str | None) -> Database:
    if not url:
        raise click.UsageError(_MISSING, context)
    return Database(url)


DATABASE: Final = click.option(
    "--database",
    metavar="URL",
    envvar=[f"{PREFIX}DATABASE", "DATABASE_URL"],
    show_envvar=True,
    callback=_named,
    help="sqlite:///relative.db, sqlite:////absolute.db or postgresql://…",
)
IDS: Final = click.option(
    "--ids",
    type=click.Choice(["token", "integer"]),
    default="token",
    envvar=f"{PREFIX}FILE_IDS",
    show_envvar=True,
    show_default=True,
    help="What names a file to strangers.",
)
