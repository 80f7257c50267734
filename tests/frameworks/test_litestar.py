"""An app of Litestar whose handlers return downloads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from harness.asgi import Exchange, scope
from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers.base import BaseRouteHandler
from litestar.testing import TestClient

from async_downloads.region_messages import ZERO_COPY_SEND
from async_downloads.sources.directory import DirectoryStore
from async_downloads.starlette import DownloadResponse

CONTENT: Final = b"0123456789" * 20_000


def _guard(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    if connection.headers.get("authorization") != "Bearer right":
        raise NotAuthorizedException


def app_of(folder: Path) -> Litestar:
    """Return the app: one handler for a path, and one for the files of a store."""
    store = DirectoryStore(folder)

    @get("/report")
    async def report() -> DownloadResponse:
        return DownloadResponse(folder / "report.pdf", filename="Report.pdf")

    @get("/private/{name:path}", guards=[_guard])
    async def private(request: Request) -> DownloadResponse:  # type: ignore[type-arg]
        return await DownloadResponse.from_store(store, str(request.path_params["name"]))

    return Litestar([report, private])


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient[Litestar]]:
    """A client of the app."""
    (tmp_path / "report.pdf").write_bytes(CONTENT)
    with TestClient(app_of(tmp_path)) as client:
        yield client


@pytest.mark.parametrize("target", ["/report", "/private/report.pdf"])
def test_a_handler_returns_a_file_with_ranges_and_conditions(client: TestClient[Litestar], target: str) -> None:
    client.headers["Authorization"] = "Bearer right"
    whole = client.get(target)
    part = client.get(target, headers={"Range": "bytes=5-9"})
    known = client.get(target, headers={"If-None-Match": whole.headers["etag"]})
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert (part.status_code, part.content) == (206, b"56789")
    assert (known.status_code, known.content) == (304, b"")


def test_a_guard_protects_a_file_and_a_missing_one_is_the_404_of_litestar(client: TestClient[Litestar]) -> None:
    assert client.get("/private/report.pdf").status_code == 401
    response = client.get("/private/none.pdf", headers={"Authorization": "Bearer right"})
    assert (response.status_code, response.json()["detail"]) == (404, "Not Found")


def test_the_documentation_of_the_api_has_the_handlers(client: TestClient[Litestar]) -> None:
    assert "/report" in client.get("/schema/openapi.json").json()["paths"]


@pytest.mark.parametrize("first", [("Range", "bytes=0-1"), ("If-None-Match", "*"), ("Accept", "*/*")])
async def test_a_cached_response_is_whole_and_has_plain_messages(tmp_path: Path, first: tuple[str, str]) -> None:
    (tmp_path / "report.pdf").write_bytes(CONTENT)

    @get("/", cache=60)
    async def report() -> DownloadResponse:
        return DownloadResponse(tmp_path / "report.pdf")

    app: Any = Litestar([report])
    for fields in ([first], []):
        asked = {**scope("/", fields=fields), "extensions": {ZERO_COPY_SEND: {"acknowledged": int, "room": lambda: 0}}}
        exchange = Exchange(asked)
        await app(exchange.scope, exchange.receive, exchange.send)
        assert (exchange.status, exchange.body) == (200, CONTENT)
