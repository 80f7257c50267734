"""`DownloadResponse` in Starlette, without a server: every kind of content, every field, every status."""

import asyncio
import gzip
import io
import logging
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from harness.asgi import Exchange, ask, scope
from harness.process import descriptors
from harness.sources import SlicedSource
from harness.waiting import HANGING
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from async_downloads import sending
from async_downloads.content import BinaryFile
from async_downloads.errors import SourceBusy, SourceChanged, SourceError, SourceTruncated
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Representation, Validators
from async_downloads.starlette import DownloadResponse

CONTENT: Final = b"0123456789" * 20_000
DATE: Final = "Wed, 21 Oct 2015 07:28:00 GMT"
MOMENT: Final = 1445412480


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A text file with a fixed date."""
    path = tmp_path / "notes.txt"
    path.write_bytes(CONTENT)
    os.utime(path, (MOMENT, MOMENT))
    return path


def app_of(make: Callable[[], Response], *middlewares: Middleware, **options: Any) -> Starlette:
    """Return an app whose only route returns the response."""

    async def endpoint(request: Request) -> Response:
        return make()

    route = Route("/", endpoint, methods=["GET", "POST"])
    return Starlette(routes=[route], middleware=list(middlewares), **options)


def get(make: Callable[[], Response], *, method: str = "GET", **fields: str) -> Any:
    """Send one request through Starlette's test client; `_` in the names of fields stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    with TestClient(app_of(make)) as client:
        return client.request(method, "/", headers={"Accept-Encoding": "identity", **named})


async def _chunks() -> AsyncIterator[bytes]:
    yield b"01234"
    yield b"56789"


def _texts() -> Iterator[str]:
    yield "01234"
    yield "56789"


@pytest.mark.parametrize(
    ("make", "has_ranges"),
    [
        pytest.param(lambda path: path, True, id="a path"),
        pytest.param(str, True, id="a path as text"),
        pytest.param(lambda path: path.open("rb"), True, id="a file object"),
        pytest.param(lambda path: b"0123456789", True, id="bytes"),
        pytest.param(lambda path: bytearray(b"0123456789"), True, id="a bytearray"),
        pytest.param(lambda path: io.BytesIO(b"0123456789"), True, id="a file in memory"),
        pytest.param(lambda path: SlicedSource(b"0123456789"), True, id="a source"),
        pytest.param(lambda path: _chunks(), False, id="an asynchronous iterator"),
        pytest.param(lambda path: _texts(), False, id="an iterator of text"),
    ],
)
def test_content_of_any_kind_is_sent(tmp_path: Path, make: Callable[[Path], Any], has_ranges: bool) -> None:
    path = tmp_path / "digits.bin"
    path.write_bytes(b"0123456789")
    whole = get(lambda: DownloadResponse(make(path)))
    part = get(lambda: DownloadResponse(make(path)), Range="bytes=2-4")
    assert (whole.status_code, whole.content) == (200, b"0123456789")
    assert (part.status_code, part.content) == ((206, b"234") if has_ranges else (200, b"0123456789"))


def _file_objects(folder: Path) -> Iterator[BinaryFile]:
    """Yield a file of each kind that the standard library makes; a type checker must accept all of them."""
    (folder / "plain").write_bytes(b"0123456789")
    yield (folder / "plain").open("rb")
    yield (folder / "plain").open("rb", buffering=0)
    with gzip.open(folder / "packed.gz", "wb") as packed, zipfile.ZipFile(folder / "all.zip", "w") as archive:
        packed.write(b"0123456789")
        archive.writestr("member", b"0123456789")
    yield gzip.open(folder / "packed.gz")  # noqa: SIM115 - the response closes it
    with zipfile.ZipFile(folder / "all.zip") as archive:
        yield archive.open("member")
    kinds = tempfile.NamedTemporaryFile, tempfile.SpooledTemporaryFile
    for temporary in (kind() for kind in kinds):
        temporary.write(b"0123456789")
        temporary.seek(0)
        yield temporary


