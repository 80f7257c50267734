"""Changes that a view makes after `send_file`, and the effect of `init_app` on an app and its test client."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from harness.process import descriptors
from harness.sources import SlicedSource
from harness.waiting import eventually
from quart import Quart, Response, request, session
from quart.asgi import ASGIHTTPConnection
from quart.testing import QuartClient

from async_downloads import init_app, make_response, safe_join, send_file, send_from_directory
from async_downloads.errors import SourceError, SourceTruncated
from quart_api.apps import exchange, quart_app

View = Callable[[], Awaitable[Any]]
LARGE, SMALL = b"0123456789" * 50_000, b"0123456789"


@pytest.fixture(params=[SMALL, LARGE], ids=["small", "large"])
def page(tmp_path: Path, request: pytest.FixtureRequest) -> bytes:
    """The content of the file `page.html`."""
    content: bytes = request.param
    (tmp_path / "page.html").write_bytes(content)
    return content


def sending(**options: Any) -> View:
    """Return a view that sends the page."""

    async def view() -> Any:
        return await send_file("page.html", **options)

    return view


async def _in_a_tuple() -> Any:
    return await send_file("page.html"), 200


async def _made() -> Any:
    return await make_response(await send_file("page.html"), 200)


async def _with_fields() -> Any:
    return await send_file("page.html"), 200, {"X-Own": "1"}


async def _not_found() -> Any:
    return await send_from_directory(".", "page.html"), 404


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"If-None-Match": "{etag}"}, id="304"),
        pytest.param({"If-Match": '"other"'}, id="412"),
        pytest.param({"Range": "bytes=0-3"}, id="206"),
        pytest.param({"Range": "bytes=0-1,4-5"}, id="206 of two parts"),
        pytest.param({"Range": "bytes=900000-"}, id="416"),
        pytest.param({}, id="200"),
    ],
)
@pytest.mark.parametrize("view", [_in_a_tuple, _made, _with_fields, _not_found])
async def test_a_view_that_sets_another_status_sends_the_whole_file(
    tmp_path: Path, page: bytes, view: View, fields: dict[str, str], with_init: bool
) -> None:
    app = quart_app(tmp_path, view, with_init=with_init)
    first = await exchange(app)
    asked = [(name, value.format(etag=first.fields["etag"])) for name, value in fields.items()]
    second = await exchange(app, *asked)
    assert (second.status, second.body) == (404 if view is _not_found else 200, page)
    assert second.fields == first.fields
    assert "content-range" not in second.fields
    head = await exchange(app, *asked, method="HEAD")
    assert (head.status, head.body, head.fields) == (second.status, b"", first.fields)
    await eventually(lambda: not descriptors(tmp_path / "page.html"))


@pytest.mark.parametrize("field", [("If-None-Match", "*"), ("If-Match", '"other"'), ("Range", "bytes=900000-")])
async def test_a_response_that_stays_as_planned_has_no_content_and_leaves_nothing_open(
    tmp_path: Path, page: bytes, field: tuple[str, str], with_init: bool
) -> None:
    made = await exchange(quart_app(tmp_path, sending(), with_init=with_init), field)
    assert (made.status in {304, 412, 416}, made.body) == (True, b"")
    assert "content-type" not in made.fields
    assert not descriptors(tmp_path / "page.html")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_view_may_choose_a_status_without_content(
    tmp_path: Path, page: bytes, status: int, with_init: bool
) -> None:
    async def view() -> Any:
        return await send_file("page.html"), status

    made = await exchange(quart_app(tmp_path, view, with_init=with_init))
    assert (made.status, made.body, "content-length" in made.fields) == (status, b"", False)


async def test_what_the_view_has_set_before_the_status_stays(tmp_path: Path, page: bytes) -> None:
    async def view() -> Response:
        response = await send_file("page.html")
        response.headers["Content-Type"] = "text/own"
        response.headers["Cache-Control"] = "max-age=7"
        response.status_code = 203
        return response

    made = await exchange(quart_app(tmp_path, view, with_init=True), ("If-None-Match", "*"))
    assert (made.status, made.body) == (203, page)
    assert (made.fields["content-type"], made.fields["cache-control"]) == ("text/own", "max-age=7")


@pytest.mark.parametrize("fields", [[], [("If-None-Match", "*")], [("Range", "bytes=2-5")]])
async def test_call_on_close_is_called_when_the_file_has_been_sent(
    tmp_path: Path, page: bytes, fields: list[tuple[str, str]], with_init: bool
) -> None:
    """So a view can delete a file that it made for one response only."""
    called: list[str] = []

    async def view() -> Response:
        response = await send_file("page.html")

        @response.call_on_close
        def remove() -> None:
            (tmp_path / "page.html").unlink()
            called.append("function")

        @response.call_on_close
        async def note() -> None:
            called.append("coroutine function")

        return response

    made = await exchange(quart_app(tmp_path, view, with_init=with_init), *fields)
    assert made.body in {page, b"", page[2:6]}
    await eventually(lambda: called == ["function", "coroutine function"])
    assert not (tmp_path / "page.html").exists()


async def test_call_on_close_is_called_when_the_client_has_left(large: Path) -> None:
    called: list[bool] = []

    async def view() -> Response:
        response = await send_file("large.bin")
        response.call_on_close(lambda: called.append(True))
        return response

    async with quart_app(large.parent, view, with_init=True).test_client().request("/") as connection:
        await connection.send_complete()
        await connection.receive()
        await connection.disconnect()
    assert called == [True]


async def test_none_of_safe_join_is_404(tmp_path: Path, with_init: bool) -> None:
    async def view() -> Response:
        return await send_file(safe_join(str(tmp_path), "../x"))

    assert (await exchange(quart_app(tmp_path, view, with_init=with_init))).status == 404


@pytest.mark.parametrize("etag", ["a b", "é", "日本\n"])
async def test_an_etag_of_any_characters_is_the_same_when_it_comes_back(tmp_path: Path, page: bytes, etag: str) -> None:
    app = quart_app(tmp_path, sending(etag=etag), with_init=True)
    first = await exchange(app)
    assert first.fields["etag"].isascii()
    assert (await exchange(app, ("If-None-Match", first.fields["etag"]))).status == 304


@pytest.mark.filterwarnings("ignore:.* is now called:DeprecationWarning")
@pytest.mark.parametrize(
    ("function", "options"),
    [
        (send_from_directory, {"directory": ".", "filename": "page.html", "as_attachment": True}),
        (send_from_directory, {"directory": ".", "file_name": "page.html", "as_attachment": True}),
        (send_file, {"filename_or_fp": "page.html", "attachment_filename": "page.html", "as_attachment": True}),
        (send_file, {"filename_or_io": "page.html", "add_etags": True, "as_attachment": True}),
    ],
)
async def test_a_view_of_flask_1_or_of_quart_runs_as_it_is_typed(
    tmp_path: Path, page: bytes, function: Any, options: dict[str, Any]
) -> None:
    async def view() -> Any:
        return await function(**options)

    made = await exchange(quart_app(tmp_path, view, with_init=True))
    assert (made.status, made.body) == (200, page)
    assert made.fields["content-disposition"] == "attachment; filename=page.html"


async def test_two_names_of_one_parameter_raise_type_error() -> None:
    with pytest.raises(TypeError, match="'filename' is the former name of 'path'"):
        await send_from_directory(".", path="a", filename="b")  # type: ignore[call-arg] # its former name


class _OwnConnection(ASGIHTTPConnection):
    """A connection class of an app."""


class _OwnClient(QuartClient):
    """A test client of an app."""


class _OwnResponse(Response):
    """A response class of an app."""

    own = True


def test_the_classes_of_the_app_are_derived_from_and_twice_is_once(tmp_path: Path) -> None:
    app = Quart(__name__, root_path=str(tmp_path))
    app.asgi_http_class, app.test_client_class = _OwnConnection, cast("Any", _OwnClient)
    init_app(app)
    once = app.asgi_http_class
    init_app(app)
    assert once is app.asgi_http_class
    assert issubclass(once, _OwnConnection)
    assert isinstance(app.test_client(), _OwnClient)


async def test_a_download_is_a_response_of_the_class_of_the_app(tmp_path: Path, page: bytes, with_init: bool) -> None:
    seen: list[Response] = []

    async def view() -> Response:
        seen.append(await send_file("page.html"))
        return seen[0]

    app = quart_app(tmp_path, view, with_init=with_init)
    app.response_class = _OwnResponse
    assert (await exchange(app)).body == page
    assert isinstance(seen[0], _OwnResponse)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, "no-cache", id="the default of Quart"),
        pytest.param(60, "public, max-age=60", id="a number"),
        pytest.param(timedelta(hours=12), "public, max-age=43200", id="a time as long as the default"),
    ],
)
async def test_files_are_kept_by_caches_only_if_the_app_says_so(
    tmp_path: Path, page: bytes, value: object, expected: str
) -> None:
    app = Quart(__name__, root_path=str(tmp_path))
    if value is not None:
        app.config["SEND_FILE_MAX_AGE_DEFAULT"] = value
    init_app(app)
    app.add_url_rule("/", "view", sending())
    assert (await app.test_client().get("/")).headers["Cache-Control"] == expected


async def _reads_the_session() -> None:
    session.get("user")


async def _changes_the_session() -> None:
    session["user"] = 1


async def _asks_for_nothing() -> None:
    request.headers.get("Accept")


@pytest.mark.parametrize(
    ("before", "fields", "expected"),
    [
        (_reads_the_session, [], "private, max-age=60"),
        (_changes_the_session, [], "private, max-age=60"),
        (_asks_for_nothing, [("Authorization", "Basic YTpi")], "private, max-age=60"),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_response_for_one_user_is_not_public(
    tmp_path: Path,
    page: bytes,
    before: Callable[[], Awaitable[None]],
    fields: Any,
    expected: str,
    when: str,
    with_init: bool,
) -> None:
    app = quart_app(tmp_path, sending(max_age=60), with_init=with_init)
    app.secret_key = "not very"
    if when == "before":
        app.before_request(before)
    else:

        @app.after_request
        async def after(response: Response) -> Response:
            await before()
            return response

    for more in ([], [("Range", "bytes=0-1")], [("If-None-Match", "*")]):
        assert (await exchange(app, *fields, *more)).fields["cache-control"] == expected


@pytest.mark.parametrize("value", ["public, max-age=86400", "public, max-age=60, immutable"])
async def test_cache_control_of_a_hook_stays(tmp_path: Path, page: bytes, value: str, with_init: bool) -> None:
    app = quart_app(tmp_path, sending(max_age=60), with_init=with_init)
    app.secret_key = "not very"
    app.before_request(_changes_the_session)

    @app.after_request
    async def after(response: Response) -> Response:
        response.headers["Cache-Control"] = value
        return response

    assert (await exchange(app)).fields["cache-control"] == value


async def test_a_download_that_sets_a_cookie_is_private(tmp_path: Path, page: bytes) -> None:
    async def view() -> tuple[Response, int]:
        response = await send_file("page.html", max_age=60)
        response.set_cookie("seen", "yes")
        return response, 203

    app = quart_app(tmp_path, view, with_init=True)
    for field in ("bytes=0-1", "bytes=999999-"):
        assert (await exchange(app, ("Range", field))).fields["cache-control"] == "private, max-age=60"


async def test_a_response_for_everybody_is_public(tmp_path: Path, page: bytes) -> None:
    app = quart_app(tmp_path, sending(max_age=60), with_init=True)
    assert (await exchange(app)).fields["cache-control"] == "public, max-age=60"


async def test_the_test_client_shows_the_length_of_a_head(tmp_path: Path, page: bytes) -> None:
    client = quart_app(tmp_path, sending(), with_init=True).test_client()
    head, get = await client.head("/"), await client.get("/")
    assert (head.headers["Content-Length"], await head.get_data()) == (str(len(page)), b"")
    assert sorted(head.headers) == sorted(get.headers)
    same = await client.get("/", headers={"If-None-Match": get.headers["ETag"]})
    assert (same.status_code, "Content-Length" in same.headers) == (304, False)


@pytest.mark.parametrize("error", [SourceTruncated("short"), TimeoutError("slow")])
async def test_a_broken_body_raises_in_the_test_client(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def view() -> Response:
        return await send_file(SlicedSource(LARGE, until=100_000, error=error), mimetype="a/b")

    with caplog.at_level(logging.CRITICAL), pytest.raises(SourceError, match=str(error)):
        await quart_app(tmp_path, view, with_init=True).test_client().get("/")
