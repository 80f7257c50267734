"""Files of a database over HTTP: `/files/download/<id>` follows RFC 9110 and reveals no internals."""

import base64
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from email.parser import BytesParser
from pathlib import Path
from typing import cast

import httpx
import pytest
from conftest import Serve
from harness.asgi import App
from harness.waiting import HANGING
from sources.archive.unpacking import unpacked
from tools.databases import database as database  # noqa: PLC0414
from tools.databases import opened
from tools.databases import postgres as postgres  # noqa: PLC0414
from tools.databases import sqlite as sqlite  # noqa: PLC0414

from async_downloads.config import Settings
from async_downloads.semantics.dates import format_date
from async_downloads.site.stored import StoredFiles
from async_downloads.sources.database.database_catalogue import DatabaseCatalogue
from async_downloads.sources.database.sqlite import SqliteStore
from async_downloads.sources.database.sqlite_schema import TABLE
from async_downloads.sources.database.sqlite_sql import SqliteSql
from async_downloads.sources.database.urls import path_of
from served_site.conftest import SiteOf
from served_site.stock import DATA, NAME, Stock
from served_site.stock import more as more  # noqa: PLC0414
from served_site.stock import stock as stock  # noqa: PLC0414

_TAG = f'"{hashlib.sha256(DATA).hexdigest()}"'
_LONG_AGO = "Thu, 01 Jan 1970 00:00:01 GMT"
_SIZE = len(DATA)

_REQUESTS = [
    pytest.param({}, 200, DATA, id="whole"),
    pytest.param({"range": "bytes=10-20"}, 206, DATA[10:21], id="range"),
    pytest.param({"range": "bytes=1000-"}, 206, DATA[1000:], id="range-to-the-end"),
    pytest.param({"range": "bytes=-5"}, 206, DATA[-5:], id="last-bytes"),
    pytest.param({"range": f"bytes={_SIZE}-"}, 416, b"", id="range-beyond"),
    pytest.param({"range": "bytes=x"}, 200, DATA, id="no-range"),
    pytest.param({"if_none_match": _TAG}, 304, b"", id="known"),
    pytest.param({"if_none_match": f"W/{_TAG}"}, 304, b"", id="known-weakly"),
    pytest.param({"if_none_match": "*"}, 304, b"", id="any-known"),
    pytest.param({"if_none_match": '"other"'}, 200, DATA, id="another-known"),
    pytest.param({"if_none_match": _TAG, "range": "bytes=10-20"}, 304, b"", id="known-range"),
    pytest.param({"if_match": _TAG}, 200, DATA, id="match"),
    pytest.param({"if_match": '"other"'}, 412, b"", id="no-match"),
    pytest.param({"if_unmodified_since": _LONG_AGO}, 412, b"", id="modified"),
    pytest.param({"if_modified_since": _LONG_AGO}, 200, DATA, id="modified-since"),
    pytest.param({"range": "bytes=10-20", "if_range": _TAG}, 206, DATA[10:21], id="resumed"),
    pytest.param({"range": "bytes=10-20", "if_range": '"other"'}, 200, DATA, id="not-resumed"),
    pytest.param({"range": "bytes=10-20", "if_range": _LONG_AGO}, 200, DATA, id="not-resumed-by-date"),
]
_NO_ID = {
    "nothing": "",
    "zero": "0",
    "negative": "-1",
    "sign": "+1",
    "leading zero": "01",
    "fraction": "1.0",
    "underscore": "1_0",
    "space before": "%201",
    "space behind": "1%20",
    "line break": "1%0A",
    "NUL": "1%00",
    "other digits": "%D9%A1",
    "no UTF-8": "%FF",
    "lone surrogate": "%ED%A0%80",
    "large": "9223372036854775807",
    "too large": "9223372036854775808",
    "endless": "9" * 5000,
    "slash behind": "1/",
    "two segments": "1/1",
    "encoded slash": "1%2F1",
    "parent": "..",
    "from the parent": "../download/1",
    "encoded twice": "%2531",
    "name": "reports/na%C3%AFve%20plan.pdf",
    "pattern": "%25",
    "quote": "'%20or%20''='",
    "formatted": "%7B0%7D",
}