def test_a_file_of_every_kind_is_sent_and_closed(tmp_path: Path) -> None:
    for file in _file_objects(tmp_path):
        assert get(partial(DownloadResponse, file)).content == b"0123456789", file
        assert file.closed


@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        pytest.param({}, 200, CONTENT, id="the whole"),
        pytest.param({"Range": "bytes=5-9"}, 206, b"56789", id="a range"),
        pytest.param({"Range": "bytes=-3"}, 206, b"789", id="the end"),
        pytest.param({"Range": "bytes=5-9", "If_Range": DATE}, 206, b"56789", id="a range of this version"),
        pytest.param({"Range": "bytes=5-9", "If_Range": '"other"'}, 200, CONTENT, id="a range of another version"),
        pytest.param({"Range": "bytes=900000-"}, 416, b"", id="a range behind the end"),
        pytest.param({"If_None_Match": "*"}, 304, b"", id="any version is known"),
        pytest.param({"If_Modified_Since": DATE}, 304, b"", id="not modified"),
        pytest.param({"If_Match": '"other"'}, 412, b"", id="another version is expected"),
        pytest.param({"If_Unmodified_Since": "Wed, 21 Oct 2005 07:28:00 GMT"}, 412, b"", id="modified"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_and_ranges_are_followed(
    file: Path, method: str, fields: dict[str, str], status: int, body: bytes
) -> None:
    response = get(lambda: DownloadResponse(file), method=method, **fields)
    assert (response.status_code, response.content) == (status, body if method == "GET" else b"")
    assert "content-length" in response.headers or status == 304
    assert descriptors(file) == {}


def test_several_ranges_are_one_multipart_body(file: Path) -> None:
    response = get(lambda: DownloadResponse(file), Range="bytes=0-1,100-104")
    assert response.status_code == 206
    assert response.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert b"Content-Range: bytes 100-104/200000\r\n\r\n01234\r\n" in response.content
    assert len(response.content) == int(response.headers["content-length"])


def test_the_response_to_a_post_is_whole(file: Path) -> None:
    response = get(lambda: DownloadResponse(file), method="POST", Range="bytes=5-9", If_None_Match="*")
    assert (response.status_code, response.content) == (200, CONTENT)


def test_an_iterator_may_promise_its_size() -> None:
    response = get(lambda: DownloadResponse(_texts(), headers={"Content-Length": "10"}))
    assert (response.headers["content-length"], response.headers["accept-ranges"]) == ("10", "none")
    assert response.content == b"0123456789"


@pytest.mark.parametrize(("promised", "error"), [(11, SourceTruncated), (9, SourceChanged)])
async def test_an_iterator_that_breaks_its_promise_never_looks_complete(promised: int, error: type[Exception]) -> None:
    app = app_of(lambda: DownloadResponse(_chunks(), headers={"Content-Length": str(promised)}))
    exchange = Exchange(scope())
    with pytest.raises(error):
        await app(exchange.scope, exchange.receive, exchange.send)
    assert len(exchange.body) < promised
    assert not exchange.complete


@pytest.mark.parametrize("length", ["-1", "ten", ""])
def test_a_promised_size_that_is_no_number_is_an_error_of_the_route(length: str) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    file = os.fdopen(reading, "rb")
    with pytest.raises(ValueError, match="not a Content-Length"):
        get(lambda: DownloadResponse(file, headers={"Content-Length": length}))
    assert file.closed


def test_a_promised_size_of_an_iterator_that_fails_at_once_is_an_error_of_the_route() -> None:
    def failing() -> Iterator[bytes]:
        yield from [bytes([1 // 0])]

    with pytest.raises(ZeroDivisionError):
        get(lambda: DownloadResponse(failing(), headers={"Content-Length": "1"}))


def test_a_response_with_another_status_is_whole(file: Path) -> None:
    response = get(lambda: DownloadResponse(file, 201), Range="bytes=5-9", If_None_Match="*")
    assert (response.status_code, response.content) == (201, CONTENT)
    assert "accept-ranges" not in response.headers


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, "inline; filename=notes.txt", id="shown under its own name"),
        pytest.param({"filename": "é.txt"}, "attachment; filename=e.txt; filename*=UTF-8''%C3%A9.txt", id="named"),
        pytest.param({"filename": "a.txt", "attachment": False}, "inline; filename=a.txt", id="named and shown"),
        pytest.param({"attachment": True}, "attachment; filename=notes.txt", id="saved under its own name"),
        pytest.param({"headers": {"Content-Disposition": "inline"}}, "inline", id="a field of the route"),
    ],
)
def test_the_name_and_the_place_of_a_file(file: Path, options: dict[str, Any], expected: str) -> None:
    assert get(lambda: DownloadResponse(file, **options)).headers["content-disposition"] == expected


def test_bytes_have_no_name_of_their_own() -> None:
    assert "content-disposition" not in get(lambda: DownloadResponse(b"data")).headers
    assert get(lambda: DownloadResponse(b"data", attachment=True)).headers["content-disposition"] == "attachment"


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        pytest.param("notes.txt", {}, "text/plain; charset=utf-8", id="by the path"),
        pytest.param("notes.txt", {"filename": "a.pdf"}, "application/pdf", id="by the name"),
        pytest.param("notes.txt", {"media_type": "text/csv"}, "text/csv; charset=utf-8", id="as given"),
        pytest.param("notes.txt", {"media_type": "text/csv; charset=latin-1"}, "text/csv; charset=latin-1", id="coded"),
        pytest.param("notes.txt", {"headers": {"content-type": "text/x"}}, "text/x", id="a field of the route"),
        pytest.param(b"data", {}, "application/octet-stream", id="unknown"),
        pytest.param(b"data", {"filename": "a.json"}, "application/json", id="bytes with a name"),
        pytest.param(SlicedSource(b"data"), {"filename": "a.json"}, "text/plain", id="as the source says"),
    ],
)
def test_the_media_type_of_a_response(file: Path, content: Any, options: dict[str, Any], expected: str) -> None:
    given = file if content == "notes.txt" else content
    assert get(lambda: DownloadResponse(given, **options)).headers["content-type"] == expected


