"""send_file sends the same responses as Flask's, for each kind of argument."""

import time
from collections.abc import Awaitable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pytest

from quart_api.conftest import CONTENT
from quart_api.parity import Call, RequestRow, asked, assert_parity, call, memory, opened, sent, with_fields
from quart_api.twins import Api

GZIP: Final[dict[str, Any]] = {"mimetype": "application/gzip"}
TEXT: Final[dict[str, Any]] = {"mimetype": "text/plain"}
CJK: Final = "filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt"
FALLBACK: Final = "the fallback has an underscore for each character that ASCII lacks (RFC 6266 §4.3)"
LENGTH: Final = "a file's length is known, so it is sent (RFC 9110 §8.6), and its ranges are served (§14.3)"


def named(name: str) -> dict[str, str | None]:
    return {"Content-Disposition": name}


async def by_joined_path(api: Api) -> Any:
    return await api.send_file(api.safe_join(str(api.root), "sub/../notes.txt"))


def by_absolute_path(api: Api) -> Awaitable[Any]:
    return api.send_file(api.root / "notes.txt")


GIVEN = [
    call("relative path", sent("notes.txt")),
    call("Path", sent(Path("sub/deep/c.txt"))),
    call("absolute Path", by_absolute_path),
    call("safe_join", by_joined_path),
    call("link", sent("outwards.txt")),
    call("large file", sent("large.bin")),
    call("empty file", sent("empty.txt")),
    call("BytesIO", memory(CONTENT, **TEXT)),
    call("large BytesIO", memory(CONTENT * 200, **TEXT)),
    call("empty BytesIO", memory(b"", **TEXT)),
    call(
        "BytesIO from where it stands",
        memory(CONTENT, at=100, **TEXT),
        instead=memory(CONTENT[100:], **TEXT),
        why="Flask promises the length of all of it, and sends less (RFC 9110 §8.6)",
    ),
    call("bytes", sent(CONTENT, **TEXT), instead=memory(CONTENT, **TEXT), why="Flask does not take bytes"),
    call("open file", opened("notes.txt", **TEXT), instead=memory(CONTENT, **TEXT), why=LENGTH),
    call("open file from 100", opened("notes.txt", at=100, **TEXT), instead=memory(CONTENT[100:], **TEXT), why=LENGTH),
    call("open empty file", opened("empty.txt", **TEXT), instead=memory(b"", **TEXT), why=LENGTH),
]

TYPES = [
    call("html", sent("page.html")),
    call("upper case", sent("photo.PNG")),
    call("no ending", sent("Makefile")),
    call("unknown ending", sent("data.unknown")),
    call("nothing but an ending", sent(".hidden")),
    call("mimetype", sent("notes.txt", mimetype="text/csv")),
    call("mimetype in XML", sent("notes.txt", mimetype="image/svg+xml")),
    call("mimetype with charset", sent("notes.txt", mimetype="text/plain; charset=latin-1")),
    call("mimetype of BytesIO by name", memory(CONTENT, download_name="plan.pdf")),
    call("mimetype by another name", sent("notes.txt", download_name="plan.pdf")),
    call(
        "no mimetype at all",
        sent("notes.txt", mimetype=""),
        instead=sent("notes.txt"),
        why="an empty Content-Type is none (RFC 9110 §8.3.1)",
    ),
    call(
        "coded tar",
        sent("logs.tar.gz"),
        instead=sent("logs.tar.gz", **GZIP),
        why="it is a gzip file; as a content coding the browser would undo it (RFC 9110 §8.4)",
    ),
    call(
        "coded tar as attachment",
        sent("logs.tar.gz", as_attachment=True),
        instead=sent("logs.tar.gz", as_attachment=True, **GZIP),
        why="it is a gzip file, and no tar",
    ),
]

