"""Read the PROXY header at the beginning of each connection, before TLS and HTTP."""

import asyncio
import math
import socket
from collections.abc import Callable
from typing import Final, NoReturn

from ..http1.scope import address_of
from .proxy_protocol import MalformedHeader, NamedClient, missing_bytes, parse_header
from .trusted import TrustedProxies

__all__ = ["ProxyPreamble"]


_SECONDS: Final = 10.0  # for the whole header
_REPORT_SECONDS: Final = 1.0  # between two lines: any client can connect, and must not fill the log


class ProxyPreamble:
    """Reads the PROXY header of connections from trusted proxies, and closes all other connections.

    `report` gets one line for a connection that is closed, but at most one line per second. If a proxy connects and
    leaves without a byte, it only checks that the server is alive, and this is not reported.
    """

    def __init__(self, trusted: TrustedProxies, report: Callable[[str], object]) -> None:
        self._trusted = trusted
        self._report = report
        self._reported_at = -math.inf
        self._unreported = 0

    async def __call__(self, sock: socket.socket) -> NamedClient | None:
        """Read the header, and no byte after it. Return the client that it names; None if it names no client.

        Raises ConnectionError if the connection must be closed.
        """
        peer = address_of(sock.getpeername())
        name = peer[0] if peer else "a UNIX socket"
        if not self._trusted.trusts(peer):
            self._refuse(f"{name} is not in --trusted-proxies")
        try:
            async with asyncio.timeout(_SECONDS):
                return parse_header(await _read(sock))
        except MalformedHeader as error:
            self._refuse(f"{name}: {error}")
        except TimeoutError:
            self._refuse(f"{name}: no whole PROXY header within {_SECONDS:g} s")

    def _refuse(self, reason: str) -> NoReturn:
        now = asyncio.get_running_loop().time()
        if now - self._reported_at < _REPORT_SECONDS:
            self._unreported += 1
        else:
            others = f" (and {self._unreported:,} more before)" if self._unreported else ""
            self._report(f"connection closed: {reason}{others}")
            self._reported_at, self._unreported = now, 0
        raise ConnectionAbortedError(reason)


async def _read(sock: socket.socket) -> bytes:
    """Return the bytes of the header. Raises ConnectionError if the peer leaves before the first one."""
    loop = asyncio.get_running_loop()
    data = b""
    while count := missing_bytes(data):
        part = await loop.sock_recv(sock, count)
        if not part and not data:
            raise ConnectionAbortedError("the proxy has left")
        if not part:
            raise MalformedHeader("the connection ended within the PROXY header")
        data += part
    return data