def test_a_subclass_has_a_media_type_for_all_its_responses() -> None:
    class Pdf(DownloadResponse):
        media_type = "application/pdf"

    assert get(lambda: Pdf(b"data")).headers["content-type"] == "application/pdf"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, "no-cache", id="the default"),
        pytest.param({"cache_control": "private, max-age=60"}, "private, max-age=60", id="as given"),
        pytest.param({"cache_control": None}, None, id="none"),
        pytest.param({"headers": {"Cache-Control": "no-store"}}, "no-store", id="a field of the route"),
    ],
)
@pytest.mark.parametrize(
    ("status", "fields"), [(200, {}), (206, {"Range": "bytes=0-1"}), (304, {"If_None_Match": "*"})]
)
def test_caches_learn_how_long_they_may_keep_a_file(
    file: Path, options: dict[str, Any], expected: str | None, status: int, fields: dict[str, str]
) -> None:
    response = get(lambda: DownloadResponse(file, **options), **fields)
    assert (response.status_code, response.headers.get("cache-control")) == (status, expected)


def test_fields_that_describe_the_file_are_not_in_a_response_without_it(file: Path) -> None:
    given = {"Cache-Control": "max-age=60", "Content-Language": "en", "Content-Length": "7", "X-Own": "kept"}
    for status, fields in (
        (304, {"If_None_Match": "*"}),
        (412, {"If_Match": '"x"'}),
        (416, {"Range": "bytes=900000-"}),
    ):
        response = get(lambda: DownloadResponse(file, headers=given), **fields)
        assert (response.status_code, response.headers["x-own"]) == (status, "kept")
        assert response.headers.get("content-length") == (None if status == 304 else "0")
        assert response.headers.get("cache-control") == ("max-age=60" if status == 304 else None)
        assert "content-language" not in response.headers
        assert "content-type" not in response.headers


