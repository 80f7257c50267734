"""Servers of small apps."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

import pytest
from harness.asgi import App, Message
from harness.served import Server, http1

from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.http1.server import ConnectionLimits
from async_downloads.server.request_observer import RequestObserver
from server.sending import body, head, length


class ServeHttp1(Protocol):
    """How a test starts a server."""

    async def __call__(
        self, app: App, *, limits: ConnectionLimits | None = None, observers: Sequence[RequestObserver] = ()
    ) -> Server:
        """Serve the app."""


@pytest.fixture
async def serve_http1() -> AsyncIterator[ServeHttp1]:
    """Serve apps in this loop until the test ends."""
    async with AsyncExitStack() as servers:

        async def start(
            app: App, *, limits: ConnectionLimits | None = None, observers: Sequence[RequestObserver] = ()
        ) -> Server:
            return await servers.enter_async_context(http1(app, limits=limits, observers=observers))

        yield start


async def content_of(receive: Receive) -> bytes:
    """Take the whole body of a request."""
    content, more = b"", True
    while more:
        message: Message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return content


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the body of the request."""
    content = await content_of(receive)
    await send(head(length(len(content))))
    await send(body(content))


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond without reading the request's body."""
    await send(head(length(5)))
    await send(body(b"hello"))


@pytest.fixture
async def greeting(serve_http1: ServeHttp1) -> Server:
    """A server that never reads a request's body."""
    return await serve_http1(hello)


@pytest.fixture
async def echoing(serve_http1: ServeHttp1) -> Server:
    """A server that responds with the request's body."""
    return await serve_http1(echo)
