"""The options of `get` that say how servers are reached. They become `NetworkOptions`."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from .options import FILE, NOT_EMPTY, WholeNumber

__all__ = ["ConnectionCount", "network_options", "pop_network"]


F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS: Final[tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...]] = (
    (("--netrc/--no-netrc", "-n", "use_netrc"), {"default": True, "help": "Use the passwords of ~/.netrc."}),
    (("--cookies", "cookie_file"), {"metavar": "FILE", "type": FILE, "help": "Send cookies from a cookies.txt."}),
    (("--proxy", "proxy"), {"metavar": "URL", "type": NOT_EMPTY, "help": "Proxy: http, https, socks5 or socks5h."}),
    (("--no-proxy", "use_proxies"), {"flag_value": False, "default": True, "help": "Ignore proxies set by variables."}),
    (("--insecure", "-k", "verify"), {"flag_value": False, "default": True, "help": "Do not verify certificates."}),
    (("--cacert", "ca_file"), {"metavar": "FILE", "type": FILE, "help": "Trust the certificates of a PEM file."}),
    (("--cert", "cert_file"), {"metavar": "FILE", "type": FILE, "help": "Certificate of this client, as PEM."}),
    (("--key", "key_file"), {"metavar": "FILE", "type": FILE, "help": "Key of --cert, if it is in its own file."}),
    (("--ipv4", "-4", "ipv4"), {"is_flag": True, "help": "Connect to IPv4 addresses only."}),
    (("--ipv6", "-6", "ipv6"), {"is_flag": True, "help": "Connect to IPv6 addresses only."}),
    (("--interface", "interface"), {"metavar": "NAME", "help": "Connect from this interface or address."}),
)
_NAMES: Final = tuple(dict.fromkeys(names[-1] for names, _ in _OPTIONS))


def network_options(function: F) -> F:
    """Declare the options, in the order above."""
    for names, attributes in reversed(_OPTIONS):
        function = click.option(*names, **{"show_default": False, **attributes})(function)
    return function


def pop_network(options: dict[str, Any]) -> dict[str, Any]:
    """Remove these options from `options`; return the fields of `NetworkOptions`.

    Raises UsageError if the options contradict each other.
    """
    network = {name: options.pop(name) for name in _NAMES}
    if network["proxy"] is not None and not network["use_proxies"]:
        raise click.UsageError("--proxy and --no-proxy contradict each other: give only one of them")
    if network["key_file"] is not None and network["cert_file"] is None:
        raise click.UsageError("--key needs --cert")
    ipv4, ipv6 = network.pop("ipv4"), network.pop("ipv6")
    if ipv4 and ipv6:
        raise click.UsageError("-4 and -6 contradict each other: give only one of them")
    return {**network, "ip_version": 4 if ipv4 else 6 if ipv6 else None}


class ConnectionCount(WholeNumber):
    """The number of `-x`, which in curl names a proxy."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and (":" in value or "." in value):
            self.fail("-x is the number of connections: use --proxy URL to name a proxy", param, ctx)
        return super().convert(value, param, ctx)
