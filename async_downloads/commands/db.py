"""`async-downloads db`: a database's schema, its rubbish and its health."""

import sys
from contextlib import aclosing
from functools import partial
from typing import Final

import click

from ..sources.database.catalogue import Catalogue, Corruption
from .database import DATABASE, Database
from .progress import progress

__all__ = ["db"]


_DAY: Final = 24 * 60 * 60
_MOST: Final = 1_000_000_000  # seconds; every database can subtract that many from now


@click.group(no_args_is_help=False)
def db() -> None:
    """Look after a database that has files in it."""


@db.command()
@DATABASE
def init(database: Database) -> int:
    """Create the tables where they are not there yet."""
    return database.run(_init)


async def _init(catalogue: Catalogue) -> int:
    await catalogue.init()
    return 0


@db.command()
@click.option(
    "--grace",
    metavar="SECONDS",
    type=click.IntRange(0, _MOST),
    default=_DAY,
    show_default=True,
    help="How long downloads of a file go on that was replaced or removed, and how long an upload may take.",
)
@DATABASE
def gc(grace: int, database: Database) -> int:
    """Free the bytes of files that were replaced, removed, or never finished."""
    return database.run(partial(_gc, grace=grace))


async def _gc(catalogue: Catalogue, *, grace: int) -> int:
    click.echo(f"{await catalogue.gc(grace)} bytes freed")
    return 0


@db.command()
@DATABASE
def check(database: Database) -> int:
    """Read every file and print those that are damaged; the exit code is 1 if there are any."""
    return database.run(_check)


async def _check(catalogue: Catalogue) -> int:
    files = await catalogue.files()
    damaged = 0
    with progress("checking", sum(file.size for file in files)) as tell:
        async with aclosing(catalogue.check()) as results:
            async for result in results:
                tell(result.file.size if isinstance(result, Corruption) else result.size)
                if isinstance(result, Corruption):
                    damaged += 1
                    sys.stdout.write(f"{result.file.name}: {result.message}\n")  # click would write across the bar
                    sys.stdout.flush()
    return 1 if damaged else 0
