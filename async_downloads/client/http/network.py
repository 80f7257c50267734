"""The network options of a client: proxies, certificates, addresses, cookies and passwords."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["NetworkOptions"]


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
