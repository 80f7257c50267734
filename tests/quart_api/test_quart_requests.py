"""Conditional and range requests get the same responses as in Flask, or those of RFC 9110 where Flask differs."""

import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import pytest
from quart import Response
from semantics import wire

from async_downloads import send_file
from quart_api.apps import exchange, quart_app
from quart_api.conftest import CONTENT
from quart_api.parity import Call, RequestRow, asked, assert_parity, below, call, memory, opened, sent
from quart_api.twins import PLAIN, Ask, FlaskSide, QuartSide

OLD: Final = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER: Final = "Sun, 06 Nov 2044 08:49:37 GMT"
IGNORED: Final = "a malformed range is ignored; it is no error (RFC 9110 §14.2)"
STATIC: Final[dict[str, Any]] = {"mimetype": "text/plain", "etag": "v1", "last_modified": 1_600_000_000}
FIRST: Final = ("Range", "bytes=0-9")
STRONG: Final = "only ranges of exactly the same version may be combined (RFC 9110 §13.1.5)"

CALLS = [
    call("file", sent("notes.txt")),
    call("large file", sent("large.bin", as_attachment=True, max_age=60)),
    call("from directory", below("sub", "deep/c.txt")),
    call("BytesIO", memory(CONTENT, **STATIC)),
    call(
        "open file",
        opened("notes.txt", at=48, **STATIC),
        instead=memory(CONTENT[48:], **STATIC),
        why="a file's length is known, so its ranges are served (RFC 9110 §14.3)",
    ),
]

CONDITIONAL = [
    asked("tag hit", ("If-None-Match", "{etag}")),
    asked("tag hit, HEAD", ("If-None-Match", "{etag}"), method="HEAD"),
    asked("tag miss", ("If-None-Match", '"other"')),
    asked("tag hit weakly", ("If-None-Match", "W/{etag}")),
    asked("tag in a list", ("If-None-Match", '"other", {etag}')),
    asked("any tag", ("If-None-Match", "*")),
    asked("no tag", ("If-None-Match", "other")),
    asked("same tag", ("If-Match", "{etag}")),
    asked("other tag", ("If-Match", '"other"')),
    asked("other tag, HEAD", ("If-Match", '"other"'), method="HEAD"),
    asked("same tag, but weak", ("If-Match", "W/{etag}")),
    asked("tag in a list to match", ("If-Match", '"other", {etag}')),
    asked("any tag to match", ("If-Match", "*"), instead={}, why="there is a representation (RFC 9110 §13.1.1)"),
    asked("no tag to match", ("If-Match", "other")),
    asked("a tag in a bad list to match", ("If-Match", "{etag}, other")),
    asked("a tag in a bad list", ("If-None-Match", "other, {etag}")),
    asked("not since", ("If-Modified-Since", "{date}")),
    asked("since long", ("If-Modified-Since", OLD)),
    asked("not since later", ("If-Modified-Since", LATER)),
    asked("since no date", ("If-Modified-Since", "yesterday")),
    asked("as it was", ("If-Unmodified-Since", "{date}")),
    asked(
        "as it was long ago",
        ("If-Unmodified-Since", OLD),
        instead={"If-Match": '"other"'},
        why="it is a precondition, too (RFC 9110 §13.1.4)",
    ),
    asked("tag miss masks date hit", ("If-None-Match", '"other"'), ("If-Modified-Since", "{date}")),
    asked("tag hit masks date miss", ("If-None-Match", "{etag}"), ("If-Modified-Since", OLD)),
    asked("other tag before tag hit", ("If-Match", '"other"'), ("If-None-Match", "{etag}")),
    asked(
        "same tag, then tag hit",
        ("If-Match", "{etag}"),
        ("If-None-Match", "{etag}"),
        instead={"If-None-Match": "{etag}"},
        why="the one that holds goes on to the other (RFC 9110 §13.2.2)",
    ),
    asked("same tag masks old date", ("If-Match", "{etag}"), ("If-Unmodified-Since", OLD)),
    asked(
        "tag hit with range",
        ("If-None-Match", "{etag}"),
        FIRST,
        instead={"If-None-Match": "{etag}"},
        why="conditions come before the range (RFC 9110 §13.2.2)",
    ),
    asked(
        "other tag with range",
        ("If-Match", '"other"'),
        FIRST,
        instead={"If-Match": '"other"'},
        why="conditions come before the range (RFC 9110 §13.2.2)",
    ),
    asked("tag miss with range", ("If-None-Match", '"other"'), FIRST),
    asked("POST with tag hit", ("If-None-Match", "{etag}"), method="POST", instead={}, why="the POST has been done"),
]

