"""`async-downloads ls` and `rm` for a bucket. Its files have names, but no ids."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..errors import NotFound
from ..semantics.dates import rfc3339
from .database import run_each
from .redaction import printable

if TYPE_CHECKING:  # it needs obstore
    from ..sources.object_storage.writing import BucketFiles, StoredObject

__all__ = ["list_bucket", "remove_from_bucket"]


async def list_bucket(bucket: "BucketFiles", *, as_json: bool) -> int:
    """Print a line for each object, and return the exit code."""
    files = await bucket.files()
    width = max((len(str(file.size)) for file in files), default=0)
    for file in files:
        line = f"{file.size:>{width}}  {rfc3339(file.modified)}  {printable(file.name)}"
        click.echo(_object(file) if as_json else line)
    return 0


def _object(file: "StoredObject") -> str:
    return json.dumps({"name": file.name, "size": file.size, "created": rfc3339(file.modified)})


async def remove_from_bucket(bucket: "BucketFiles", *, names: Sequence[str]) -> int:
    """Remove the objects, print an error for each that is missing, and return the exit code."""

    from ..sources.object_storage.errors import UnreadableKey

    async def remove(name: str) -> None:
        try:
            await bucket.remove(name)
        except NotFound:
            raise click.ClickException(f"there is no file {name!r}") from None
        except UnreadableKey as error:
            raise click.ClickException(str(error)) from None

    return await run_each(names, remove)
