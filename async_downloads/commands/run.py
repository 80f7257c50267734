"""`async-downloads run`: serve any ASGI app."""

import inspect
import sys
import traceback
from functools import partial, reduce
from importlib import import_module
from types import TracebackType
from typing import Any, Final

import click

from ..config import Settings, table
from .announcing import announce
from .help import SectionedCommand
from .messages import CannotRun
from .serve_help import COMMON, EPILOG, MORE
from .server_options import BIND, LAN, PORT, PROCESS, QR, config_option, server_settings, setting_options

__all__ = ["run"]


_STALL_TIMEOUT: Final = next(row for row in table(Settings) if row.name == "stall_timeout")


@click.command(cls=SectionedCommand, common=COMMON, more=MORE, epilog=EPILOG)
@click.argument("app", metavar="MODULE:APP")
@setting_options([BIND, PORT, LAN, QR, _STALL_TIMEOUT, *PROCESS])
@config_option
@click.pass_context
def run(context: click.Context, /, app: str, **values: Any) -> int:
    """Serve an ASGI app with the server of `serve`.

    ASGI is the interface between servers and asynchronous Python apps, such as those of Quart and FastAPI.

    MODULE:APP names the app: `shop.web:app` is the variable `app` of the module `shop.web`. Python looks for the module
    in the current folder first. `shop.web:create_app()`, in quotes, calls that function and serves the app that it
    returns. If a Quart app uses `init_app`, the kernel sends its files.

    The server itself responds at /-/healthy. The app responds at /-/ready; after SIGTERM, the server responds there
    with 503. If users need passwords, the app must ask for them. The server does not support WebSockets: use Hypercorn
    for an app with them.
    """
    from ..server.listen import CannotServe, hold_signals, run_app

    hold_signals()
    loaded = _load_or_exit(app)
    announce_app = partial(announce, app, qr=values["qr"])
    try:
        settings = server_settings(context, values)
        return run_app(lambda: loaded, settings, announce_app, stall_timeout=values["stall_timeout"])
    except CannotServe as error:
        raise CannotRun(str(error)) from error


def _load_or_exit(name: str) -> Any:
    """Return the app. For an error inside the user's code, print the part of the traceback that lies there, and exit.

    Raises CannotRun if there is no such app.
    """
    try:
        return _load(name)
    except click.ClickException:
        raise
    except Exception as error:  # noqa: BLE001  # the user's code may raise any of them
        traceback.print_exception(error.with_traceback(_outside(error.__traceback__)))
        raise click.exceptions.Exit(1) from None


def _outside(trace: TracebackType | None) -> TracebackType | None:
    """Return the rest of a traceback after the frames of this module and of the import system."""
    while trace and trace.tb_frame.f_globals["__name__"].partition(".")[0] in {"async_downloads", "importlib"}:
        trace = trace.tb_next
    return trace


def _load(name: str) -> Any:
    """Import an app, or make it if the name ends with `()`. Raises CannotRun if there is none."""
    module, path = _split(name)
    named = _named(module, path.removesuffix("()").split("."))
    if path.endswith("()"):
        if not callable(named):
            raise CannotRun(f"{name.removesuffix('()')} is not a function")
        named = named()
    _check(name, named)
    return named


def _named(module: str, path: list[str]) -> Any:
    sys.path.insert(0, "")
    try:
        return reduce(getattr, path, import_module(module))
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise CannotRun(f"there is no module {error.name} in this folder or in {sys.prefix}") from error
    except AttributeError as error:
        if error.obj is None or error.name not in path:
            raise
        raise CannotRun(f"the module {module} has no variable {'.'.join(path)}") from error


def _check(name: str, app: Any) -> None:
    """Raise CannotRun for an object that is certainly no ASGI app."""
    if not callable(app):
        raise CannotRun(f"{name} is not an ASGI app")
    try:
        signature = inspect.signature(app)
    except ValueError:  # a callable in C may have none
        return
    if _takes(signature, 3):  # of ASGI
        return
    if _takes(signature, 0):
        raise CannotRun(f"{name} is not an ASGI app; if it returns one, write '{name}()'")
    if _takes(signature, 2):  # of WSGI (PEP 3333)
        raise CannotRun(f"{name} is a WSGI app, but run needs an ASGI app, such as one of Quart or FastAPI")


def _split(name: str) -> tuple[str, str]:
    """Return the module and the variable that MODULE:APP names. Raises CannotRun if the name has another form."""
    module, colon, path = name.partition(":")
    if not module or not colon or not path:
        beginning = module.removesuffix(".py").replace("/", ".").strip(".") or "MODULE"
        raise CannotRun(f"{name!r} does not name an app: write MODULE:APP, such as {beginning}:app")
    if "/" in module or module.startswith(".") or module.endswith(".py"):
        dotted = module.removesuffix(".py").replace("/", ".").strip(".")
        raise CannotRun(f"{name!r} names a file: write {dotted}:{path}")
    return module, path


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True
