"""Mistakes raise the same exceptions as in Flask, and responses without a file are the same as Flask's."""

import io
from pathlib import Path
from typing import Any, Final

import pytest
import werkzeug.exceptions

from quart_api.conftest import CONTENT
from quart_api.parity import Call, assert_parity, call, failing, memory, opened, sent
from quart_api.twins import Api, View

TEXT: Final[dict[str, Any]] = {"mimetype": "text/plain"}
TWO: Final = "two mistakes at once: that of the file is found first"


def in_text(**options: object) -> View:
    """Return a view that calls `send_file` with a StringIO."""
    return lambda api: api.send_file(io.StringIO("text"), **options)


MISTAKES = [
    call("missing file", sent("missing")),
    call("missing file as attachment", sent("missing", as_attachment=True)),
    call("directory", sent("sub")),
    call("root path", sent("")),
    call("file as directory", sent("notes.txt/x")),
    call("NUL", sent("notes.txt\0")),
    call("long name", sent("x" * 300)),
    call("neither mimetype nor name", memory(CONTENT)),
    call("neither mimetype nor name for an open file", opened("notes.txt")),
    call("attachment without name", memory(CONTENT, as_attachment=True, **TEXT)),
    call("attachment of an open file without name", opened("notes.txt", as_attachment=True, **TEXT)),
    call("text mode", opened("page.html", mode="r", **TEXT)),
    call("text mode, named", opened("page.html", mode="r", download_name="a.txt")),
    call(
        "open for writing only",
        opened("Makefile", mode="ab", **TEXT),
        instead=failing(ValueError),
        why="Flask finds out when it sends",
    ),
    call("StringIO", in_text(**TEXT)),
    call("StringIO without name", in_text(), instead=failing(ValueError), why=TWO),
    call("StringIO as attachment", in_text(as_attachment=True, **TEXT), instead=failing(ValueError), why=TWO),
    call(
        "None", sent(None), instead=failing(werkzeug.exceptions.NotFound), why="safe_join returns it for an unsafe path"
    ),
    call(
        "a path as bytes",
        sent(b"sub/deep/c.txt", **TEXT),
        instead=failing(TypeError),
        why="Flask finds out when it sends",
    ),
    call("unknown option", sent("notes.txt", bogus=True)),
    call("etag with a quote", memory(CONTENT, etag='a"b', **TEXT)),
    call(
        "a number for a file",
        sent(7, **TEXT),
        instead=failing(TypeError),
        why="Flask finds out when it sends",
    ),
]


async def _made(api: Api) -> Any:
    response = await api.make_response(await api.send_file("notes.txt"))
    response.headers["X-Own"] = "mine"
    response.cache_control.no_store = True
    response.set_cookie("seen", "yes")
    return response


async def _changed(api: Api) -> Any:
    response = await api.send_file("large.bin")
    response.status_code = 203
    response.content_type = "application/x-own"
    del response.headers["Content-Disposition"]
    return response


async def _in_a_tuple(api: Api) -> Any:
    return await api.send_file("notes.txt"), 202, {"X-Own": "mine"}


async def _aborted(api: Api) -> Any:
    api.abort(404)


async def _aborted_with_text(api: Api) -> Any:
    api.abort(410, "It was here once.")


OTHERS = [
    call("make_response of bytes", lambda api: api.make_response(CONTENT)),
    call("make_response of text", lambda api: api.make_response("text", 201, {"X-Own": "mine"})),
    call("make_response of nothing", lambda api: api.make_response()),
    call("make_response of a download", _made),
    call("download with changed fields", _changed),
    call("download in a tuple", _in_a_tuple),
    call("abort", _aborted),
    call("abort with text", _aborted_with_text),
]


@pytest.mark.parametrize("row", MISTAKES)
async def test_a_mistake_raises_what_it_raises_in_flask(root: Path, row: Call, with_init: bool) -> None:
    await assert_parity(root, row, with_init=with_init)


@pytest.mark.parametrize("row", OTHERS)
async def test_a_response_without_a_file_is_as_in_flask(root: Path, row: Call, with_init: bool) -> None:
    await assert_parity(root, row, with_init=with_init)
