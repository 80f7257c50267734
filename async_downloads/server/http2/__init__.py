"""HTTP/2 (RFC 9113) for an ASGI app, over TLS, on asyncio and h2. The memory and work for each client are limited."""
