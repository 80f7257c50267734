"""Choose the proxy for a URL from the variables of the environment, as curl does.

A malformed variable is an error only for a request that uses it, never for a host that needs no proxy.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import httpx

from .network import NetworkOptions
from .redirects import MAX_PORT

__all__ = ["Proxies"]


_SCHEMES: Final = frozenset({"http", "https", "socks5", "socks5h"})
_ENTRY: Final = re.compile(
    r"(?:\w+://)?(?P<host>\[[^]]*\](?:/\d+)?|[^:]*(?::[^:]*){2,}|[^:]*)(?::(?P<port>\d+))?"
)  # an entry of no_proxy; an IPv6 address without brackets has two or more colons
_HOST: Final = re.compile(r"[^][@%\s]+|[0-9a-f:.]+%\S+")
_PORTS: Final = {"http": 80, "https": 443}


class Proxies:
    """Chooses the proxy of each URL."""

    def __init__(self, options: NetworkOptions, environment: Mapping[str, str] = os.environ) -> None:
        self._given = options.proxy
        self._use = options.use_proxies
        self._environment = environment

    def of(self, url: httpx.URL) -> httpx.Proxy | None:
        """Return the proxy for a URL; None for a direct connection.

        Raises ValueError if the URL of the proxy is not valid. The message does not show the URL, which may have a
        password.
        """
        if not self._use:
            return None
        if self._given:
            return _proxy(self._given, "--proxy names")
        variable = self._variable(url.scheme)
        if variable is None or self._is_exempt(url):
            return None
        return _proxy(self._environment[variable].strip(), f"the variable {variable} names")

    def _variable(self, scheme: str) -> str | None:
        """Return the variable that names the proxy of a scheme. The one in lower case comes first, as elsewhere."""
        names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
        if "REQUEST_METHOD" in self._environment:  # under CGI, any client can set HTTP_PROXY with a header field
            names = [name for name in names if name != "HTTP_PROXY"]
        return next((name for name in names if self._environment.get(name, "").strip()), None)

    def _is_exempt(self, url: httpx.URL) -> bool:
        exempt = self._environment.get("no_proxy") or self._environment.get("NO_PROXY", "")
        host, port = url.host.partition("%")[0].rstrip(".").lower(), url.port or _PORTS[url.scheme]
        return any(_matches(entry, host, port) for entry in re.split(r"[\s,]+", exempt) if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    """Return whether an entry of no_proxy names a host: `*`, a domain, an address or a network, perhaps with a port."""
    found = _ENTRY.fullmatch(entry.lower())
    if not found or (found["port"] and int(found["port"]) != port):
        return False
    name = found["host"].replace("[", "").replace("]", "").rstrip(".")
    with suppress(ValueError):
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    domain = name.removeprefix("*").removeprefix(".")
    return name == "*" or (bool(domain) and (host == domain or host.endswith(f".{domain}")))


def _proxy(text: str, source: str) -> httpx.Proxy:
    text = text if "://" in text else f"http://{text}"
    try:
        url = httpx.URL(re.sub(r"^socks://", "socks5://", text, flags=re.IGNORECASE))
    except httpx.InvalidURL:
        raise ValueError(f"{source} a proxy whose URL is not valid") from None
    if url.scheme not in _SCHEMES:
        raise ValueError(f"{source} a proxy of an unknown kind: it must begin with http://, https:// or socks5://")
    if not _HOST.fullmatch(url.host) or (url.port or 0) > MAX_PORT:
        raise ValueError(f"{source} a proxy whose URL is not valid")
    return httpx.Proxy(url.copy_with(scheme="socks5") if url.scheme == "socks5h" else url)
