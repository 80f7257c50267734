"""`async-downloads serve` and `demo`: a server, and what is to be set of it."""

import os
import shlex
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from ..config import DATABASE_VARIABLES, PREFIX, ServerSettings, Settings, read_cache_control, read_seconds
from .messages import UsageRefused
from .options import Whole, reading

__all__ = ["demo", "serve"]


F = TypeVar("F", bound=Callable[..., Any])
_FOLDER: Final = click.Path(exists=True, file_okay=False, readable=True, path_type=Path)
_FILE: Final = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


def _option(name: str, *short: str, **attributes: Any) -> Callable[[F], F]:
    """Declare an option that the environment can set, too."""
    variable = PREFIX + name.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    shown: dict[str, Any] = {"envvar": variable, "show_envvar": True, "show_default": True}
    return click.option(name, *short, **{**shown, **attributes})


def _seconds(name: str, *, at_once: bool = False, **attributes: Any) -> Callable[[F], F]:
    return _option(name, metavar="SECONDS", callback=reading(partial(read_seconds, at_once=at_once)), **attributes)


def _all(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Apply decorators as if they stood in this order above the function."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _read_config(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Take defaults from a TOML file, whose keys are the names of the long flags."""
    if path is None:
        return
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageRefused(f"{path}: {error}") from error
    context.default_map = {}
    known = {parameter.name: parameter for parameter in context.command.params if parameter.name != "config"}
    for key, value in found.items():
        parameter = known.get(key.replace("-", "_"))
        if parameter is None or parameter.name is None:
            raise UsageRefused(f"{path}: unknown setting {key!r}")
        context.default_map[parameter.name] = _default(parameter, value, where=f"{path}: {key}")


def _default(parameter: click.Parameter, value: object, *, where: str) -> object:
    """Return a value of the file as click takes it."""
    if not (isinstance(parameter, click.Option) and parameter.multiple):
        return str(value) if isinstance(value, float) else value  # whole numbers are not read from nan, inf or 2.5
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str) for each in values):
        raise UsageRefused(f"{where} must be text in quotes, or a list of such")
    return values


_ADDRESS: Final = _all(
    _option(
        "--bind", "-b", multiple=True, default=["127.0.0.1:8000"], help="host:port, unix:path or fd://n; repeatable."
    ),
    _option("--port", "-p", type=Whole(0, 65535), metavar="PORT", help="The same as --bind 127.0.0.1:PORT."),
)
_SITE: Final = _all(
    _option("--hidden/--no-hidden", help="Serve names that begin with a dot."),
    _option("--follow-symlinks/--no-follow-symlinks", help="Follow links out of the directory."),
    _option("--attachment/--no-attachment", help="Offer every file for saving; ?inline shows it."),
    _option(
        "--cache-control",
        callback=reading(read_cache_control),
        default="no-cache",
        help="Cache-Control of every file; 'none' for none.",
    ),
    _seconds("--stall-timeout", default="60", help="Drop a client that takes nothing for that long."),
    _option("--download-file", type=_FILE, help="The file at /download."),
    _option("--download-images", type=_FOLDER, help="The folder at /download/ and /download2/."),
    _option("--client-images", type=_FOLDER, help="The folder at /get-image/."),
    _option("--client-csv", type=_FOLDER, help="The folder at /get-csv/."),
    _option("--client-pdf", type=_FOLDER, help="The folder at /get-pdf/."),
    _option("--client-reports", type=_FOLDER, help="The folder at /get-report/."),
    _option(
        "--database",
        metavar="URL",
        envvar=DATABASE_VARIABLES,
        help="The database whose files are at /files/download/: sqlite:///path.db or postgresql://…",
    ),
    _option(
        "--file-ids", type=click.Choice(["token", "integer"]), default="token", help="What stands for a file there."
    ),
    _option("--list-files/--no-list-files", help="List the files of the database at /files, as JSON."),
)
_PROCESS: Final = _all(
    _option("--workers", "-w", type=Whole(1, 256), metavar="N", default=1, help="Processes that share the address."),
    _option("--loop", type=click.Choice(["uvloop", "asyncio"]), help="Default: uvloop where it is installed."),
    _option("--certfile", type=_FILE, help="Certificate chain (PEM): serve HTTPS, with HTTP/2."),
    _option("--keyfile", type=_FILE, help="The certificate's private key (PEM)."),
    _seconds("--drain-timeout", at_once=True, default="30", help="How long downloads may go on after SIGTERM."),
    _option(
        "--access-log", type=click.Choice(["none", "text", "json"]), default="none", help="A line for each request."
    ),
)


