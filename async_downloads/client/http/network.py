"""The network options of a client: proxies, certificates, addresses, cookies and passwords."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["NetworkOptions", "check_interface"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """How a `Downloader` connects to servers. By default, the environment decides.

    - `proxy`: the URL of a proxy for all requests. Without it, the variables `http_proxy`, `https_proxy`, `all_proxy`
      and `no_proxy` decide, unless `use_proxies` is False.
    - `verify`: False accepts every certificate.
    - `ca_file`: a PEM file with the certificates to trust. Without it, `SSL_CERT_FILE` and `SSL_CERT_DIR` name them, or
      else the certificates of the system and of certifi are trusted.
    - `cert_file`, `key_file`: the certificate of this client and its key.
    - `ip_version`: 4 or 6 uses only such addresses of servers.
    - `interface`: the name of a network interface or one of its addresses, for all connections.
    - `cookie_file`: cookies in the format of Netscape and curl.
    - `use_netrc`: send the passwords of `~/.netrc`, or of the file that `NETRC` names, to the hosts in that file.
    """

    proxy: str | None = None
    use_proxies: bool = True
    verify: bool = True
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    ip_version: Literal[4, 6] | None = None
    interface: str | None = None
    cookie_file: Path | None = None
    use_netrc: bool = True


def check_interface(options: NetworkOptions) -> None:
    """Raise ValueError, with a message for the user, if connections cannot begin at `options.interface`."""
    name = options.interface
    if name is None or name in {each for _, each in socket.if_nameindex()}:
        return
    try:
        [(family, *_, address)] = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        version = 6 if family == socket.AF_INET6 else 4
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(address)
    except (OSError, UnicodeError):
        raise ValueError(
            f"no network interface has the name or the address {name!r}: 'ip address' lists them"
        ) from None
    if options.ip_version not in {None, version}:
        raise ValueError(f"connections over IPv{options.ip_version} cannot begin at {name}, an address of IPv{version}")
