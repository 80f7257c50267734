"""The choice between HTTP/1.1 and HTTP/2, which TLS makes (ALPN, RFC 7301)."""

import asyncio
from typing import Any

from ..http1.connection import Connection
from ..http1.server import Http1Server
from ..proxies.proxy_protocol import NamedClient
from .connection import Http2Connection

__all__ = ["Negotiation"]


class Negotiation(asyncio.Protocol):
    """Gives a connection that has ended its handshake to the protocol that both sides know."""

    def __init__(self, server: Http1Server, named: NamedClient | None = None) -> None:
        self._server = server
        self._named = named  # by a proxy

    def connection_made(self, transport: Any) -> None:
        """Hand the transport over."""
        is_http2 = transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        chosen = (Http2Connection if is_http2 else Connection)(self._server, self._named)
        transport.set_protocol(chosen)
        chosen.connection_made(transport)
