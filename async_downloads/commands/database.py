"""The database of a command: its options, opening it, and its errors."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from io import TextIOWrapper
from typing import Any, Final, TypeVar, get_args

import click

from ..config import DATABASE_VARIABLES, PREFIX
from ..errors import DownloadError
from ..sources.database.catalogue import Identifier
from ..sources.database.urls import open_catalogue
from ..sources.object_urls import check_object_url, is_object_url
from .messages import INTERRUPTED, CannotRun, print_error
from .options import SecretOption
from .redaction import redacted

__all__ = ["DATABASE", "FILES", "IDS", "Bucket", "Database", "run_each"]


T = TypeVar("T")
_SET_VARIABLE: Final = f"or set {DATABASE_VARIABLES[0]}"
_NO_DATABASE: Final = f"no database is given: use --database sqlite:///files.db (or postgresql://…) {_SET_VARIABLE}"
_NO_FILES: Final = (
    "no database or bucket is given: use --database sqlite:///files.db (or postgresql://…), --bucket s3://bucket "
    f"{_SET_VARIABLE}"
)
_ADDRESS: Final = (
    "a bucket is named by s3://bucket/prefix: use that, and set AWS_ENDPOINT_URL to the address of its server"
)


@dataclass(frozen=True, slots=True)
class Database:
    """The database that the user named."""

    url: str = field(repr=False)
    blobs: str | None = None  # the URL of the bucket in which a new database keeps the bytes

    def run(self, work: Callable[[Any], Coroutine[Any, Any, int]]) -> int:
        """Run `work` with the catalogue; return its exit code. Raises ClickException if the database fails."""
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # the terminal may lack a letter of a name
        try:
            return asyncio.run(self._run(work))
        except KeyboardInterrupt:
            print_error("interrupted")
            return INTERRUPTED

    def _open(self) -> Any:
        return open_catalogue(self.url, blobs=self.blobs)

    async def _run(self, work: Callable[[Any], Coroutine[Any, Any, int]]) -> int:
        try:
            opened = self._open()
        except ValueError as error:
            raise CannotRun(redacted(error)) from None
        try:
            async with aclosing(opened) as catalogue:
                return await work(catalogue)
        except DownloadError as error:
            raise click.ClickException(redacted(error)) from error


class Bucket(Database):
    """The bucket that the user named, in the place of a database."""

    __slots__ = ()

    def _open(self) -> Any:
        check_object_url(self.url)
        from ..sources.object_storage.writing import BucketFiles

        return BucketFiles.from_url(self.url)


async def run_each(items: Iterable[T], do: Callable[[T], Awaitable[None]]) -> int:
    """Call `do` with each item, print the error of each item that fails, and return the highest exit code."""
    worst = 0
    for item in items:
        try:
            await do(item)
        except click.ClickException as error:
            print_error(error.format_message())
            worst = max(worst, error.exit_code)
    return worst


def _read_database(context: click.Context, _: click.Parameter, url: str | None) -> Database:
    if not url:
        raise click.UsageError(_NO_DATABASE, context)
    return Database(url)


def _read_files(context: click.Context, _: click.Parameter, url: str | None) -> Database:
    if not url:
        raise click.UsageError(_NO_FILES, context)
    if url.startswith(("http://", "https://")):
        raise click.UsageError(_ADDRESS, context)
    return Bucket(url) if is_object_url(url) else Database(url)


_url_option: Final = partial(click.option, cls=SecretOption, metavar="URL", envvar=DATABASE_VARIABLES, show_envvar=True)
FILES: Final = _url_option(
    "--database",
    "--bucket",
    "database",
    callback=_read_files,
    help="sqlite:///relative.db, sqlite:////absolute.db, postgresql://… or s3://bucket/prefix",
)
DATABASE: Final = _url_option(
    "--database",
    callback=_read_database,
    help="sqlite:///relative.db, sqlite:////absolute.db or postgresql://…",
)
IDS: Final = click.option(
    "--ids",
    type=click.Choice(get_args(Identifier)),
    default="token",
    envvar=f"{PREFIX}FILE_IDS",
    show_envvar=True,
    show_default=True,
    help="The kind of id to print and to accept.",
)
