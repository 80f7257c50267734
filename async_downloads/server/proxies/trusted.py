"""The proxies that are trusted to report the addresses of their clients."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from ...client_address import plain_address, plain_network

__all__ = ["Address", "TrustedProxies"]


Address = tuple[str, int | None]
_UNIX: Final = "unix"
_REMEMBERED: Final = 4096  # addresses


class TrustedProxies:
    """The networks of trusted proxies, and perhaps all clients of UNIX sockets.

    `texts` are lists as `read_proxies` accepts them, such as `10.0.0.0/8,unix`.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        names = [name for text in texts for name in text.split(",")]
        self._trusts_unix = _UNIX in names
        self._networks = tuple(plain_network(name) for name in names if name != _UNIX)
        self._has = lru_cache(_REMEMBERED)(self._look_up)

    def __bool__(self) -> bool:
        return self._trusts_unix or bool(self._networks)

    def trusts(self, address: Address | None) -> bool:
        """Return whether an address, in the form of ASGI, is that of a trusted proxy. None means a UNIX socket."""
        if address is None or address[1] is None:
            return self._trusts_unix
        return self._has(address[0])

    def _look_up(self, host: str) -> bool:
        address = plain_address(host)
        return any(address in network for network in self._networks)
