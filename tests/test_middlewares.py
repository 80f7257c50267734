"""Apps behind middlewares on real servers: a large file arrives whole, and a response that is cut never looks whole."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
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
CONTENT = Random(1).randbytes(300_000)
STACKS = {
    "copies": [Middleware(_Copying)],
    "gzip": [GZIP],
    "gzip of every type": [GZIP_ALL],
    "base, base": [BASE, BASE],
    "base, gzip, base": [BASE, GZIP_ALL, BASE],
}


def _app(downloads: Downloads, middlewares: list[Middleware]) -> Any:
    api = Starlette(middleware=middlewares)
    api.mount("/files", downloads)
    return api


Started = Callable[[Any], AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def _started(version: str, app: Any, certificate: tuple[Path, Path]) -> AsyncIterator[Server]:
    servers: dict[str, Started] = {"HTTP/1.1": http1, "Hypercorn": hypercorn}
    start = servers.get(version) or partial(http2, certificate=certificate)
    async with start(app) as server:
        yield server


async def _get(server: Server, target: str, coding: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=False, http2=server.tls, timeout=HANGING) as client:
        return await client.get(f"{server.url}{target}", headers={"Accept-Encoding": coding})


@pytest.mark.parametrize("middlewares", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
async def test_a_large_file_arrives_whole(
    version: str, tmp_path: Path, certificate: tuple[Path, Path], middlewares: list[Middleware]
) -> None:
    (tmp_path / "large.bin").write_bytes(CONTENT)
    app = _app(Downloads(DirectoryStore(tmp_path)), middlewares)
    async with _started(version, app, certificate) as server:
        for coding in ("identity", "gzip"):
            response = await _get(server, "/files/large.bin", coding)
            assert (response.status_code, response.content == CONTENT) == (200, True)


@pytest.mark.parametrize(
    ("version", "middlewares"),
    [
        pytest.param("HTTP/1.1", [BASE, GZIP_ALL, BASE], id="HTTP/1.1"),
        pytest.param("Hypercorn", [BASE, GZIP_ALL, BASE], id="another server"),
        pytest.param("HTTP/1.1", [Middleware(_Ending), GZIP_ALL], id="completed by a middleware"),
        pytest.param("HTTP/2", [Middleware(_Ending), GZIP_ALL], id="completed by a middleware in HTTP/2"),
    ],
)
async def test_a_response_that_is_cut_is_an_error_of_the_client(
    version: str, middlewares: list[Middleware], certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    for coding in ("identity", "gzip"):
        source = SlicedSource(CONTENT, chunk=20_000, until=100_000, error=SourceTruncated("truncated"))
        async with _started(version, _app(Downloads(OneStore(source)), middlewares), certificate) as server:
            with pytest.raises(httpx.RemoteProtocolError):
                await _get(server, "/files/a", coding)