RANGES = [
    asked("first bytes", FIRST),
    asked("first bytes, HEAD", FIRST, method="HEAD"),
    asked("first byte", ("Range", "bytes=0-0")),
    asked("from ten", ("Range", "bytes=10-")),
    asked("last bytes", ("Range", "bytes=-10")),
    asked("last byte", ("Range", "bytes=-1")),
    asked("all", ("Range", "bytes=0-")),
    asked("to beyond the end", ("Range", "bytes=5-99999999")),
    asked("beyond the end", ("Range", "bytes=99999999-")),
    asked("beyond the end, HEAD", ("Range", "bytes=99999999-"), method="HEAD"),
    asked("last none", ("Range", "bytes=-0")),
    asked("two beyond the end", ("Range", "bytes=99999999-,88888888-")),
    asked("space before", ("Range", "bytes= 0-9")),
    asked("unit in another case", ("Range", "BYTES=0-9")),
    asked(
        "more last bytes than there are",
        ("Range", "bytes=-99999999"),
        instead={"Range": "bytes=0-"},
        why="they are all there is (RFC 9110 §14.1.2)",
    ),
    asked(
        "one of two beyond the end",
        ("Range", "bytes=99999999-,0-9"),
        instead={"Range": "bytes=0-9"},
        why="one that can be satisfied is enough (RFC 9110 §14.1.2)",
    ),
    asked(
        "empty element",
        ("Range", "bytes=0-9,"),
        instead={"Range": "bytes=0-9"},
        why="a list may have them (RFC 9110 §5.6.1.2)",
    ),
    asked("backwards", ("Range", "bytes=9-0"), instead={}, why=IGNORED),
    asked("no numbers", ("Range", "bytes=abc"), instead={}, why=IGNORED),
    asked("nothing", ("Range", "bytes="), instead={}, why=IGNORED),
    asked("dash", ("Range", "bytes=-"), instead={}, why=IGNORED),
    asked("too many dashes", ("Range", "bytes=0-0-0"), instead={}, why=IGNORED),
    asked("spaces within", ("Range", "bytes=5 - 9"), instead={}, why=IGNORED),
    asked("another unit", ("Range", "lines=0-9"), instead={}, why=IGNORED),
    asked("if of same tag", FIRST, ("If-Range", "{etag}")),
    asked("if of other tag", FIRST, ("If-Range", '"other"')),
    asked("if of same date", FIRST, ("If-Range", "{date}")),
    asked("if of old date", FIRST, ("If-Range", OLD)),
    asked("if of no date", FIRST, ("If-Range", "yesterday")),
    asked("if without range", ("If-Range", "{etag}")),
    asked("if of same tag, but weak", FIRST, ("If-Range", "W/{etag}"), instead={}, why=STRONG),
    asked("if of later date", FIRST, ("If-Range", LATER), instead={}, why=STRONG),
    asked("POST", FIRST, method="POST", instead={}, why="ranges are for GET (RFC 9110 §14.2)"),
]

UNTAGGED = [
    pytest.param({"If-Modified-Since": "{date}"}, 304, id="not since"),
    pytest.param({"If-None-Match": '"other"'}, 200, id="tag miss"),
    pytest.param({"If-None-Match": "*"}, 304, id="any tag: it exists, §13.1.2; Flask: 200"),
    pytest.param({"If-Match": "*"}, 200, id="any tag to match: it exists, §13.1.1"),
    pytest.param({"If-Match": '"other"'}, 412, id="other tag: none is the same, §13.1.1; Flask: 200"),
    pytest.param(
        {"If-None-Match": '"x"', "If-Modified-Since": "{date}"}, 200, id="tag miss masks date, §13.1.3; Flask: 304"
    ),
    pytest.param({"Range": "bytes=0-9", "If-Range": "{date}"}, 206, id="range if of same date"),
    pytest.param({"Range": "bytes=0-9", "If-Range": '"other"'}, 200, id="range if of a tag"),
]