@pytest.mark.parametrize(("fields", "status", "body"), _REQUESTS)
async def test_it_is_served_like_any_file_and_head_like_get(
    stock: Stock, fields: dict[str, str], status: int, body: bytes
) -> None:
    response, head = await stock.get(**fields), await stock.site.ask(stock.target, "HEAD", **fields)
    assert (response.status_code, response.content) == (status, body)
    assert (head.status_code, head.content) == (status, b"")
    assert {**head.headers, "date": ""} == {**response.headers, "date": ""}


async def test_its_fields_contain_all_that_the_database_knows(stock: Stock) -> None:
    response = await stock.get()
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert {**response.headers, "date": "", "server": ""} == {
        "content-type": "application/pdf",
        "content-length": str(_SIZE),
        "x-content-type-options": "nosniff",
        "accept-ranges": "bytes",
        "content-disposition": "attachment; filename=\"naive plan.pdf\"; filename*=UTF-8''na%C3%AFve%20plan.pdf",
        "last-modified": format_date(stock.files[NAME].created),
        "repr-digest": f"sha-256=:{digest}:",
        "etag": _TAG,
        "cache-control": "no-cache",
        "date": "",
        "server": "",
    }


async def test_a_range_has_a_content_range(stock: Stock) -> None:
    response = await stock.get(range="bytes=10-20")
    assert response.headers["content-range"] == f"bytes 10-20/{_SIZE}"
    assert response.headers["content-length"] == "11"
    assert (await stock.get(range=f"bytes={_SIZE}-")).headers["content-range"] == f"bytes */{_SIZE}"


async def test_several_ranges_are_a_multipart_response(stock: Stock) -> None:
    response = await stock.get(range="bytes=0-1,500-502")
    assert response.status_code == 206
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + response.content).get_payload()
    assert [(part["Content-Range"], part.get_payload(decode=True)) for part in parts if not isinstance(part, str)] == [
        (f"bytes 0-1/{_SIZE}", DATA[:2]),
        (f"bytes 500-502/{_SIZE}", DATA[500:503]),
    ]


async def test_its_date_works_as_a_validator(stock: Stock) -> None:
    modified = (await stock.get()).headers["last-modified"]
    assert (await stock.get(if_modified_since=modified)).status_code == 304
    assert (await stock.get(if_unmodified_since=modified)).status_code == 200


@pytest.mark.parametrize("query", ["inline", "inline=1"])
async def test_a_query_can_ask_for_inline(stock: Stock, query: str) -> None:
    response = await stock.site.get(f"{stock.target}?{query}")
    assert response.headers["content-disposition"] == (await stock.get()).headers["content-disposition"].replace(
        "attachment", "inline", 1
    )
    assert response.content == DATA


async def test_its_media_type_is_the_stored_one(stock: Stock) -> None:
    async def data() -> AsyncIterator[bytes]:
        yield b"x"

    async with opened(stock.url) as catalogue:
        file = await catalogue.put("page.html", data(), media_type="text/x-odd; charset=koi8-r")
    response = await stock.site.get(f"/files/download/{file.token}")
    assert response.headers["content-type"] == "text/x-odd; charset=koi8-r"


@pytest.mark.parametrize("more", [{"empty": b""}])
async def test_an_empty_file_has_an_empty_body(stock: Stock) -> None:
    target = f"/files/download/{stock.files['empty'].token}"
    for fields in ({}, {"range": "bytes=0-"}):
        response = await stock.site.get(target, **fields)
        assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize("path", ["/files", "/files/download/1", "/files/nothing"])