@click.command()
@click.argument("directory", type=_FOLDER, default=".", envvar=f"{PREFIX}DIRECTORY")
@_ADDRESS
@_SITE
@_PROCESS
@click.option(
    "--config",
    "-c",
    type=_FILE,
    envvar=f"{PREFIX}CONFIG",
    show_envvar=True,
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="TOML with these settings; flags and variables come first.",
)
@click.pass_context
def serve(context: click.Context, /, **values: Any) -> int:
    """Serve the files below DIRECTORY (default: this one), with a listing for each folder."""
    return _run(
        _picked(Settings, values),
        _server_settings(context, values),
        lambda urls: click.echo(f"Serving {values['directory']} on {', '.join(urls)} (Ctrl-C ends)"),
    )


@click.command()
@_ADDRESS
@click.pass_context
def demo(context: click.Context, /, **values: Any) -> int:
    """Serve sample data on every route, out of a temporary folder."""
    if not find_spec("fpdf"):
        raise UsageRefused("the demo needs fpdf2: pip install 'async-downloads[demo]'")
    from ..server.listen import hold_signals

    hold_signals()
    from ..site.samples import make_samples, samples

    def announce(urls: Sequence[str]) -> None:
        base = _for_curl(urls[0])
        for sample in samples():
            click.echo(f"curl {sample.options} {base}{sample.path}  # {sample.what}")
        click.echo(f"Serving sample data on {', '.join(urls)} (Ctrl-C ends)")

    with tempfile.TemporaryDirectory(prefix="async-downloads-") as folder:
        return _run(make_samples(Path(folder)), _server_settings(context, values), announce)


def _for_curl(url: str) -> str:
    """Write a server's URL as curl wants it, to be followed by a path."""
    if url.startswith("unix:"):
        return f"--unix-socket {shlex.quote(url.removeprefix('unix:'))} http://localhost"
    return url.rstrip("/")


def _picked(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})


def _server_settings(context: click.Context, values: Mapping[str, Any]) -> ServerSettings:
    names = {field.name for field in fields(ServerSettings)} & values.keys() - {"bind", "loop"}
    loop: Any = values.get("loop") or ("uvloop" if find_spec("uvloop") else "asyncio")
    if loop == "uvloop" and not find_spec("uvloop"):
        raise UsageRefused("uvloop is not installed: pip install 'async-downloads[uvloop]'")
    return ServerSettings(bind=_bind(context, values), loop=loop, **{name: values[name] for name in names})


def _bind(context: click.Context, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses. `--bind` and `--port` are one setting: a flag for one beats a variable for the other."""
    for source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP):
        named = [name for name in ("bind", "port") if context.get_parameter_source(name) is source]
        if len(named) == 2:
            raise click.UsageError("--bind and --port name the address twice", context)
        if named == ["port"]:
            return (f"127.0.0.1:{values['port']}",)
        if named:
            break
    return tuple(values["bind"])


def _run(settings: Settings, server: ServerSettings, announce: Callable[[Sequence[str]], None]) -> int:
    from ..server.listen import CannotServe, run

    if settings.directory and not os.access(settings.directory, os.R_OK | os.X_OK):
        raise UsageRefused(f"{settings.directory} cannot be read")
    try:
        return run(settings, server, announce)
    except CannotServe as error:
        raise UsageRefused(str(error)) from error