SEVERAL = [
    pytest.param(("0-1", "5-6"), id="two"),
    pytest.param(("-10", "0-0"), id="last before first"),
    pytest.param(("1-1", "3-3", "9-20"), id="three"),
]


@pytest.mark.parametrize("requests", [*CONDITIONAL, *RANGES])
@pytest.mark.parametrize("row", CALLS)
async def test_a_request_gets_the_same_response_as_in_flask(
    root: Path, row: Call, requests: RequestRow, with_init: bool
) -> None:
    await assert_parity(root, row, requests, with_init=with_init)


@pytest.mark.parametrize("requests", [*CONDITIONAL, *RANGES])
async def test_without_conditional_a_request_gets_the_whole_as_in_flask(
    root: Path, requests: RequestRow, with_init: bool
) -> None:
    view = sent("notes.txt", conditional=False)
    await assert_parity(root, Call(view, view), RequestRow(requests.ask, requests.ask), with_init=with_init)


@pytest.mark.parametrize("field", ["bytes=0-9", "bytes=-5", "bytes=5-", "bytes=-0"])
async def test_a_range_of_nothing_is_the_whole_as_in_flask(root: Path, field: str, with_init: bool) -> None:
    row, ask = Call(sent("empty.txt"), sent("empty.txt")), Ask({"Range": field})
    await assert_parity(root, row, RequestRow(ask, ask), with_init=with_init)


@pytest.mark.parametrize(("fields", "status"), UNTAGGED)
async def test_without_a_tag_the_date_decides(root: Path, fields: dict[str, str], status: int, with_init: bool) -> None:
    side = QuartSide(root, sent("notes.txt", etag=False), with_init=with_init)
    assert (await side.ask(Ask(fields).of(await side.ask(PLAIN)))).status == status


async def test_a_304_without_a_tag_has_the_date(root: Path, with_init: bool) -> None:
    side = QuartSide(root, sent("notes.txt", etag=False), with_init=with_init)
    known = await side.ask(PLAIN)
    response = await side.ask(Ask({"If-Modified-Since": "{date}"}).of(known))
    assert response.fields == {name: known.fields[name] for name in ("cache-control", "last-modified")}


@pytest.mark.parametrize("ranges", SEVERAL)
async def test_several_ranges_are_the_parts_that_flask_gives_one_by_one(
    root: Path, ranges: tuple[str, ...], with_init: bool
) -> None:
    """Flask refuses several ranges with 416; we send a 206 with multipart/byteranges (RFC 9110 §14.6)."""
    flask = FlaskSide(root, sent("notes.txt"))
    single = [await flask.ask(Ask({"Range": f"bytes={one}"})) for one in ranges]
    ours = await QuartSide(root, sent("notes.txt"), with_init=with_init).ask(
        Ask({"Range": f"bytes={','.join(ranges)}"})
    )
    assert (ours.status, ours.fields["content-length"]) == (206, str(len(ours.body)))
    assert wire.parts(ours.fields["content-type"], ours.body) == [
        (one.fields["content-type"], one.fields["content-range"], one.body) for one in single
    ]


async def test_a_date_in_the_future_is_sent_as_now(root: Path, with_init: bool) -> None:
    """Flask sends the future date; an origin server must not do that (RFC 9110 §8.8.2.1)."""
    response = await QuartSide(root, sent("notes.txt", last_modified=time.time() + 3600), with_init=with_init).ask(
        PLAIN
    )
    assert parsedate_to_datetime(response.fields["last-modified"]).timestamp() <= time.time()


@pytest.mark.parametrize("secret", ["a secret", b"a secret"])
async def test_servers_with_the_same_secret_send_the_same_parts(root: Path, secret: str | bytes) -> None:
    async def view() -> Response:
        return await send_file("large.bin")

    field = ("Range", "bytes=0-1,5-6")
    apps = [quart_app(root, view, with_init=True, DOWNLOAD_SECRET=each) for each in (secret, "a secret")]
    one, other = [await exchange(app, field) for app in apps]
    assert (one.status, one.body) == (206, other.body)
