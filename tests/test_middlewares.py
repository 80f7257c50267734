"""Apps behind middlewares on real servers: a large file arrives whole, and a response that is cut never looks whole."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.served import Server, http1, http2, hypercorn
from harness.sources import OneStore, SlicedSource
from harness.waiting import HANGING
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

from async_downloads.asgi import Downloads
from async_downloads.errors import SourceTruncated
from async_downloads.sending import Message, Receive, Scope, Send
from async_downloads.sources.directory import DirectoryStore


class _Ending:
    """A middleware that completes each response that was begun, as error handlers do."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except SourceTruncated:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Copying:
    """A middleware that passes on copies of messages."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_copy(message: Message) -> None:
            await send({**message})

        await self._app(scope, receive, send_copy)


async def _passed_on(request: Any, call_next: Any) -> Any:
    return await call_next(request)


BASE = Middleware(BaseHTTPMiddleware, dispatch=_passed_on)
GZIP = Middleware(GZipMiddleware, compresslevel=1)
GZIP_ALL = Middleware(GZipMiddleware, compresslevel=1, exclude_content_types=())
STACKS = {
    "none": [],
    "copies": [Middleware(_Copying)],
    "gzip": [GZIP],
    "gzip of every type": [GZIP_ALL],
    "base": [BASE],
    "base, base": [BASE, BASE],
    "base, gzip": [BASE, GZIP],
    "gzip, base": [GZIP_ALL, BASE],
    "base, gzip, base": [BASE, GZIP_ALL, BASE],
}


def _app(downloads: Downloads, middlewares: list[Middleware]) -> Any:
    api = Starlette(middleware=middlewares)
    api.mount("/files", downloads)
    return api


Started = Callable[[Any], AbstractAsyncContextManager[Server]]


@pytest.fixture(params=["HTTP/1.1", "HTTP/2", "Hypercorn"])
def started(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Started:
    """How to start a server."""
    servers: dict[str, Started] = {"HTTP/1.1": http1, "Hypercorn": hypercorn}
    return servers.get(request.param) or (lambda app: http2(app, certificate))


async def _get(server: Server, target: str, coding: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=False, http2=True, timeout=HANGING) as client:
        return await client.get(f"{server.url}{target}", headers={"Accept-Encoding": coding})


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("middlewares", STACKS.values(), ids=STACKS)
async def test_a_large_file_arrives_whole(
    started: Started, large: Path, content: bytes, middlewares: list[Middleware], coding: str
) -> None:
    async with started(_app(Downloads(DirectoryStore(large.parent)), middlewares)) as server:
        response = await _get(server, "/files/large.bin", coding)
        assert (response.status_code, response.content == content) == (200, True)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("middlewares", STACKS.values(), ids=STACKS)
async def test_a_response_that_is_cut_is_an_error_of_the_client(
    started: Started, middlewares: list[Middleware], coding: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    source = SlicedSource(b"0123456789" * 10_000, until=50_000, error=SourceTruncated("truncated"))
    async with started(_app(Downloads(OneStore(source)), middlewares)) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await _get(server, "/files/a", coding)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
async def test_a_middleware_cannot_complete_a_response_that_is_cut(
    version: str, certificate: tuple[Path, Path], coding: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    source = SlicedSource(b"0123456789" * 10_000, until=50_000, error=SourceTruncated("truncated"))
    app = _app(Downloads(OneStore(source)), [Middleware(_Ending), GZIP_ALL])
    async with http1(app) if version == "HTTP/1.1" else http2(app, certificate) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await _get(server, "/files/a", coding)
