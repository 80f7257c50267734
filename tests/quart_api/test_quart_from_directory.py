"""send_from_directory sends the same responses as Flask's, and refuses more paths."""

from pathlib import Path
from typing import Any, Final

import pytest
from harness.process import unprivileged
from quart import request

from async_downloads import send_from_directory
from async_downloads.quart import SendOptions
from async_downloads.sources.small_files import SmallFileCache
from quart_api.apps import exchange, quart_app
from quart_api.conftest import CONTENT
from quart_api.parity import Call, assert_parity, below, call, sent
from quart_api.twins import PLAIN, Api, QuartSide

MISSING: Final = below("", "missing")

FOUND = [
    call("nested", below("sub", "deep/c.txt")),
    call("Path objects", below(Path("sub"), Path("deep/c.txt"))),
    call("root path", below("", "notes.txt")),
    call("root path as a dot", below(".", "notes.txt")),
    call("directory with a parent", below("sub/..", "notes.txt")),
    call("path with a parent", below("sub", "deep/../deep/c.txt")),
    call("path through what is missing", below("sub", "missing/../deep/c.txt")),
    call("path with a dot", below("sub", "./deep/./c.txt")),
    call("path with two slashes", below("sub", "deep//c.txt")),
    call("path with a last slash", below("sub", "deep/c.txt/")),
    call("hidden", below("", ".hidden")),
    call("escaped text is a name", below("", "100%25.txt", download_name="x.txt")),
    call("link within", below("", "inwards.txt")),
]

OPTIONS = [
    call("as_attachment", below("sub", "deep/c.txt", as_attachment=True)),
    call("download_name", below("sub", "deep/c.txt", download_name="naïve.pdf")),
    call("mimetype", below("sub", "deep/c.txt", mimetype="text/csv")),
    call("etag", below("sub", "deep/c.txt", etag="v1")),
    call("conditional off", below("sub", "deep/c.txt", conditional=False)),
    call("last_modified", below("sub", "deep/c.txt", last_modified=5)),
    call("max_age by path", below("sub", "deep/c.txt", max_age=len)),
    call("max_age by path with a parent", below("sub", "x/../deep/c.txt", max_age=len)),
    call("unknown option", below("sub", "deep/c.txt", bogus=True)),
    call(
        "coded tar",
        below("", "logs.tar.gz"),
        instead=sent("logs.tar.gz", mimetype="application/gzip"),
        why="it is a gzip file; as a content coding the browser would undo it (RFC 9110 §8.4)",
    ),
]

ABSENT = [
    call("missing", MISSING),
    call("nothing", below("sub", "")),
    call("dot", below("sub", ".")),
    call("directory", below("sub", "deep")),
    call("parent", below("sub", "..")),
    call("file of the parent", below("sub", "../notes.txt")),
    call("file of the parent, later", below("sub", "deep/../../notes.txt")),
    call("out and in again", below("sub", "../sub/deep/c.txt")),
    call("absolute", below("sub", "/etc/passwd")),
    call("two slashes", below("sub", "//etc/passwd")),
    call("absolute file of its own", lambda api: api.send_from_directory(api.root, str(api.root / "notes.txt"))),
    call("NUL", below("", "notes.txt\0")),
    call("no text", below("", "\ud800")),
    call("long name", below("", "x" * 300)),
    call("long path", below("", "x/" * 3000)),
    call("file as directory", below("", "notes.txt/x")),
    call("missing directory", below("missing", "x")),
    call("file for a directory", below("notes.txt", "x")),
    call("line break behind", below("", "notes.txt\n")),
    call("FIFO", below("", "fifo")),
    call(
        "link outwards",
        below("", "outwards.txt"),
        instead=MISSING,
        why="nothing outside of the directory is sent: a user who can write into it must not read other folders",
    ),
    call("backslash", below("", "back\\slash.txt")),
    call(
        "file for a directory, and no path",
        below("notes.txt", ""),
        instead=MISSING,
        why="a file is not below itself",
    ),
]

JOINED = [
    "deep/c.txt",
    "deep/../deep/c.txt",
    "../notes.txt",
    "deep/../../notes.txt",
    "/etc/passwd",
    "",
    "..",
    "a\\..\\b",
]


@pytest.mark.parametrize("row", [*FOUND, *OPTIONS, *ABSENT])
async def test_a_path_from_a_client_gets_the_same_response_as_in_flask(root: Path, row: Call, with_init: bool) -> None:
    await assert_parity(root, row, with_init=with_init)


@pytest.mark.parametrize("path", JOINED)
async def test_safe_join_joins_as_in_flask(root: Path, path: str, with_init: bool) -> None:
    async def view(api: Api) -> Any:
        return await api.make_response(repr(api.safe_join("sub", path)))

    await assert_parity(root, Call(view, view), with_init=with_init)


async def test_a_file_that_may_not_be_read_is_forbidden_where_flask_fails(tmp_path: Path, with_init: bool) -> None:
    closed = tmp_path / "closed.txt"
    closed.write_bytes(CONTENT)
    closed.chmod(0)
    with unprivileged():
        response = await QuartSide(tmp_path, below("", "closed.txt"), with_init=with_init).ask(PLAIN)
    assert (response.status, response.raised) == (403, "Forbidden")


async def test_options_of_one_call_do_not_affect_the_next(
    tmp_path: Path, with_init: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SmallFileCache, "_CLOCK_TICK_NS", -(10**18))  # cache every file at its first read
    (tmp_path / "notes.txt").write_bytes(CONTENT)

    async def view() -> Any:
        own: SendOptions = {"as_attachment": True}
        if "own" in request.headers:
            own |= {"mimetype": "text/csv", "download_name": "own.csv", "etag": "own"}
        return await send_from_directory(tmp_path, "notes.txt", **own)

    app = quart_app(tmp_path, view, with_init=with_init)
    for fields in ([("own", "1")], [], [("own", "1")]):
        response = (await exchange(app, *fields)).fields
        found = (
            response["content-type"].partition(";")[0],
            response["content-disposition"],
            response["etag"] == '"own"',
        )
        name, media_type = ("own.csv", "text/csv") if fields else ("notes.txt", "text/plain")
        assert found == (media_type, f"attachment; filename={name}", bool(fields))
