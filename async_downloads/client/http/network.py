"""How a client reaches servers: proxies, certificates, addresses, cookies and passwords."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["NetworkOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """The way to the servers. Without options, it is the one that the environment names.

    `proxy` is the URL of a proxy for every request; without it, the variables `http_proxy`, `https_proxy`, `all_proxy`
    and `no_proxy` count, unless `use_proxies` is False. `verify` False accepts every certificate. `ca_file` has the
    certificates to trust in PEM; without it those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name count, or else those of
    the system and of certifi. `cert_file` and `key_file` are the certificate of this client and its key. `ip_version`
    limits the addresses of servers to 4 or 6. `interface` is the name of a network interface or one of its addresses.
    `cookie_file` has cookies in the format of Netscape and curl. `use_netrc` sends the passwords of `~/.netrc`, or of
    the file that `NETRC` names, to the hosts that it names.
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
