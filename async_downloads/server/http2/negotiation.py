"""The choice between HTTP/1.1 and HTTP/2, which the TLS handshake makes (ALPN, RFC 7301)."""

import asyncio
from typing import Any

from ..http1.connection import Connection
from ..http1.server import Http1Server
from ..proxies.proxy_protocol import NamedClient
from .connection import Http2Connection

__all__ = ["Negotiation"]


class Negotiation(asyncio.Protocol):
    """Passes a connection after its handshake to the protocol that the two sides have chosen."""

    def __init__(self, server: Http1Server, named: NamedClient | None = None) -> None:
        self._server = server
        self._named = named  # the client that a proxy has named

    def connection_made(self, transport: Any) -> None:
        """Pass the transport to the chosen protocol."""
        is_http2 = transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        chosen = (Http2Connection if is_http2 else Connection)(self._server, self._named)
        transport.set_protocol(chosen)
        chosen.connection_made(transport)
