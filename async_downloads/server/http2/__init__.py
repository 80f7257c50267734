"""HTTP/2 (RFC 9113) for an ASGI app, over TLS, on asyncio and h2; what a client may cost is bounded."""
