"""`async-downloads serve` and `demo`: read the settings, then run the server."""

import os
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from ..config import PREFIX, ServerSettings, Settings, table
from .messages import CannotRun
from .options import FOLDER
from .server_options import BIND, PORT, PROCESS, config_option, need, server_settings, setting_options

__all__ = ["demo", "serve"]


_SITE: Final = [row for row in table(Settings) if row.name != "directory"]  # which is an argument


@click.command()
@click.argument("directory", type=FOLDER, default=".", envvar=f"{PREFIX}DIRECTORY")
@setting_options([BIND, PORT, *_SITE, *PROCESS])
@config_option
@click.pass_context
def serve(context: click.Context, /, **values: Any) -> int:
    """Serve the files below DIRECTORY.

    The default is the current folder. Each folder has a page that lists its files.
    """
    return _run(
        _settings(values),
        server_settings(context, values),
        lambda urls: click.echo(f"Serving {values['directory']} on {', '.join(urls)} (Ctrl-C ends)"),
    )


@click.command()
@setting_options([BIND, PORT])
@click.pass_context
def demo(context: click.Context, /, **values: Any) -> int:
    """Serve sample data on every route, from a temporary folder."""
    need("fpdf", "the demo needs fpdf2", extra="demo")
    from ..server.listen import hold_signals

    hold_signals()
    from ..site.samples import make_samples, samples

    def announce(urls: Sequence[str]) -> None:
        base = _for_curl(urls[0])
        for sample in samples():
            click.echo(f"curl {sample.options} {base}{sample.path}  # {sample.description}")
        click.echo(f"Serving sample data on {', '.join(urls)} (Ctrl-C ends)")

    with tempfile.TemporaryDirectory(prefix="async-downloads-") as folder:
        return _run(make_samples(Path(folder)), server_settings(context, values), announce)


def _for_curl(url: str) -> str:
    """Return the arguments of curl for a server's URL; a path follows them directly."""
    if url.startswith("unix:"):
        return f"--unix-socket {shlex.quote(url.removeprefix('unix:'))} http://localhost"
    return url.rstrip("/")


def _settings(values: Mapping[str, Any]) -> Settings:
    if values["pdf_examples"]:
        need("fpdf", "--pdf-examples needs fpdf2", extra="demo")
    return Settings(**{row.name: values[row.name] for row in table(Settings)})


def _run(settings: Settings, server: ServerSettings, announce: Callable[[Sequence[str]], None]) -> int:
    from ..server.listen import CannotServe, run

    if settings.directory and not os.access(settings.directory, os.R_OK | os.X_OK):
        raise CannotRun(f"{settings.directory} cannot be read")
    try:
        return run(settings, server, announce)
    except CannotServe as error:
        raise CannotRun(str(error)) from error