def test_a_route_may_set_fields_and_cookies_later(file: Path) -> None:
    def make() -> Response:
        response = DownloadResponse(file)
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        response.headers["Content-Encoding"] = "identity"
        return response

    response = get(make, Range="bytes=0-1")
    assert [value.partition(";")[0] for value in response.headers.get_list("set-cookie")] == ["a=1", "b=2"]
    assert response.headers["content-encoding"] == "identity"
    assert len(response.headers.get_list("content-length")) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"etag": "v1"}, '"v1"', id="a text"),
        pytest.param({"etag": "é"}, '"%C3%A9"', id="a text with other characters"),
        pytest.param({"etag": False}, None, id="none"),
        pytest.param({"headers": {"ETag": 'W/"v1"'}}, 'W/"v1"', id="a field of the route"),
        pytest.param({}, '"of_the_source"', id="that of the source"),
    ],
)
def test_an_etag_is_sent_and_compared(options: dict[str, Any], expected: str | None) -> None:
    found = Representation(4, validators=Validators(ETag("of_the_source")))

    def make() -> Response:
        return DownloadResponse(SlicedSource(b"data", representation=found), **options)

    assert get(make).headers.get("etag") == expected
    assert get(make, If_None_Match=expected or '"of_the_source"').status_code == (304 if expected else 200)


def test_no_field_that_a_route_has_set_is_kept_in_a_cache(file: Path) -> None:
    caches = (sending._encoded_heads, sending._encoded)
    for cache in caches:
        cache.clear()
    held = []
    for number in "123":
        response = get(partial(DownloadResponse, file, headers={"Set-Cookie": f"a={number}", "X-Own": number}))
        assert (response.headers["set-cookie"], response.headers["x-own"]) == (f"a={number}", number)
        held.append([len(cache) for cache in caches])
    assert held == [held[0]] * 3
    assert held[0][0] == 1


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"last_modified": MOMENT}, id="seconds"),
        pytest.param({"last_modified": datetime.fromtimestamp(MOMENT, UTC)}, id="a date"),
        pytest.param({"last_modified": time.gmtime(MOMENT)}, id="struct_time"),
        pytest.param({"headers": {"Last-Modified": DATE}}, id="a field of the route"),
    ],
)
def test_a_date_is_sent_and_compared(options: dict[str, Any]) -> None:
    assert get(lambda: DownloadResponse(b"data", **options)).headers["last-modified"] == DATE
    assert get(lambda: DownloadResponse(b"data", **options), If_Modified_Since=DATE).status_code == 304


