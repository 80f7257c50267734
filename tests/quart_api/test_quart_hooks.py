"""Quart treats a download as an ordinary response (hooks, sessions, error handlers); old parameter names work."""

import gc
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from harness.process import descriptors, no_descriptors_left
from harness.waiting import eventually
from quart import Quart, Response, request, session
from quart.testing import WebsocketResponseError
from werkzeug.exceptions import HTTPException

from async_downloads import init_app, send_file, send_from_directory, send_source, sending
from async_downloads.errors import DownloadError, Forbidden, IsDirectory, NotFound, SourceBusy, SourceTruncated
from async_downloads.quart.app import DownloadConnection
from async_downloads.sources.streams import StreamSource
from quart_api.apps import exchange, quart_app

View = Callable[[], Awaitable[Response]]


async def by_path() -> Response:
    return await send_file("large.bin")


async def from_directory() -> Response:
    return await send_from_directory("", "large.bin")


@pytest.fixture(params=[by_path, from_directory], ids=["send_file", "send_from_directory"])
def view(request: pytest.FixtureRequest) -> View:
    """Each of the two ways to send a large file."""
    call: View = request.param
    return call


@pytest.fixture
def app(large: Path, view: View, with_init: bool) -> Quart:
    """An app that sends the file."""
    return quart_app(large.parent, view, with_init=with_init)


async def test_before_request_may_return_a_response_instead(app: Quart) -> None:
    @app.before_request
    async def refuse() -> tuple[str, int]:
        return f"{request.method} is not for you", 401

    made = await exchange(app)
    assert (made.status, made.body) == (401, b"GET is not for you")


async def test_after_request_may_change_fields_and_status(app: Quart, content: bytes) -> None:
    @app.after_request
    async def change(response: Response) -> Response:
        response.headers["Cache-Control"] = "private"
        response.headers["X-Own"] = "mine"
        del response.headers["ETag"]
        response.status_code = 203
        return response

    made = await exchange(app)
    assert (made.status, made.body) == (203, content)
    assert (made.fields["cache-control"], made.fields["x-own"], "etag" in made.fields) == ("private", "mine", False)


async def test_a_session_is_kept_over_downloads(app: Quart) -> None:
    app.secret_key = "not very"

    @app.before_request
    async def count() -> None:
        session["count"] = session.get("count", 0) + 1

    @app.after_request
    async def tell(response: Response) -> Response:
        response.headers["X-Count"] = str(session["count"])
        return response

    first = await exchange(app)
    second = await exchange(app, ("Cookie", first.fields["set-cookie"].partition(";")[0]))
    assert [first.fields["x-count"], second.fields["x-count"]] == ["1", "2"]


async def test_no_field_of_an_app_is_kept_in_a_cache(app: Quart) -> None:
    caches = (sending._encoded_heads, sending._encoded)
    for cache in caches:
        cache.clear()

    @app.after_request
    async def add(response: Response) -> Response:
        response.headers["Set-Cookie"] = "a=hidden"
        return response

    app.asgi_http_class = DownloadConnection
    assert (await exchange(app)).fields["set-cookie"] == "a=hidden"
    assert sum([len(cache) for cache in caches]) <= 1  # the first one holds that there were no fields


async def test_after_request_may_read_the_body(app: Quart, large: Path, content: bytes) -> None:
    seen = []

    @app.after_request
    async def read(response: Response) -> Response:
        seen.append(await response.get_data(as_text=False))
        return response

    made = await exchange(app, ("Range", "bytes=1000-2999999"))
    assert (made.status, seen, made.body) == (206, [content[1000:3_000_000]], content[1000:3_000_000])
    assert descriptors(large) == {}


async def test_after_request_may_replace_the_body(app: Quart, large: Path) -> None:
    @app.after_request
    async def replace(response: Response) -> Response:
        response.set_data(b"instead")
        return response

    made = await exchange(app)
    assert (made.body, made.fields["content-length"]) == (b"instead", "7")
    await eventually(lambda: not descriptors(large))


