"""`async-downloads db`: create the tables, free old bytes, check every file."""

import sys
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final

import click

from ..sources.database.catalogue import Catalogue, Corruption
from .database import DATABASE, Database
from .progress import progress

__all__ = ["db"]


_DAY_SECONDS: Final = 24 * 60 * 60
_MAX_GRACE_SECONDS: Final = 1_000_000_000  # every database can subtract that from the current time


@click.group(no_args_is_help=False)
def db() -> None:
    """Maintain a database that holds files."""


@db.command()
@click.option(
    "--blobs",
    metavar="URL",
    help="Keep the bytes of the files in a bucket: s3://bucket/prefix, gs://…, az://… or file:///path. A new database"
    " needs it once; the database then knows it.",
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
    type=click.IntRange(0, _MAX_GRACE_SECONDS),
    default=_DAY_SECONDS,
    show_default=True,
    help="Keep replaced and removed files for this time, so that downloads of them can finish. "
    "An upload that pauses longer fails.",
)
@DATABASE
def gc(grace: int, database: Database) -> int:
    """Free the bytes of replaced and removed files.

    The bytes of uploads that stopped before their end are freed, too, and objects of ours in a bucket that no file has.
    """
    return database.run(partial(_gc, grace=grace))


async def _gc(catalogue: Catalogue, *, grace: int) -> int:
    click.echo(f"{await catalogue.gc(grace)} bytes freed")
    return 0


@db.command()
@DATABASE
def check(database: Database) -> int:
    """Read every file and print each damaged one. The exit code is 1 if there are any."""
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
