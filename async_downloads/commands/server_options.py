"""The options of the commands that run a server, and how they are read."""

import ipaddress
import socket
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from ..client_address import MAX_PORT
from ..config import PREFIX, ServerSettings, Setting, table
from ..extras import how_to_install
from ..server.systemd import take_inherited_sockets
from ..setting_texts import read_whole_number
from .habits import CONFIG
from .messages import CannotRun
from .options import FILE, setting_option

__all__ = ["BIND", "LAN", "PORT", "PROCESS", "QR", "config_option", "need", "server_settings", "setting_options"]


F = TypeVar("F", bound=Callable[..., Any])


def setting_options(rows: Iterable[Setting]) -> Callable[[F], F]:
    """Declare an option for each row, in this order."""

    def decorate(function: F) -> F:
        for row in reversed(tuple(rows)):
            function = setting_option(row)(function)
        return function

    return decorate


def _read_config(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Read defaults from a TOML file. Its keys are the names of the long options."""
    if path is None:
        return
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotRun(f"{path}: {error}") from error
    context.default_map = {}
    context.meta[CONFIG] = path
    known = {parameter.name: parameter for parameter in context.command.params if parameter.expose_value}
    for key, value in found.items():
        parameter = known.get(key.replace("-", "_"))
        if parameter is None or parameter.name is None:
            raise CannotRun(f"{path}: unknown setting {key!r}")
        context.default_map[parameter.name] = _texts(parameter, value, where=f"{path}: {key}")


def _texts(parameter: click.Parameter, value: object, *, where: str) -> str | list[str]:
    """Return a value of the file as text, so that it is read like the value of a flag or a variable."""
    if not (parameter.multiple or parameter.nargs == -1):
        return str(value)
    values = value if isinstance(value, list) else [value]
    texts = [each for each in values if isinstance(each, str)]
    if not texts or texts != values:
        raise CannotRun(f"{where} must be text in quotes, or a list of such texts")
    return texts


BIND, *PROCESS = table(ServerSettings)
_DEFAULT_PORT: Final = 8000
PORT: Final = Setting(
    name="port",
    kind=int,
    default=None,
    help="The same as --bind 127.0.0.1:PORT.",
    short="-p",
    metavar="PORT",
    reader=partial(read_whole_number, least=0, most=MAX_PORT),
)
LAN: Final = Setting(
    name="lan",
    kind=bool,
    default=False,
    help="Let other machines connect: listen on all addresses of this machine, and print the URLs.",
)
QR: Final = Setting(
    name="qr",
    kind=bool,
    default=None,
    help="Print a QR code of the first URL that other machines can open.",
    default_help="on a terminal",
)
config_option: Final = click.option(
    "--config",
    "-c",
    type=FILE,
    envvar=f"{PREFIX}CONFIG",
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="TOML file with these settings. Options and variables override it.",
)


def server_settings(context: click.Context, values: Mapping[str, Any]) -> ServerSettings:
    """Return the settings of the process. Raises CannotRun or UsageError if options contradict each other."""
    names = {row.name for row in table(ServerSettings)} & values.keys() - {"bind", "loop"}
    if values.get("proxy_protocol") and not values["trusted_proxies"]:
        raise CannotRun("--proxy-protocol needs --trusted-proxies, with the addresses of the proxies")
    loop: Any = values.get("loop") or ("uvloop" if find_spec("uvloop") else "asyncio")
    if loop == "uvloop":
        need("uvloop", "uvloop is not installed", extra="uvloop")
    if values.get("metrics_bind"):
        need("prometheus_client", "--metrics-bind needs prometheus-client", extra="metrics")
    return ServerSettings(bind=_bind(context, values), loop=loop, **{name: values[name] for name in names})


def _bind(context: click.Context, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses to listen on.

    `--bind` and `--port` both set an address: an option for one of them overrides a variable for the other. `--lan`
    listens on all addresses, at the port of `--port`. Without any of the three, the server uses the sockets that
    systemd has opened.
    """
    if values.get("lan"):
        if context.get_parameter_source("bind") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--bind and --lan both set the address: give only one of them", context)
        return _all_addresses(_DEFAULT_PORT if values["port"] is None else values["port"])
    for source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP):
        named = [name for name in ("bind", "port") if context.get_parameter_source(name) is source]
        if len(named) == 2:
            raise click.UsageError("--bind and --port both set the address: give only one of them", context)
        if named == ["port"]:
            return (f"127.0.0.1:{values['port']}",)
        if named:
            break
    else:
        if inherited := take_inherited_sockets():
            return inherited
    return tuple(map(_with_port, values["bind"]))


def _all_addresses(port: int) -> tuple[str, ...]:
    """Return the address that means all IPv4 addresses of this machine, and that of IPv6 if the machine has IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::", 0))
    except OSError:
        return (f"0.0.0.0:{port}",)
    return f"0.0.0.0:{port}", f"[::]:{port}"


def _with_port(bind: str) -> str:
    """Add the default port to an IP address that has none. The address may have brackets."""
    try:
        address = ipaddress.ip_address(bind.strip("[]"))
    except ValueError:
        return bind
    return f"[{address}]:{_DEFAULT_PORT}" if address.version == 6 else f"{address}:{_DEFAULT_PORT}"


def need(module: str, problem: str, *, extra: str) -> None:
    """Raise CannotRun, with the command that installs the module, if it is not installed."""
    if not find_spec(module):
        raise CannotRun(f"{problem}: {how_to_install(extra)}")
