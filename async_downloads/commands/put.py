"""`async-downloads put`: store files from the disk or from standard input in a database or a bucket."""

import re
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import click

from ..errors import AlreadyThere, DownloadError
from ..semantics.tokens import TOKEN
from ..sources.database.catalogue import Catalogue, Identifier, StoredFile, is_valid_name
from .database import FILES, IDS, Database, run_each
from .inputs import Input, open_input
from .messages import CannotRun
from .options import STDIN
from .progress import progress
from .redaction import redacted

if TYPE_CHECKING:  # it needs obstore
    from ..sources.object_storage.writing import BucketFiles, StoredObject

__all__ = ["put"]


_PARAMETER: Final = rf'[ \t]*;[ \t]*{TOKEN}=(?:{TOKEN}|"[\t !#-\[\]-~]*")'
_MEDIA_TYPE: Final = re.compile(rf"{TOKEN}/{TOKEN}(?:{_PARAMETER})*")  # RFC 9110, section 8.3.1


def _read_media_type(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _MEDIA_TYPE.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a media type, such as text/plain", context, parameter)
    return value


@dataclass(frozen=True, slots=True)
class _Upload:
    """The options of one command. `name` is the name of the only file; if it is None, each file keeps its name."""

    name: str | None
    media_type: str | None
    replace: bool
    ids: Identifier

    async def put_all(self, paths: tuple[Path, ...], catalogue: "Catalogue | BucketFiles") -> int:
        """Store one file after the other; return the exit code."""
        return await run_each(paths, partial(self._put, catalogue))

    async def _put(self, catalogue: "Catalogue | BucketFiles", path: Path) -> None:
        async with open_input(path) as source:
            name = path.name if self.name is None else self.name
            if not is_valid_name(name):
                raise CannotRun(f"{name!r} cannot be the name of a stored file: use --name to give another name")
            stored = await self._store(catalogue, source, name)
        click.echo(self._shown(stored))

    def _shown(self, stored: "StoredFile | StoredObject") -> str:
        if isinstance(stored, StoredFile):
            public = stored.public(self.ids)
            return f"{public}\t/files/download/{public}"
        return f"{stored.name}\t/{quote(stored.name)}"

    async def _store(
        self, catalogue: "Catalogue | BucketFiles", source: Input, name: str
    ) -> "StoredFile | StoredObject":
        try:
            with progress(name, source.size) as report:
                async with aclosing(source.chunks(report)) as data:
                    return await catalogue.put(name, data, media_type=self.media_type, replace=self.replace)
        except AlreadyThere:
            raise click.ClickException(f"there is already a file {name!r}: use --replace to replace it") from None
        except DownloadError as error:
            if not source.begun:  # the database fails, not this file: the other files would fail, too
                raise
            raise click.ClickException(f"cannot store {name!r}: {redacted(error)}") from error


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the stored file, with / between folders. Default: the file's name without its folder.",
)
@click.option(
    "--type", "media_type", metavar="TYPE", callback=_read_media_type, help="Media type. Default: that of the name."
)
@click.option("--replace", is_flag=True, help="Replace a file with the same name; its running downloads continue.")
@FILES
@IDS
@click.pass_context
def put(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    name: str | None,
    media_type: str | None,
    replace: bool,
    database: Database,
    ids: Identifier,
) -> int:
    """Store files in a database or in a bucket.

    If FILE is -, the command reads standard input. For each file, the command prints the id (for a bucket, the name)
    and the path of the file's URL. Clients see a file only when it is complete. If one file fails, the others are still
    stored.
    """
    if name is not None and len(files) > 1:
        raise click.UsageError("--name needs exactly one file", context)
    if name is None and STDIN in files:
        raise click.UsageError("standard input has no name: use --name to give one", context)
    return database.run(partial(_Upload(name, media_type, replace, ids).put_all, files))