DISPOSITIONS = [
    call("attachment", sent("notes.txt", as_attachment=True)),
    call("spaces", sent("two words.txt", as_attachment=True)),
    call("quotes", sent('a "quote".txt', as_attachment=True)),
    call("accents", sent("naïve.txt", as_attachment=True)),
    call("download_name", sent("notes.txt", download_name="other.txt")),
    call("download_name as attachment", memory(CONTENT, download_name="other.txt", as_attachment=True)),
    call("download_name with backslash and semicolon", sent("notes.txt", download_name="a\\b;c.txt")),
    call("download_name with slash", sent("notes.txt", download_name="a/b.txt")),
    call("download_name with ligature", sent("notes.txt", download_name="ﬁle.txt")),
    call(
        "CJK",
        sent("日本.txt"),
        instead=with_fields(sent("日本.txt"), named(f"inline; filename=__.txt; {CJK}")),
        why=FALLBACK,
    ),
    call(
        "CJK as attachment",
        memory(CONTENT, download_name="日本.txt", as_attachment=True),
        instead=with_fields(
            memory(CONTENT, download_name="日本.txt", as_attachment=True),
            named(f"attachment; filename=__.txt; {CJK}"),
        ),
        why=FALLBACK,
    ),
    call(
        "percent sign",
        sent("100%25.txt"),
        instead=with_fields(sent("100%25.txt"), named("inline; filename=100%25.txt; filename*=UTF-8''100%2525.txt")),
        why="some readers decode it (RFC 6266 appendix D)",
    ),
    call(
        "line break",
        sent("notes.txt", download_name="a\r\nb.txt"),
        instead=sent("notes.txt", download_name="a__b.txt"),
        why="the name may be a client's: it is made safe, not an error (RFC 9110 §5.5)",
    ),
    call(
        "tab",
        sent("notes.txt", download_name="a\tb.txt"),
        instead=sent("notes.txt", download_name="a_b.txt"),
        why="no control characters in a name (RFC 6266 §4.3)",
    ),
    call(
        "empty",
        sent("notes.txt", download_name="", **TEXT),
        instead=with_fields(sent("notes.txt", **TEXT), {"Content-Disposition": None}),
        why="an empty name names nothing (RFC 6266 §4.3)",
    ),
]

VALIDATORS = [
    call("conditional off", sent("notes.txt", conditional=False)),
    call("conditional off, BytesIO", memory(CONTENT, conditional=False, **TEXT)),
    call("no etag", sent("notes.txt", etag=False)),
    call("etag", sent("notes.txt", etag="v1")),
    call("etag of BytesIO", memory(CONTENT, etag="v1", **TEXT)),
    call("empty etag", sent("notes.txt", etag="")),
    call(
        "etag with a space",
        sent("notes.txt", etag="a b"),
        instead=sent("notes.txt", etag="a%20b"),
        why="no entity tag has one (RFC 9110 §8.8.3)",
    ),
    call(
        "etag beyond Latin-1",
        sent("notes.txt", etag="日"),
        instead=sent("notes.txt", etag="%E6%97%A5"),
        why="no entity tag has such characters (RFC 9110 §8.8.3)",
    ),
    call("naive last_modified", sent("notes.txt", last_modified=datetime(2020, 1, 2, 3, 4, 5))),  # noqa: DTZ001
    call(
        "aware last_modified", sent("notes.txt", last_modified=datetime(2020, 1, 2, tzinfo=timezone(timedelta(1 / 8))))
    ),
    call("last_modified in microseconds", sent("notes.txt", last_modified=datetime(2020, 1, 2, 3, 4, 5, 999999, UTC))),
    call("last_modified as int", memory(CONTENT, last_modified=1_600_000_000, **TEXT)),
    call("last_modified as float", sent("notes.txt", last_modified=1_600_000_000.9)),
    call("last_modified as a day", sent("notes.txt", last_modified=date(2020, 1, 2))),
    call("last_modified as struct_time", memory(CONTENT, last_modified=time.gmtime(1_600_000_000), **TEXT)),
    call("last_modified at the epoch", sent("notes.txt", last_modified=0)),
    call("max_age", sent("notes.txt", max_age=60)),
    call("max_age as float", sent("notes.txt", max_age=60.5)),
    call("max_age of nothing", sent("notes.txt", max_age=0)),
    call("max_age of less", sent("notes.txt", max_age=-1)),
    call("max_age by path", sent("notes.txt", max_age=len)),
    call("max_age without path", memory(CONTENT, max_age=lambda path: 7 if path is None else 0, **TEXT)),
    call("max_age by path, none", sent("notes.txt", max_age=lambda path: None)),
    call(
        "all of them", sent("notes.txt", etag="v1", last_modified=5, max_age=3, conditional=False, as_attachment=True)
    ),
]

METHODS = [
    asked("GET"),
    asked("HEAD", method="HEAD"),
    asked("POST", method="POST", instead={}, why="Accept-Ranges says that a GET may have a Range (RFC 9110 §14.3)"),
]


@pytest.mark.parametrize("requests", METHODS)
@pytest.mark.parametrize("row", [*GIVEN, *TYPES, *DISPOSITIONS, *VALIDATORS])
async def test_a_call_makes_the_same_response_as_in_flask(
    root: Path, row: Call, requests: RequestRow, with_init: bool
) -> None:
    await assert_parity(root, row, requests, with_init=with_init)


@pytest.mark.parametrize("max_age", [None, 0, 3600, timedelta(hours=1)], ids=str)
@pytest.mark.parametrize(
    "row",
    [
        call("path", sent("notes.txt")),
        call("BytesIO", memory(CONTENT, **TEXT)),
        call("max_age", sent("notes.txt", max_age=60)),
        call("max_age of nothing", sent("notes.txt", max_age=0)),
    ],
)
async def test_the_configured_age_counts_as_in_flask(root: Path, row: Call, max_age: object, with_init: bool) -> None:
    await assert_parity(root, row, with_init=with_init, max_age=max_age)
