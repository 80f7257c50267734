"""A client behind a proxy may have so many requests at a time."""

import asyncio
from contextlib import AsyncExitStack

from harness.served import Server
from harness.waiting import HANGING, eventually

from async_downloads.config import ServerSettings
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.access_log import AccessLog
from async_downloads.server.http1.server import ConnectionLimits
from async_downloads.server.limits.limited_app import limited
from async_downloads.server.proxies.forwarded_scope import ForwardedScope
from async_downloads.server.proxies.trusted import TrustedProxies
from server.http1.conftest import ServeHttp1, hello

SETTINGS = ServerSettings(trusted_proxies=("127.0.0.1",), max_connections_per_client=2)
LIMITS = ConnectionLimits(max_connections_per_client=2, trusted_proxies=TrustedProxies(SETTINGS.trusted_proxies))


async def status(server: Server, *clients: str) -> tuple[int, str | None]:
    """Ask once; return the status and Retry-After."""
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/", *(f"X-Forwarded-For: {client}" for client in clients))
        code, fields, _ = await connection.read_response()
        return code, fields["Retry-After"]


async def test_a_request_beyond_the_limit_is_429_until_another_one_has_ended(serve_http1: ServeHttp1) -> None:
    go_on, running, lines = asyncio.Event(), [0], list[str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            running[0] += 1
            await go_on.wait()
        await hello(scope, receive, send)

    forwarded = ForwardedScope(limited(app, SETTINGS), LIMITS.trusted_proxies)
    server = await serve_http1(forwarded, limits=LIMITS, observers=[AccessLog("text", write=lines.append)])
    async with AsyncExitStack() as stack, asyncio.timeout(HANGING):
        for _ in range(2):
            slow = await stack.enter_async_context(server.connected())
            await slow.ask("/slow", "X-Forwarded-For: 2001:db8::1")
        await eventually(lambda: running[0] == 2)
        assert await status(server, "2001:db8::2") == (429, "1")
        assert await status(server, "2001:db8:0:1::1") == (200, None)
        assert await status(server) == (200, None)  # a request of the proxy itself
        go_on.set()
        assert (await slow.read_response())[0] == 200
        await eventually(lambda: len(lines) == 5)
        assert await status(server, "2001:db8::2") == (200, None)
    assert lines[0].startswith("2001:db8::2 ")
    assert " 429 " in lines[0]


async def test_without_a_limit_or_without_proxies_the_app_stays_as_it_is() -> None:
    assert limited(hello, ServerSettings(trusted_proxies=("127.0.0.1",))) is hello
    assert limited(hello, ServerSettings(max_connections_per_client=2)) is hello


async def test_an_app_that_changes_the_client_does_not_disturb_the_count(serve_http1: ServeHttp1) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["client"] = ("192.0.2.99", 1)
        await hello(scope, receive, send)

    forwarded = ForwardedScope(limited(app, SETTINGS), LIMITS.trusted_proxies)
    server = await serve_http1(forwarded, limits=LIMITS)
    for _ in range(4):
        assert await status(server, "192.0.2.1") == (200, None)
