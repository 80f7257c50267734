"""Servers of HTTP/2."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest
from harness.asgi import App
from harness.served import Server, http2

from async_downloads.server.http1.server import ConnectionLimits
from async_downloads.server.request_observer import RequestObserver


class ServeHttp2(Protocol):
    """How a test starts a server."""

    async def __call__(
        self, app: App, *, limits: ConnectionLimits | None = None, observers: Sequence[RequestObserver] = ()
    ) -> Server:
        """Serve the app."""


@pytest.fixture
async def serve_http2(certificate: tuple[Path, Path]) -> AsyncIterator[ServeHttp2]:
    """Serve apps in this loop until the test ends."""
    async with AsyncExitStack() as servers:

        async def start(
            app: App, *, limits: ConnectionLimits | None = None, observers: Sequence[RequestObserver] = ()
        ) -> Server:
            return await servers.enter_async_context(http2(app, certificate, limits=limits, observers=observers))

        yield start
