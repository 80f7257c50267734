"""`DownloadResponse` where an app used Starlette's `FileResponse` before."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.process import descriptors
from harness.waiting import eventually
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from async_downloads.starlette import DownloadResponse

CONTENT = b"0123456789" * 50_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is too large for one message."""
    path = tmp_path / "notes.txt"
    path.write_bytes(CONTENT)
    return path


def get(make: Callable[[], Response], **fields: str) -> Any:
    async def endpoint(request: Request) -> Response:
        return make()

    with TestClient(Starlette(routes=[Route("/", endpoint)])) as client:
        return client.get("/", headers=fields)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"filename": "a.txt"},
        {"filename": "a.txt", "content_disposition_type": "inline"},
        {"filename": "a.txt", "content_disposition_type": "attachment", "media_type": "text/own"},
        {"status_code": 203, "headers": {"X-Own": "1"}},
    ],
)
def test_the_arguments_of_file_response_have_the_same_effect(file: Path, options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"path": file, "stat_result": file.stat(), **options}
    theirs, ours = get(lambda: FileResponse(**given)), get(lambda: DownloadResponse(**given))
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    if "filename" in options:
        found = [each.headers["content-disposition"].replace('"', "") for each in (ours, theirs)]
        assert found[0] == found[1]
    names = ("content-type", "content-length", "x-own")
    assert [ours.headers.get(name) for name in names] == [theirs.headers.get(name) for name in names]


def test_a_path_and_a_content_are_a_mistake(file: Path) -> None:
    given: dict[str, Any] = {"path": file, "content": b"other"}
    with pytest.raises(TypeError, match="'path'"):
        DownloadResponse(**given)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_content_that_is_set_later_sends_none(file: Path, status: int) -> None:
    def make() -> Response:
        response = DownloadResponse(file, filename="a.txt", headers={"X-Own": "1"})
        response.status_code = status
        return response

    received = get(make, Range="bytes=0-1")
    assert (received.status_code, received.content, received.headers["x-own"]) == (status, b"", "1")
    assert not [name for name in received.headers if name.startswith("content-")]
    assert not descriptors(file)


@pytest.mark.parametrize("rolled", [False, True])
def test_an_upload_is_sent_although_its_form_was_closed(rolled: bool) -> None:
    """A type checker must accept an upload, too."""

    def make() -> Response:
        file: Any = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - the upload closes it
        file.write(CONTENT)
        file.seek(0)
        if rolled:
            file.rollover()
        upload = UploadFile(file)
        response = DownloadResponse(upload, media_type="text/own")
        upload.file.close()  # the end of `async with request.form()`
        return response

    whole, part = get(make), get(make, Range="bytes=-5")
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert (part.status_code, part.content) == (206, CONTENT[-5:])


@pytest.mark.parametrize("content", [b"denied", CONTENT])
async def test_a_websocket_is_denied_with_a_download(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "denied.html"
    path.write_bytes(content)

    async def deny(socket: WebSocket) -> None:
        await socket.send_denial_response(DownloadResponse(path, 403))

    client = TestClient(Starlette(routes=[WebSocketRoute("/", deny)]))
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/", headers={"Range": "bytes=1-"}):
        pass
    assert (denied.value.status_code, denied.value.content) == (403, content)
    assert denied.value.headers["content-type"] == "text/html; charset=utf-8"
    await eventually(lambda: not descriptors(path))