async def test_the_file_is_closed_after_an_error_of_a_hook(
    app: Quart, large: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @app.after_request
    async def fail(response: Response) -> Response:
        raise ZeroDivisionError

    with caplog.at_level(logging.CRITICAL + 1, app.logger.name):  # `caplog` keeps the records
        made = await exchange(app)
    gc.collect()  # the traceback held the response
    await eventually(lambda: not descriptors(large))
    assert made.status == 500


async def test_a_function_for_max_age_gets_the_path(large: Path, with_init: bool) -> None:
    asked: list[str | None] = []

    async def view() -> Response:
        return await send_from_directory(".", "large.bin", max_age=asked.append)

    made = await exchange(quart_app(large.parent, view, with_init=with_init))
    assert (made.fields["cache-control"], [Path(str(path)) for path in asked]) == ("no-cache", [large])


@pytest.fixture
async def imported(tmp_path: Path, with_init: bool) -> None:
    """Import the modules that the first responses need: without free descriptors the imports would fail."""

    async def view() -> Response:
        raise SourceBusy("x")

    for each_view in (view, by_path):
        await exchange(quart_app(tmp_path, each_view, with_init=with_init))


@pytest.mark.usefixtures("imported")
async def test_without_descriptors_a_download_is_503_with_retry_after(app: Quart, content: bytes) -> None:
    with no_descriptors_left():
        made = await exchange(app)
    assert (made.status, made.fields["retry-after"]) == (503, "1")
    assert (await exchange(app)).body == content


@pytest.mark.usefixtures("imported")
async def test_without_descriptors_a_file_object_is_503_with_retry_after(large: Path, with_init: bool) -> None:
    with large.open("rb") as file:

        async def view() -> Response:
            return await send_file(file, mimetype="a/b")

        with no_descriptors_left():
            made = await exchange(quart_app(large.parent, view, with_init=with_init))
    assert (made.status, made.fields["retry-after"]) == (503, "1")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(NotFound("x"), 404, id="NotFound"),
        pytest.param(IsDirectory("x"), 404, id="IsDirectory"),
        pytest.param(Forbidden("x"), 403, id="Forbidden"),
        pytest.param(SourceTruncated("x"), 502, id="SourceTruncated"),
        pytest.param(SourceBusy("x"), 503, id="SourceBusy"),
    ],
)
async def test_an_error_of_a_store_in_a_view_becomes_its_status(error: DownloadError, status: int) -> None:
    async def view() -> Response:
        raise error

    made = await exchange(quart_app(Path("/"), view, with_init=True))
    assert (made.status, made.fields.get("retry-after")) == (status, "1" if status == 503 else None)


@pytest.mark.parametrize(("error", "status"), [(NotFound("x"), 404), (SourceBusy("x"), 503)])
@pytest.mark.parametrize("registered", ["status", "HTTPException", "Exception"])
async def test_the_app_responds_to_an_error_of_a_store_as_to_abort(
    error: DownloadError, status: int, registered: str
) -> None:
    async def view() -> Response:
        raise error

    async def own(failure: HTTPException) -> tuple[str, int]:
        return f"own {failure.code}", 418

    app = quart_app(Path("/"), view, with_init=True)
    app.register_error_handler({"HTTPException": HTTPException, "Exception": Exception}.get(registered, status), own)
    made = await exchange(app)
    assert (made.status, made.body) == (418, f"own {status}".encode())


@pytest.mark.parametrize(("error", "status"), [(NotFound("x"), 404), (SourceBusy("x"), 503)])
async def test_an_error_of_a_store_denies_a_websocket(error: DownloadError, status: int) -> None:
    app = quart_app(Path("/"), by_path, with_init=True)

    @app.websocket("/socket")
    async def socket() -> None:
        raise error

    async with app.test_client().websocket("/socket") as connection:
        with pytest.raises(WebsocketResponseError) as denied:
            await connection.receive()
    assert denied.value.response.status_code == status


async def test_a_handler_that_the_app_has_registered_before_stays() -> None:
    async def view() -> Response:
        raise NotFound("x")

    async def own(error: DownloadError) -> tuple[str, int]:
        return type(error).__name__, 418

    app = quart_app(Path("/"), view, with_init=False)
    app.register_error_handler(DownloadError, own)
    init_app(app)
    made = await exchange(app)
    assert (made.status, made.body) == (418, b"NotFound")


@pytest.mark.parametrize(
    ("former", "name", "value", "field", "expected"),
    [
        ("attachment_filename", "download_name", "a b.txt", "content-disposition", 'inline; filename="a b.txt"'),
        ("add_etags", "etag", False, "etag", None),
        ("cache_timeout", "max_age", 60, "cache-control", "public, max-age=60"),
    ],
)
@pytest.mark.parametrize("function", [send_file, send_from_directory, send_source], ids=lambda one: one.__name__)
async def test_a_former_name_works_with_a_warning(
    large: Path, function: Any, former: str, name: str, value: object, field: str, expected: str | None
) -> None:
    async def view() -> Response:
        given = {send_from_directory: ("", "large.bin"), send_source: (StreamSource(_nothing()),)}
        with pytest.warns(DeprecationWarning, match=f"'{former}' is now called '{name}'") as found:
            response: Response = await function(*given.get(function, ("large.bin",)), **{former: value})
        assert found[0].filename == __file__
        return response

    assert (await exchange(quart_app(large.parent, view, with_init=True))).fields.get(field) == expected


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield b""


@pytest.mark.parametrize("function", [send_file, send_source], ids=lambda one: one.__name__)
async def test_an_unknown_name_raises_type_error(function: Any) -> None:
    with pytest.raises(TypeError, match="bogus"):
        await function("large.bin", bogus=True)