async def test_another_method_gets_405_and_the_list_of_methods(stock: Stock, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        response = await stock.site.ask(path, method)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert (await stock.site.ask(path, "OPTIONS")).status_code == 204


@pytest.mark.parametrize("identifier", ["token", "integer"])
async def test_an_invalid_identifier_gets_404(stock: Stock, site_of: SiteOf, identifier: str) -> None:
    site = await site_of(stock.settings, file_ids=identifier, list_files=False)
    found = {name: await site.raw(f"/files/download/{public}") for name, public in _NO_ID.items()}
    assert {name: (status, body) for name, (status, _, body) in found.items()} == dict.fromkeys(
        _NO_ID, (404, b"404 Not Found\n")
    )
    assert not [name for name, (_, fields, _) in found.items() if "ETag" in fields or "Retry-After" in fields]


async def test_a_setting_gives_files_integer_ids(stock: Stock, site_of: SiteOf) -> None:
    by_number = await site_of(stock.settings, file_ids="integer")
    file = stock.files[NAME]
    assert (await by_number.get(f"/files/download/{file.id}")).content == DATA
    assert (await by_number.get(f"/files/download/{file.token}")).status_code == 404
    assert (await stock.site.get(f"/files/download/{file.id}")).status_code == 404


async def test_an_identifier_may_be_written_in_more_than_one_way(stock: Stock) -> None:
    token = stock.files[NAME].token
    assert (await stock.raw(f"%{ord(token[0]):02X}{token[1:]}"))[0] == 200
    assert (await stock.raw(f"{token}?x=%00"))[0] == 200


async def test_other_paths_below_files_get_404(stock: Stock) -> None:
    for target in ("/files/download", "/files/download/", "/files/x", "/filesystem"):
        assert (await stock.site.raw(target))[0] == 404


async def test_the_tree_serves_files_paths_only_without_a_database(stock: Stock, site_of: SiteOf, tree: Path) -> None:
    folder = tree / "files" / "download"
    folder.mkdir(parents=True)
    (folder / "x.txt").write_text("in the tree")
    over_both = await site_of(stock.settings, directory=tree)
    assert (await over_both.get("/files/download/x.txt")).status_code == 404
    assert (await over_both.get(stock.target)).content == DATA
    assert (await over_both.get("/secret.txt")).text == "secret"
    alone = await site_of(Settings(directory=tree))
    assert (await alone.get("/files/download/x.txt")).text == "in the tree"


async def test_cache_control_is_the_configured_one(stock: Stock, site_of: SiteOf) -> None:
    site = await site_of(stock.settings, cache_control="private, max-age=60")
    assert (await site.get(stock.target)).headers["cache-control"] == "private, max-age=60"


async def test_a_busy_database_causes_503_with_retry_after(sqlite: str, serve: Serve) -> None:
    path = path_of(sqlite)
    assert path
    store = SqliteStore(str(path), patience=0.05)
    catalogue = DatabaseCatalogue(store, TABLE, SqliteSql(str(path), patience=0.05))
    server = await serve(cast("App", StoredFiles(catalogue, Settings(database=sqlite, file_ids="integer"))))
    with sqlite3.connect(path, isolation_level=None) as greedy:
        greedy.execute("pragma locking_mode = exclusive")
        greedy.execute("begin exclusive")
        async with httpx.AsyncClient(timeout=HANGING) as client:
            response = await client.get(f"{server.url}/files/download/1")
    greedy.close()
    assert (response.status_code, response.text) == (503, "503 Service Unavailable\n")
    assert int(response.headers["retry-after"]) > 0
    await catalogue.aclose()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no database" * 100)])
@pytest.mark.parametrize("target", ["/files/download/1", "/files"])
async def test_a_missing_database_causes_502_without_details(
    sqlite: str, site_of: SiteOf, damage: Callable[[Path], object], target: str
) -> None:
    path = path_of(sqlite)
    assert path
    damage(path)
    site = await site_of(Settings(database=sqlite, file_ids="integer", list_files=True))
    response = await site.get(target)
    assert (response.status_code, response.text) == (502, "502 Bad Gateway\n")


async def test_the_files_of_a_folder_are_sent_as_an_archive(stock: Stock) -> None:
    response = await stock.site.get("/files/?zip")
    assert unpacked(response.content) == {f"files/{NAME}": DATA}
    part = await stock.site.get("/files/reports/?tar", Range="bytes=0-600", If_Range='"other"')
    assert (part.status_code, part.headers["content-disposition"]) == (200, "attachment; filename=reports.tar")
    assert unpacked(part.content, "tar") == {NAME: DATA}
