"""`async-downloads serve`: read the settings, then run the server."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from ..config import PREFIX, ServerSettings, Settings, table
from ..sources.object_urls import REDIRECT_NEEDS
from .announcing import announce, warn_of_missing_paths, warn_of_plain_passwords
from .help import SectionedCommand
from .messages import CannotRun
from .secret_places import check_secret_places
from .serve_help import COMMON, EPILOG, MORE
from .served_paths import PATHS
from .server_options import BIND, LAN, PORT, PROCESS, QR, config_option, need, server_settings, setting_options

__all__ = ["run_site", "serve"]


_ARGUMENTS: Final = {"directory", "paths", "objects"}  # the argument sets one of them
_SITE: Final = [row for row in table(Settings) if row.name not in _ARGUMENTS]
_MAX_NAMED: Final = 3  # the announcement names up to this number of paths


@click.command(
    short_help="Serve a folder, several files, or a bucket.",
    cls=SectionedCommand,
    common=COMMON,
    more=MORE,
    epilog=EPILOG,
)
@click.argument(
    "directory",
    metavar="[PATH]...",
    type=PATHS,
    nargs=-1,
    envvar=[f"{PREFIX}PATHS", f"{PREFIX}DIRECTORY", f"{PREFIX}OBJECTS"],
)
@setting_options([BIND, PORT, LAN, QR, *_SITE, *PROCESS])
@config_option
@click.pass_context
def serve(context: click.Context, /, directory: tuple[Path | str, ...], **values: Any) -> int:
    """Serve a folder, or several files and folders, or the objects of a bucket.

    The default is the current folder. Each folder has a page that lists its files. A single file is the page at /.
    Name a bucket by its URL: s3://bucket/prefix, gs://bucket or az://container.
    """
    settings = _settings(directory or (Path(),), values)
    if settings.offload and not settings.directory:
        raise CannotRun("--offload needs exactly one folder")
    server = server_settings(context, values)
    check_secret_places(context, settings, server)

    def announce_site(urls: Sequence[str]) -> None:
        announce(_shown(settings), urls, qr=values["qr"])
        if settings.auth or settings.auth_file:
            warn_of_plain_passwords(urls)
        warn_of_missing_paths(settings)

    return run_site(settings, server, announce_site)


def _settings(named_places: tuple[Path | str, ...], values: Mapping[str, Any]) -> Settings:
    from ..sources.paths import named

    if values["pdf_examples"]:
        need("fpdf", "--pdf-examples needs fpdf2", extra="demo")
    given = {row.name: values[row.name] for row in _SITE}
    if urls := [path for path in named_places if isinstance(path, str)]:
        if len(named_places) > 1:
            raise CannotRun(f"{urls[0]} cannot be served together with other paths")
        _check_bucket(urls[0], redirects=values["redirect"] is not None)
        return Settings(objects=urls[0], **given)
    if values["redirect"] and not values["database"]:
        raise CannotRun(f"--redirect needs {REDIRECT_NEEDS}")
    paths = _each_once(path for path in named_places if isinstance(path, Path))
    if len(paths) == 1 and paths[0].is_dir():
        return Settings(directory=paths[0], **given)
    try:
        named(paths, hidden=values["hidden"])
    except ValueError as error:
        raise CannotRun(str(error)) from error
    return Settings(paths=paths, **given)


def _each_once(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the paths, as they were given first, without those that lead to the same place again."""
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(os.path.abspath(path), path)
    return tuple(found.values())


def _check_bucket(url: str, *, redirects: bool) -> None:
    """Raise CannotRun if the variables for a bucket are missing or wrong. This connects to no server, because the
    workers are not forked yet.
    """
    from ..sources.object_storage import ObjectStore

    try:
        store = ObjectStore.from_url(url)
    except ValueError as error:
        raise CannotRun(str(error)) from error
    if redirects and not store.signer:
        raise CannotRun(f"--redirect needs {REDIRECT_NEEDS}")


def _shown(settings: Settings) -> str:
    paths = settings.paths or (settings.objects or settings.directory,)
    return ", ".join(map(str, paths)) if len(paths) <= _MAX_NAMED else f"{len(paths):,} files and folders"


def run_site(settings: Settings, server: ServerSettings, announce: Callable[[Sequence[str]], None]) -> int:
    """Serve until a signal comes; return the exit code. `announce` gets the URLs."""
    from ..server.listen import CannotServe, run

    for path in filter(None, (settings.directory, *settings.paths)):
        if not os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK):
            raise CannotRun(f"{path} cannot be read")
        if not path.is_dir() and not path.is_file():
            raise CannotRun(f"{path} is neither a file nor a folder")
    try:
        return run(settings, server, announce)
    except CannotServe as error:
        raise CannotRun(str(error)) from error
