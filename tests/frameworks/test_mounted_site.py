"""`Site` mounted in each framework: its pages work below any path, and their links lead to what exists."""

import re
import zipfile
from collections.abc import Callable
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI
from litestar import Litestar, asgi
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from async_downloads import DirectoryStore, Downloads, Site

BROWSER: Final = {"Accept": "text/html"}
_LINK: Final = re.compile(r'(?:href|src)="([^"#]+)')


def _fastapi(site: Any) -> Any:
    api = FastAPI()
    api.mount("/files", site)
    return api


def _behind_a_proxy(site: Any) -> Any:
    """Return an app behind a proxy that removes `/api`, which only `root_path` names, as in older FastAPI."""
    api = _starlette(site)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await api({**scope, "root_path": "/api"}, receive, send)

    return app


def _starlette(site: Any) -> Any:
    return Starlette(routes=[Mount("/files", site)])


def _litestar(site: Any) -> Any:
    async def files(scope: Any, receive: Any, send: Any) -> None:
        await site(scope, receive, send)

    return Litestar([asgi("/files", is_mount=True, copy_scope=True)(files)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files in two levels, and one file outside."""
    top = tmp_path / "top"
    (top / "sub & more" / "deep").mkdir(parents=True)
    for name in ("a.txt", "sub & more/b c.md", "sub & more/deep/é.txt"):
        (top / name).write_text(f"content of {name}", "utf-8")
    (tmp_path / "secret.txt").write_text("secret")
    return top


async def _get(app: Any, target: str, **fields: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        return await client.get(target, headers=fields)


@pytest.mark.parametrize("mounted", [_fastapi, _starlette, _litestar, _behind_a_proxy])
async def test_every_link_of_every_page_leads_to_something_below_the_mount(
    folder: Path, mounted: Callable[[Any], Any]
) -> None:
    app = mounted(Site(DirectoryStore(folder)))
    seen, waiting = set[str](), ["http://host/files/"]
    while waiting:
        url = waiting.pop()
        seen.add(url)
        response = await _get(app, url, **BROWSER)
        assert response.status_code == 200, url
        if "text/html" in response.headers["content-type"]:
            found = {urljoin(url, unescape(link)) for link in _LINK.findall(response.text)}
            assert all(link.startswith("http://host/files/") for link in found if link.startswith("http://host"))
            waiting += found - seen - set(waiting)
    paths = {url.partition("?")[0].removeprefix("http://host/files/") for url in seen}
    assert {"a.txt", "sub%20%26%20more/b%20c.md", "sub%20%26%20more/deep/%C3%A9.txt"} <= paths


async def test_the_error_page_of_a_mount_with_a_parameter_links_to_no_other_host(folder: Path) -> None:
    app = Starlette(routes=[Mount("/{tenant:path}/files", Site(DirectoryStore(folder)))])
    url = "http://host//evil.example/files/sub/none"
    response = await _get(app, url, **BROWSER)
    links = [urljoin(url, unescape(link)) for link in _LINK.findall(response.text)]
    assert (response.status_code, len(links)) == (404, 3)
    assert all(link.startswith(("http://host/", "data:")) for link in links)


async def test_a_mounted_folder_is_a_page_a_list_and_an_archive(folder: Path) -> None:
    app = _fastapi(Site(DirectoryStore(folder)))
    page = await _get(app, "/files/", **BROWSER)
    listing = await _get(app, "/files/sub%20%26%20more/?json")
    archive = await _get(app, "/files/sub%20%26%20more/?zip")
    view = await _get(app, "/files/sub%20%26%20more/b%20c.md?view", **BROWSER)
    part = await _get(app, "/files/a.txt", Range="bytes=0-6")
    assert "a.txt" in page.text
    assert [entry["name"] for entry in listing.json()["entries"]] == ["deep", "b c.md"]
    assert "sub & more/deep/é.txt" in zipfile.ZipFile(BytesIO(archive.content)).namelist()
    assert "content of" in view.text
    assert (part.status_code, part.text) == (206, "content")


@pytest.mark.parametrize("target", ["/files/none", "/files/../secret.txt", "/files/%2e%2e/secret.txt"])
async def test_a_missing_file_is_a_page_for_a_browser(folder: Path, target: str) -> None:
    app = _fastapi(Site(DirectoryStore(folder)))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        request = client.build_request("GET", "http://host/", headers=BROWSER)
        request.url = request.url.copy_with(raw_path=target.encode())
        response = await client.send(request)
    assert response.status_code == 404
    assert "secret" not in response.text.replace("secret.txt", "")


def test_the_options_are_those_of_downloads(folder: Path) -> None:
    (folder / "index.html").write_text("<p>front")
    site = Site(DirectoryStore(folder), index=True, attachment=True, cache_control="max-age=60")
    with TestClient(_fastapi(site)) as client:
        front, file = client.get("/files/", headers=BROWSER), client.get("/files/a.txt")
    assert front.text == "<p>front"
    assert file.headers["content-disposition"] == "attachment; filename=a.txt"
    assert file.headers["cache-control"] == "max-age=60"


def test_a_site_alone_is_an_app_too(folder: Path) -> None:
    with TestClient(Site(DirectoryStore(folder))) as client:  # with the lifespan
        assert client.get("/sub%20%26%20more/").status_code == 200


@pytest.mark.parametrize("app", [Downloads, Site])
async def test_files_are_found_behind_a_proxy_that_removes_a_prefix(
    folder: Path, app: Callable[[DirectoryStore], Any]
) -> None:
    response = await _get(_behind_a_proxy(app(DirectoryStore(folder))), "/files/a.txt")
    assert (response.status_code, response.text) == (200, "content of a.txt")
