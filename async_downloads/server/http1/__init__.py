"""HTTP/1.1 (RFC 9112) for an ASGI app, on asyncio and httptools; files go to plain sockets by sendfile(2)."""
