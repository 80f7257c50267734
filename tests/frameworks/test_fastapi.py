"""An app of FastAPI that returns downloads from its routes, and has a site below a path."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Final

import pytest
from conftest import Serve
from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from server.sending import ZERO_COPY, Recorded

from async_downloads.sources.archive import archive_of
from async_downloads.sources.directory import DirectoryStore
from async_downloads.starlette import DownloadResponse

CONTENT: Final = b"0123456789" * 20_000


def app_of(folder: Path) -> FastAPI:
    """Return the app: each route returns the file in another way."""
    api = FastAPI()
    report = folder / "report.pdf"
    _add_store(api, DirectoryStore(folder))

    @api.head("/annotated")
    @api.get("/annotated")
    async def annotated() -> DownloadResponse:
        return DownloadResponse(report, filename="Report.pdf")

    @api.get("/threaded")
    def threaded() -> DownloadResponse:
        return DownloadResponse(report)

    @api.get("/named-class", response_class=DownloadResponse)
    async def named_class() -> Any:
        return str(report)

    @api.get("/once")
    async def once(tasks: BackgroundTasks) -> DownloadResponse:
        tasks.add_task(report.unlink)
        return DownloadResponse(report)

    return api


def _user(authorization: Annotated[str | None, Header()] = None) -> Iterator[str]:
    if authorization != "Bearer right":
        raise HTTPException(401)
    yield "ann"


def _add_store(api: FastAPI, store: DirectoryStore) -> None:
    @api.get("/private/{name:path}")
    async def private(name: str, user: Annotated[str, Depends(_user)]) -> DownloadResponse:
        return await DownloadResponse.from_store(store, name)

    @api.get("/archive")
    async def archive() -> DownloadResponse:
        return DownloadResponse(await archive_of(store, "", "reports"), attachment=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a report of 200 KB."""
    (tmp_path / "report.pdf").write_bytes(CONTENT)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    """A client of the app."""
    with TestClient(app_of(folder)) as client:
        yield client


@pytest.mark.parametrize("target", ["/annotated", "/threaded", "/named-class", "/private/report.pdf"])
def test_a_route_returns_a_file_with_ranges_and_conditions(client: TestClient, target: str) -> None:
    client.headers["Authorization"] = "Bearer right"
    whole = client.get(target)
    part = client.get(target, headers={"Range": "bytes=5-9", "If-Range": whole.headers["etag"]})
    known = client.get(target, headers={"If-None-Match": whole.headers["etag"]})
    beyond = client.get(target, headers={"Range": "bytes=900000-"})
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["content-type"] == "application/pdf"
    assert (part.status_code, part.content) == (206, b"56789")
    assert (known.status_code, known.content) == (304, b"")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


def test_a_route_that_allows_head_responds_without_the_file(client: TestClient) -> None:
    response = client.head("/annotated")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(CONTENT))
    assert response.headers["content-disposition"] == "attachment; filename=Report.pdf"


def test_a_dependency_protects_a_file_and_a_missing_one_is_the_404_of_fastapi(client: TestClient) -> None:
    assert client.get("/private/report.pdf").status_code == 401
    response = client.get("/private/none.pdf", headers={"Authorization": "Bearer right"})
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


def test_a_background_task_of_the_route_runs_after_the_file_was_sent(client: TestClient, folder: Path) -> None:
    assert client.get("/once").content == CONTENT
    assert not (folder / "report.pdf").exists()


def test_a_route_returns_a_folder_as_an_archive(client: TestClient) -> None:
    response = client.get("/archive")
    assert response.headers["content-disposition"] == "attachment; filename=reports.zip"
    assert response.headers["content-length"] == str(len(response.content))
    assert zipfile.ZipFile(BytesIO(response.content)).read("reports/report.pdf") == CONTENT


def test_the_documentation_of_the_api_has_the_routes(client: TestClient) -> None:
    assert "/named-class" in client.get("/openapi.json").json()["paths"]


async def test_the_kernel_sends_a_file_that_a_route_returns(serve: Serve, folder: Path) -> None:
    app = Recorded(app_of(folder))
    server = await serve(app)
    async with server.connected() as connection:
        await connection.ask("/annotated")
        status, _, body = await connection.read_response()
        await connection.ask("/annotated", "Range: bytes=10-199989")
        part = await connection.read_response()
    assert (status, body == CONTENT) == (200, True)
    assert (part[0], part[2] == CONTENT[10:199_990]) == (206, True)
    assert app.bytes_by(ZERO_COPY) > 2 * 150_000
