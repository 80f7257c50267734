"""A view or a hook may set validators after `send_file`, and then call `make_conditional` as in Flask."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from harness.process import descriptors
from harness.waiting import eventually
from quart import Response, request

from async_downloads import send_file
from quart_api.apps import exchange, quart_app

View = Callable[[], Awaitable[Response]]
SMALL, LARGE = b"0123456789", b"0123456789" * 50_000
DATE: Final = "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.fixture(params=[SMALL, LARGE], ids=["small", "large"])
def page(tmp_path: Path, request: pytest.FixtureRequest) -> bytes:
    """The content of the file `page.bin`."""
    content: bytes = request.param
    (tmp_path / "page.bin").write_bytes(content)
    return content


def tagged(*, conditional: bool, accept_ranges: bool, length: int | None = None) -> View:
    """Return a view that sets its own ETag and date, and then follows the conditions of the request."""

    async def view() -> Response:
        response = await send_file("page.bin", conditional=conditional)
        response.set_etag("v1")
        response.headers["Last-Modified"] = DATE
        return await response.make_conditional(request, accept_ranges, length)

    return view


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize(
    ("field", "status", "part"),
    [
        (("If-None-Match", '"v1"'), 304, slice(0)),
        (("If-None-Match", '"v2"'), 200, slice(None)),
        (("If-Match", '"v1"'), 200, slice(None)),
        (("If-Match", '"v2"'), 412, slice(0)),
        (("If-Modified-Since", DATE), 304, slice(0)),
        (("Range", "bytes=1-4"), 206, slice(1, 5)),
        (("Range", "bytes=-5"), 206, slice(-5, None)),
        (("Range", "bytes=900000-"), 416, slice(0)),
    ],
)
async def test_the_validators_of_the_view_decide(
    tmp_path: Path,
    page: bytes,
    conditional: bool,
    field: tuple[str, str],
    status: int,
    part: slice,
    with_init: bool,
) -> None:
    view = tagged(conditional=conditional, accept_ranges=True, length=len(page))
    made = await exchange(quart_app(tmp_path, view, with_init=with_init), field)
    assert (made.status, made.body) == (status, page[part])
    assert made.fields["etag"] == '"v1"'
    if status != 304:
        assert made.fields["content-length"] == str(len(page[part]))
    await eventually(lambda: not descriptors(tmp_path / "page.bin"))


@pytest.mark.parametrize(("tag", "status", "part"), [('"v1"', 206, slice(2)), ('"v2"', 200, slice(None))])
async def test_a_part_is_sent_only_if_the_tag_of_the_view_is_that_of_if_range(
    tmp_path: Path, page: bytes, tag: str, status: int, part: slice, with_init: bool
) -> None:
    app = quart_app(tmp_path, tagged(conditional=True, accept_ranges=False), with_init=with_init)
    made = await exchange(app, ("Range", "bytes=0-1"), ("If-Range", tag))
    assert (made.status, made.body) == (status, page[part])


async def test_without_ranges_the_whole_is_sent(tmp_path: Path, page: bytes, with_init: bool) -> None:
    app = quart_app(tmp_path, tagged(conditional=False, accept_ranges=False), with_init=with_init)
    made = await exchange(app, ("Range", "bytes=0-1"))
    assert (made.status, made.body) == (200, page)


@pytest.mark.parametrize("field", [("Range", "bytes=0-1"), ("If-None-Match", '"v1"')])
@pytest.mark.parametrize("status", [None, 203])
async def test_fields_that_the_view_has_deleted_stay_deleted(
    tmp_path: Path, page: bytes, field: tuple[str, str], status: int | None, with_init: bool
) -> None:
    async def view() -> Response:
        response = await send_file("page.bin")
        for name in ("Cache-Control", "Last-Modified", "ETag"):
            response.headers.pop(name, None)
        if status:
            response.status_code = status
            return response
        return await response.make_conditional(request)

    made = await exchange(quart_app(tmp_path, view, with_init=with_init), field)
    assert not {"cache-control", "last-modified", "etag"} & set(made.fields)
    assert made.fields["content-length"] == str(len(made.body))


async def test_a_status_that_is_set_later_sends_the_whole(tmp_path: Path, page: bytes, with_init: bool) -> None:
    async def view() -> tuple[Response, int]:
        return await tagged(conditional=True, accept_ranges=True)(), 203

    for field in (("Range", "bytes=0-1"), ("If-None-Match", '"v1"'), ("If-Match", '"v2"')):
        made = await exchange(quart_app(tmp_path, view, with_init=with_init), field)
        assert (made.status, made.body, made.fields["etag"]) == (203, page, '"v1"')


async def test_the_parts_of_one_file_never_have_an_etag_of_their_own(
    tmp_path: Path, page: bytes, with_init: bool
) -> None:
    async def view() -> Response:
        response = await send_file("page.bin", etag=False)
        await response.add_etag()
        return await response.make_conditional(request)

    app = quart_app(tmp_path, view, with_init=with_init)
    whole = await exchange(app)
    assert (await exchange(app, ("If-None-Match", whole.fields["etag"]))).status == 304
    for field in (("Range", "bytes=0-1"), ("If-Modified-Since", whole.fields["last-modified"])):
        made = await exchange(app, field)
        assert (made.status in {206, 304}, "etag" in made.fields) == (True, False)


@pytest.mark.parametrize("media_type", ["text/own", None])
async def test_parts_have_the_media_type_that_a_hook_sets(tmp_path: Path, page: bytes, media_type: str | None) -> None:
    async def view() -> Response:
        return await send_file("page.bin")

    async def change(response: Response) -> Response:
        del response.headers["Content-Type"]
        if media_type:
            response.content_type = media_type
        return response

    app = quart_app(tmp_path, view, with_init=True)
    app.after_request(change)
    made = await exchange(app, ("Range", "bytes=0-1,4-5"))
    if page == LARGE:
        assert made.fields["content-type"].startswith("multipart/byteranges; boundary=")
        kind = media_type or "application/octet-stream"
        assert made.body.count(f"Content-Type: {kind}\r\n".encode()) == 2
        assert made.fields["content-length"] == str(len(made.body))
    else:
        assert (made.status, made.body) == (200, page)


def _replacing(response: Response) -> Any:
    response.set_data(b"instead")
    return response


async def _reading(response: Response) -> Response:
    await response.get_data()
    return response


@pytest.mark.parametrize("hook", [_replacing, _reading])
async def test_call_on_close_is_called_if_the_body_was_read_or_replaced(
    tmp_path: Path, page: bytes, hook: Any, with_init: bool
) -> None:
    called = []

    async def view() -> Response:
        response = await send_file("page.bin")
        response.call_on_close(lambda: called.append("before"))
        await app.ensure_async(hook)(response)
        response.call_on_close(lambda: called.append("after"))
        return response

    app = quart_app(tmp_path, view, with_init=with_init)
    made = await exchange(app)
    assert made.body == (page if hook is _reading else b"instead")
    assert called == ["before", "after"]
    assert not descriptors(tmp_path / "page.bin")


async def test_an_error_of_call_on_close_is_logged_and_the_others_are_called(
    tmp_path: Path, page: bytes, caplog: pytest.LogCaptureFixture, with_init: bool
) -> None:
    called = []

    async def view() -> Response:
        response = await send_file("page.bin")
        response.call_on_close(lambda: called.append(1))
        response.call_on_close(lambda: 1 // 0)
        response.call_on_close(lambda: called.append(2))
        return response

    made = await exchange(quart_app(tmp_path, view, with_init=with_init))
    await eventually(lambda: called == [1, 2])
    assert made.body == page
    assert "ZeroDivisionError" in caplog.text
