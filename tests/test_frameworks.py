"""`Downloads` mounted in each framework that README names, as README says it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from harness.asgi import scope
from harness.sources import OneStore, SlicedSource
from hypercorn.middleware import DispatcherMiddleware
from litestar import Litestar, asgi
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

from async_downloads.asgi import Downloads
from async_downloads.errors import SourceTruncated
from async_downloads.sources.directory import DirectoryStore

CONTENT = b"0123456789" * 10_000


def _fastapi(downloads: Downloads) -> Any:
    api = FastAPI()
    api.mount("/files", downloads)
    return api


def _starlette(downloads: Downloads) -> Any:
    api = Starlette()
    api.mount("/files", downloads)
    return api


def _litestar(downloads: Downloads) -> Any:
    async def files(scope: Any, receive: Any, send: Any) -> None:
        await downloads(scope, receive, send)

    return Litestar([asgi("/files", is_mount=True, copy_scope=True)(files)])


def _quart(downloads: Downloads) -> Any:
    return DispatcherMiddleware({"/files": downloads, "/": Quart(__name__)})  # type: ignore[dict-item] # its own types


@pytest.mark.parametrize("mounted", [_fastapi, _starlette, _litestar, _quart])
@pytest.mark.parametrize(
    ("target", "fields", "status", "body"),
    [
        ("/files/a.txt", {}, 200, CONTENT),
        ("/files/a.txt?download", {}, 200, CONTENT),
        ("/files/sub/b c.txt", {}, 200, CONTENT),
        ("/files/sub/%C3%A9.txt", {}, 200, CONTENT),
        ("/files/a.txt", {"Range": "bytes=5-9"}, 206, CONTENT[5:10]),
        ("/files/a.txt", {"If-None-Match": "*"}, 304, b""),
        ("/files/none.txt", {}, 404, b"404 Not Found\n"),
        ("/files/sub", {}, 404, b"404 Not Found\n"),
    ],
)
async def test_a_mounted_app_serves_its_files(
    tmp_path: Path,
    mounted: Callable[[Downloads], Any],
    target: str,
    fields: dict[str, str],
    status: int,
    body: bytes,
) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "sub/b c.txt", "sub/é.txt"):
        (tmp_path / name).write_bytes(CONTENT)
    transport = httpx.ASGITransport(mounted(Downloads(DirectoryStore(tmp_path))))
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        response = await client.get(target, headers=fields)
    assert (response.status_code, response.content) == (status, body)


async def _passed_on(request: Any, call_next: Any) -> Any:
    return await call_next(request)


@pytest.mark.parametrize(
    "middleware",
    [
        [Middleware(BaseHTTPMiddleware, dispatch=_passed_on)],
        [Middleware(GZipMiddleware), Middleware(BaseHTTPMiddleware, dispatch=_passed_on)],
        [Middleware(BaseHTTPMiddleware, dispatch=_passed_on), Middleware(GZipMiddleware)],
        [Middleware(GZipMiddleware)],
    ],
    ids=["passed on", "passed on and compressed", "compressed and passed on", "compressed"],
)
async def test_a_short_body_is_an_error_behind_middlewares_too(middleware: list[Middleware]) -> None:
    source = SlicedSource(CONTENT, until=50_000, error=SourceTruncated("truncated"))
    api = Starlette(middleware=middleware)
    api.mount("/files", Downloads(OneStore(source)))
    messages: list[Any] = []
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return requests.pop() if requests else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        assert message["type"] == ("http.response.body" if messages else "http.response.start")
        messages.append(message)

    with pytest.raises((SourceTruncated, AssertionError)):  # the second one is that of BaseHTTPMiddleware
        await api(scope("/files/a", fields=[("Accept-Encoding", "gzip")]), receive, send)
    assert [message["type"] for message in messages[:2]] == ["http.response.start", "http.response.body"]
    assert all(message.get("more_body", True) for message in messages)
