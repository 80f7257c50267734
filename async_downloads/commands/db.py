"""`async-downloads db`: create the tables, free old bytes, check every file."""

import sys
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final

import click

from ..sources.database.catalogue import Catalogue, Corruption
from .database import DATABASE, Database
from .options import WholeNumber
from .progress import progress

__all__ = ["db"]


_DAY_SECONDS: Final = 24 * 60 * 60
_MAX_GRACE_SECONDS: Final = 1_000_000_000  # every database can subtract this from the current time


@click.group(no_args_is_help=False)
def db() -> None:
    """Maintain a database that holds files."""


@db.command()
@click.option(
    "--blobs",
    metavar="URL",
    help="Keep the bytes of the files in a bucket: s3://bucket/prefix, gs://…, az://… or file:///path. Give this URL"
    " only when you create the database: the database stores the URL.",
)
@DATABASE
def init(blobs: str | None, database: Database) -> int:
    """Create the tables that are missing."""
    return replace(database, blobs=blobs).run(_init)


async def _init(catalogue: Catalogue) -> int:
    await catalogue.init()
    return 0


@db.command()
@click.option(
    "--grace",
    metavar="SECONDS",
    type=WholeNumber(0, _MAX_GRACE_SECONDS),
    default=_DAY_SECONDS,
    show_default=True,
    help="Keep replaced and removed files for this time, so that clients can finish their downloads of them. "
    "An upload that pauses longer than this fails.",
)
@DATABASE
def gc(grace: int, database: Database) -> int:
    """Free the bytes of replaced and removed files.

    The command also frees the bytes of uploads that did not finish. If the bytes are in a bucket, it deletes the
    objects that this program made there and that belong to no file.
    """
    return database.run(partial(_gc, grace=grace))


async def _gc(catalogue: Catalogue, *, grace: int) -> int:
    click.echo(f"{await catalogue.gc(grace)} bytes freed")
    return 0


@db.command()
@DATABASE
def check(database: Database) -> int:
    """Read every file and print each damaged one. The exit code is 1 if a file is damaged."""
    return database.run(_check)


async def _check(catalogue: Catalogue) -> int:
    files = await catalogue.files()
    damaged = 0
    with progress("checking", sum(file.size for file in files)) as report:
        async with aclosing(catalogue.check()) as results:
            async for result in results:
                report(result.file.size if isinstance(result, Corruption) else result.size)
                if isinstance(result, Corruption):
                    damaged += 1
                    sys.stdout.write(
                        f"{result.file.name}: {result.message}\n"
                    )  # click.echo would bypass the bar's redirection
                    sys.stdout.flush()
    return 1 if damaged else 0
