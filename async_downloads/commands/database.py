"""How a command gets at a database."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import Any, Final, TypeVar

import click

from ..config import DATABASE_VARIABLES, PREFIX
from ..errors import DownloadError
from ..sources.database.catalogue import Catalogue
from ..sources.database.urls import open_catalogue
from .messages import INTERRUPTED, UsageRefused, print_error, redacted

__all__ = ["DATABASE", "IDS", "Database", "run_each"]


T = TypeVar("T")
_MISSING: Final = (
    f"no database is given: say --database sqlite:///files.db (or postgresql://…) or set {DATABASE_VARIABLES[0]}"
)


@dataclass(frozen=True, slots=True)
class Database:
    """The database that the user named."""

    url: str = field(repr=False)

    def run(self, work: Callable[[Catalogue], Coroutine[Any, Any, int]]) -> int:
        """Work with its catalogue, and return the exit code. `ClickException` for what goes wrong with it."""
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a name may have a letter that a terminal lacks
        try:
            return asyncio.run(self._run(work))
        except KeyboardInterrupt:
            print_error("interrupted")
            return INTERRUPTED

    async def _run(self, work: Callable[[Catalogue], Coroutine[Any, Any, int]]) -> int:
        try:
            opened = open_catalogue(self.url)
        except ValueError as error:
            raise UsageRefused(redacted(error)) from None
        try:
            async with aclosing(opened) as catalogue:
                return await work(catalogue)
        except DownloadError as error:
            raise click.ClickException(redacted(error)) from error


async def run_each(things: Iterable[T], do: Callable[[T], Awaitable[None]]) -> int:
    """Do something with each thing, also when it went wrong with another; say so, and return the worst exit code."""
    worst = 0
    for thing in things:
        try:
            await do(thing)
        except click.ClickException as error:
            print_error(error.format_message())
            worst = max(worst, error.exit_code)
    return worst


def _named(context: click.Context, _: click.Parameter, url: str | None) -> Database:
    if not url:
        raise click.UsageError(_MISSING, context)
    return Database(url)


DATABASE: Final = click.option(
    "--database",
    metavar="URL",
    envvar=DATABASE_VARIABLES,
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
