"""HTTP/2 (RFC 9113) for an ASGI app, over TLS, on asyncio and h2; the cost of a client is bounded."""
