"""`async-downloads run`: serve any ASGI app."""

import sys
from functools import partial, reduce
from importlib import import_module
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

    MODULE:APP names the app: `shop.web:app` is the variable `app` of the module `shop.web`, which is looked up from
    the current folder first. Files that a Quart view sends through `init_app` are sent by the kernel. The server itself
    responds at /-/healthy. The app responds at /-/ready; after SIGTERM, the server does so, with 503. If users need
    passwords, the app must ask for them. WebSockets are not supported: use Hypercorn for an app that needs them.
    """
    from ..server.listen import CannotServe, hold_signals, run_app

    hold_signals()
    loaded = _load(app)
    announce_app = partial(announce, app, qr=values["qr"])
    try:
        settings = server_settings(context, values)
        return run_app(lambda: loaded, settings, announce_app, stall_timeout=values["stall_timeout"])
    except CannotServe as error:
        raise CannotRun(str(error)) from error


def _load(name: str) -> Any:
    """Import an app. Raises CannotRun if there is none; an error inside the module keeps its traceback."""
    module, colon, path = name.partition(":")
    if not module or not colon or not path:
        raise CannotRun(f"{name!r} does not name an app: say MODULE:APP")
    sys.path.insert(0, "")
    try:
        app = reduce(getattr, path.split("."), import_module(module))
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise CannotRun(f"there is no module {error.name}") from error
    except AttributeError as error:
        if error.obj is None or error.name not in path.split("."):
            raise
        raise CannotRun(f"{module} has no {path}") from error
    if not callable(app):
        raise CannotRun(f"{name} is not an ASGI app")
    return app
