"""`Downloads` mounted in each framework that the documentation names, as it says."""

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
from async_downloads.request_target import with_whole_path
from async_downloads.site.store_site import Site
from async_downloads.sources.directory import DirectoryStore
from async_downloads.starlette import DownloadResponse

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


def _from_store(path: Any) -> None:
    asyncio.run(DownloadResponse.from_store(path, "w"))


@pytest.mark.parametrize("make", [Downloads, Site, _from_store])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_in_the_place_of_a_store_is_a_mistake(
    tmp_path: Path, make: Callable[[Any], object], kind: Callable[[Path], object]
) -> None:
    with pytest.raises(TypeError, match=r"expected a store, such as DirectoryStore\('"):
        make(kind(tmp_path / "a.txt"))
    assert not (tmp_path / "a.txt").exists()


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


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(("/a", "", b"/a", None), ("/a", "", b"/a"), id="not mounted"),
        pytest.param(("/m/a", "/m", b"/m/a", None), ("/m/a", "/m", b"/m/a"), id="as ASGI says"),
        pytest.param(("/m/a", "/p/m", b"/m/a", "/p"), ("/p/m/a", "/p/m", b"/p/m/a"), id="Starlette behind a proxy"),
        pytest.param(("/é", "/p é/é", b"", "/p é"), ("/p é/é", "/p é/é", b""), id="without a raw path"),
        pytest.param(("/é/", "", b"/m/%C3%A9/", None), ("/m/é/", "/m", b"/m/%C3%A9/"), id="Litestar"),
        pytest.param(("/a/", "", b"/m/a?b", None), ("/m/a", "/m", b"/m/a?b"), id="Litestar, with a slash of its own"),
        pytest.param(("/", "/p", b"/p/m", None), ("/p/m", "/p/m", b"/p/m"), id="Litestar below a path"),
        pytest.param(("/a", "/p", b"/a", None), ("/a", "/p", b"/a"), id="a server that leaves out its path"),
        pytest.param(("/a", "", b"/b", None), ("/a", "", b"/b"), id="a path that was rewritten"),
        pytest.param(("/a", "", b"/m/../a", None), ("/a", "", b"/m/../a"), id="a server that resolves the path"),
    ],
)
def test_a_mounted_app_gets_the_path_that_asgi_defines(
    given: tuple[str, str, bytes, str | None], expected: tuple[str, str, bytes]
) -> None:
    path, root, raw, app_root = given
    more = {} if app_root is None else {"app_root_path": app_root}
    found = with_whole_path({"path": path, "root_path": root, "raw_path": raw, **more})
    assert (found["path"], found["root_path"], found["raw_path"]) == expected


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
