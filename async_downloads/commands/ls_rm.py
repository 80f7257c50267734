"""`async-downloads ls` and `rm`: list and remove the files of a database."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import click

from ..errors import NotFound
from ..semantics.dates import rfc3339
from ..sources.database.catalogue import Catalogue, Identifier, StoredFile
from .bucket import list_bucket, remove_from_bucket
from .database import FILES, IDS, Bucket, Database, run_each

__all__ = ["ls", "rm"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each file, one per line.")
@FILES
@IDS
def ls(as_json: bool, database: Database, ids: Identifier) -> int:
    """List the files in a database or in a bucket.

    The command prints one line for each file, sorted by name: id, size in bytes, media type, time (UTC), name. The
    lines of a bucket have no id and no media type.
    """
    if isinstance(database, Bucket):
        return database.run(partial(list_bucket, as_json=as_json))
    return database.run(partial(_list, as_json=as_json, ids=ids))


async def _list(catalogue: Catalogue, *, as_json: bool, ids: Identifier) -> int:
    files = await catalogue.files()
    for line in _objects(files, ids) if as_json else _table(files, ids):
        click.echo(line)
    return 0


def _objects(files: Sequence[StoredFile], ids: Identifier) -> Iterator[str]:
    for file in files:
        yield json.dumps(
            {
                "id": file.public(ids),
                "name": file.name,
                "size": file.size,
                "media_type": file.media_type,
                "created": rfc3339(file.created),
                "sha256": file.sha256.hex(),
            }
        )


def _table(files: Sequence[StoredFile], ids: Identifier) -> Iterator[str]:
    rows = [(file.public(ids), str(file.size), file.media_type, rfc3339(file.created), file.name) for file in files]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for public, size, media_type, created, name in rows:
        yield f"{public:<{widths[0]}}  {size:>{widths[1]}}  {media_type:<{widths[2]}}  {created}  {name}"


@click.command(short_help="Remove files from a database or from a bucket.")
@click.argument("public", nargs=-1, metavar="[ID]...")
@click.option("--name", "names", metavar="NAME", multiple=True, help="Remove the file of this name; repeatable.")
@FILES
@IDS
@click.pass_context
def rm(
    context: click.Context, /, public: tuple[str, ...], names: tuple[str, ...], database: Database, ids: Identifier
) -> int:
    """Remove files from a database, by ID or by name, or from a bucket by name."""
    if not public and not names:
        raise click.UsageError("no file is given: give an id, or a name with --name", context)
    if isinstance(database, Bucket):
        return database.run(partial(remove_from_bucket, names=(*public, *names)))
    return database.run(partial(_remove, public=public, names=names, ids=ids))


async def _remove(catalogue: Catalogue, *, public: Sequence[str], names: Sequence[str], ids: Identifier) -> int:
    """Remove the files, print an error for each that is missing, and return the exit code."""
    by_id = [
        (partial(catalogue.remove_id, each, ids), f"with the id {each!r} (--name removes a file by its name)")
        for each in public
    ]
    by_name = [(partial(catalogue.remove, name), repr(name)) for name in names]

    async def remove(item: tuple[Callable[[], Awaitable[None]], str]) -> None:
        remove_file, description = item
        try:
            await remove_file()
        except NotFound:
            raise click.ClickException(f"there is no file {description}") from None

    return await run_each([*by_id, *by_name], remove)