@pytest.mark.parametrize(
    ("content", "options", "error", "message"),
    [
        pytest.param(b"", {"status_code": 204}, ValueError, "status 204 has no content", id="a status without content"),
        pytest.param(b"", {"etag": '"v1"'}, ValueError, "entity tag", id="an ETag with quotes"),
        pytest.param(io.StringIO("text"), {}, ValueError, "binary mode", id="a file in text mode"),
        pytest.param(None, {}, TypeError, "expected a path, a file, bytes", id="nothing"),
        pytest.param({"a": 1}, {}, TypeError, "expected a path, a file, bytes", id="an object for JSON"),
    ],
)
def test_a_wrong_argument_is_an_error_at_once(
    content: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DownloadResponse(content, **options)


def test_a_path_that_is_missing_or_a_folder_is_an_error_of_the_route(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        get(lambda: DownloadResponse(tmp_path / "none.txt"))
    with pytest.raises(IsADirectoryError):
        get(lambda: DownloadResponse(tmp_path))
    with pytest.raises(TypeError, match="is a path as bytes"):
        get(lambda: DownloadResponse(os.fsencode(__file__)))


def test_an_app_may_turn_a_missing_path_into_a_response(tmp_path: Path) -> None:
    async def not_found(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": "no such report"}, 404)

    app = app_of(lambda: DownloadResponse(tmp_path / "none"), exception_handlers={FileNotFoundError: not_found})
    with TestClient(app) as client:
        response = client.get("/")
    assert (response.status_code, response.json()) == (404, {"detail": "no such report"})


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [(SourceBusy("busy", retry_after=7), 503, "7"), (SourceError("secret"), 502, None)],
)
def test_a_source_that_fails_at_its_beginning_is_an_error_response(
    error: SourceError, status: int, wait: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    response = get(lambda: DownloadResponse(SlicedSource(CONTENT, until=0, error=error)))
    assert (response.status_code, response.headers.get("retry-after")) == (status, wait)
    assert str(error) not in response.text
    assert f"GET '/': {status}: {error}" in caplog.messages


BASE: Final = Middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
GZIP: Final = Middleware(GZipMiddleware, compresslevel=1)
STACKS: Final = {"none": [], "base": [BASE], "gzip": [GZIP], "both": [BASE, GZIP]}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_files_and_ranges_pass_through_middlewares(file: Path, stack: list[Middleware]) -> None:
    with TestClient(app_of(lambda: DownloadResponse(file), *stack)) as client:
        whole = client.get("/")
        part = client.get("/", headers={"Range": "bytes=100000-199998"})
        known = client.get("/", headers={"If-None-Match": whole.headers["etag"]})
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert (part.status_code, part.content) == (206, CONTENT[100_000:199_999])
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
async def test_a_body_that_is_cut_never_looks_complete(
    stack: list[Middleware], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    source = SlicedSource(CONTENT, chunk=20_000, until=100_000, error=SourceTruncated("truncated"))
    exchange = Exchange(scope(fields=[("Accept-Encoding", "gzip")]))
    with pytest.raises((SourceTruncated, AssertionError)):  # the second one is that of BaseHTTPMiddleware
        await app_of(lambda: DownloadResponse(source), *stack)(exchange.scope, exchange.receive, exchange.send)
    assert source.closed
    assert not exchange.complete


@pytest.mark.parametrize("stack", [[BASE], [BASE, GZIP]], ids=["base", "both"])
async def test_the_error_of_a_route_is_logged_if_a_middleware_hides_it(
    stack: list[Middleware], caplog: pytest.LogCaptureFixture
) -> None:
    def rows() -> Iterator[str]:
        yield "row"
        raise ValueError("the database is gone")

    exchange = Exchange(scope())
    with pytest.raises((ValueError, AssertionError)):
        await app_of(lambda: DownloadResponse(rows()), *stack)(exchange.scope, exchange.receive, exchange.send)
    assert not exchange.complete
    assert caplog.text.count("ValueError: the database is gone") == 1


def test_a_background_task_runs_after_the_file_was_sent(file: Path) -> None:
    response = get(lambda: DownloadResponse(file, background=BackgroundTask(file.unlink)))
    assert (response.content, file.exists()) == (CONTENT, False)


async def test_a_background_task_runs_also_if_the_client_has_left(file: Path) -> None:
    exchange = Exchange(scope(fields=[("Accept-Encoding", "gzip")]))
    exchange.at[2] = exchange.left.set
    app = app_of(lambda: DownloadResponse(SlicedSource(CONTENT, chunk=100), background=BackgroundTask(file.unlink)))
    async with asyncio.timeout(HANGING):
        await app(exchange.scope, exchange.receive, exchange.send)
    assert (exchange.complete, file.exists()) == (False, False)


async def test_a_response_for_a_path_or_for_bytes_may_be_sent_again(file: Path) -> None:
    for response in (DownloadResponse(file), DownloadResponse(CONTENT)):
        assert [(await ask(response)).body for _ in range(2)] == [CONTENT] * 2


def test_without_starlette_one_line_says_what_to_install() -> None:
    program = "import sys; sys.modules['starlette'] = None\nimport async_downloads.starlette"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    last = ended.stderr.strip().splitlines()[-1]
    assert last.endswith(
        "async_downloads.starlette needs Starlette: install 'async-downloads[starlette]' with pip, pipx or uv"
    )


def test_neither_quart_nor_httpx_is_loaded() -> None:
    program = "import sys, async_downloads.starlette; from async_downloads import Site; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert not {"quart", "httpx", "hypercorn", "werkzeug"} & set(loaded.split())
