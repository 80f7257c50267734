"""Servers behind proxies, and an app that says who asks."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from harness.served import Server

from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.handshakes import Handshakes
from async_downloads.server.http1.server import ConnectionLimits, Http1Server
from async_downloads.server.http2.negotiation import Negotiation
from async_downloads.server.proxies.forwarded_scope import ForwardedScope
from async_downloads.server.proxies.preamble import ProxyPreamble
from async_downloads.server.proxies.trusted import TrustedProxies
from server.sending import body, head, length


async def who_asks(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with what the scope says about the client."""
    hosts = [value.decode() for name, value in scope["headers"] if name == b"host"]
    text = json.dumps([scope["client"], scope["scheme"], *hosts]).encode()
    await send(head(length(len(text))))
    await send(body(text))


class Behind:
    """Starts servers of `who_asks`, and keeps the lines that they report."""

    def __init__(self, stack: AsyncExitStack, certificate: tuple[Path, Path]) -> None:
        self._stack = stack
        self._certificate = certificate
        self.reported: list[str] = []

    async def __call__(
        self, trusted: str, *, tls: bool = False, proxy_protocol: bool = False, path: Path | None = None, **limits: Any
    ) -> Server:
        """Serve, as `serve --trusted-proxies` does; with `path` at a UNIX socket."""
        proxies = TrustedProxies([trusted])
        http1 = Http1Server(ForwardedScope(who_asks, proxies), ConnectionLimits(trusted_proxies=proxies, **limits))
        self._stack.push_async_callback(http1.abort)
        make_protocol: Callable[..., asyncio.Protocol] = http1.connection
        if tls or proxy_protocol:
            preamble = ProxyPreamble(proxies, self.reported.append) if proxy_protocol else None
            make_connection = partial(Negotiation, http1) if tls else http1.connection
            context = self._context() if tls else None
            handshakes = Handshakes(make_connection, context, http1.room, preamble=preamble)
            self._stack.push_async_callback(handshakes.close)
            make_protocol = handshakes.accepted
        port = await self._stack.enter_async_context(_listening(make_protocol, path))
        return Server(port, tls=tls, http1=http1)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._certificate)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context


@asynccontextmanager
async def _listening(make_protocol: Callable[..., asyncio.Protocol], path: Path | None) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    if path:
        server: asyncio.Server = await loop.create_unix_server(make_protocol, path)
        port = 0
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = await loop.create_server(make_protocol, sock=listener)
    try:
        yield port
    finally:
        server.close()


@pytest.fixture
async def behind(certificate: tuple[Path, Path]) -> AsyncIterator[Behind]:
    """Serve until the test ends."""
    async with AsyncExitStack() as stack:
        yield Behind(stack, certificate)
