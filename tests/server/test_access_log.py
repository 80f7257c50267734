"""The access log: a line for each request, with the bytes that were really sent."""

import asyncio
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from harness.asgi import Exchange, ask, scope
from harness.cache import evict
from harness.served import Server
from harness.waiting import eventually

from async_downloads.asgi import Downloads
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.access_log import AccessLog
from async_downloads.server.request_observer import RequestObserver
from async_downloads.sources.directory import DirectoryStore
from server.sending import body, head, length, sending

_LINE = re.compile(
    r'(?P<client>\S+) \[(?P<time>[^]]+)\] "(?P<asked>(?:[^"\\]|\\.)*)" (?P<status>\d+|None) (?P<bytes>\d+) bytes '
    r'(?:range="(?P<range>(?:[^"\\]|\\.)*)"|whole) (?P<seconds>[\d.]+) s (?P<outcome>complete|aborted)\n'
)


class _Log:
    """The lines written, and the app below the log."""

    def __init__(self, app: Any, form: str) -> None:
        self.written = io.StringIO()
        self.app = RequestObserver(app, [AccessLog(form, write=self.written.write)])

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]


@pytest.fixture
def log(large: Path) -> _Log:
    """A log in JSON of the directory with the large file."""
    return _Log(Downloads(DirectoryStore(large.parent)), "json")


@pytest.fixture
async def server(serve: Serve, log: _Log) -> Server:
    """A server whose requests are logged."""
    return await serve(log.app)


async def _record(log: _Log) -> dict[str, Any]:
    await eventually(lambda: log.records)
    (record,) = log.records
    return record


async def test_a_json_line_has_all_fields(server: Server, log: _Log, content: bytes) -> None:
    async with server.connected() as connection:
        await connection.ask("/large.bin?x=1")
        assert (await connection.read_response())[2] == content
    record = await _record(log)
    moment, seconds = record.pop("time"), record.pop("seconds")
    assert 0 <= (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds() < 20
    assert 0 < seconds < 20
    assert record == {
        "client": "127.0.0.1",
        "method": "GET",
        "target": "/large.bin?x=1",
        "version": "1.1",
        "range": None,
        "status": 200,
        "bytes": len(content),
        "aborted": False,
        "request_id": None,
    }


@pytest.mark.parametrize(
    ("fields", "status", "count", "shown"),
    [
        pytest.param(("Range: bytes=5-14",), 206, 10, "bytes=5-14", id="one"),
        pytest.param(("Range: bytes=5-14", "Range: bytes=20-"), 200, None, "bytes=5-14, bytes=20-", id="two-lines"),
        pytest.param(("Range: bytes=99999999-",), 416, 0, "bytes=99999999-", id="beyond-the-end"),
    ],
)
async def test_the_range_is_logged_as_it_came(
    server: Server, log: _Log, content: bytes, fields: tuple[str, ...], status: int, count: int | None, shown: str
) -> None:
    async with server.connected() as connection:
        await connection.ask("/large.bin", *fields)
        await connection.read_response()
    record = await _record(log)
    expected = len(content) if count is None else count
    assert (record["status"], record["bytes"], record["range"], record["aborted"]) == (status, expected, shown, False)


async def test_an_abandoned_download_counts_the_bytes_that_were_sent(server: Server, log: _Log, content: bytes) -> None:
    async with server.downloading("/large.bin") as connection:
        await connection.reader.readexactly(100_000)
    record = await _record(log)
    assert (record["status"], record["aborted"]) == (200, True)
    assert 100_000 <= record["bytes"] < len(content)


@pytest.mark.parametrize("cached", [True, False], ids=["from the page cache", "from the disk"])
async def test_a_region_counts_the_bytes_that_the_socket_took(serve: Serve, large: Path, cached: bool) -> None:
    size = large.stat().st_size
    log = _Log(sending(large, (0, size), fields=(length(size),)), "json")
    if not cached:
        evict(large)
    server = await serve(log.app)
    async with server.downloading("/") as connection:
        await connection.reader.readexactly(100_000)
    assert 100_000 <= (await _record(log))["bytes"] < size


async def test_a_message_that_was_sent_in_part_counts_as_whole() -> None:
    begun = asyncio.Event()

    async def holding(message: Any) -> None:
        if message["type"] == "http.response.body":
            begun.set()
            await asyncio.Event().wait()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head())
        await send(body(b"12345", more=True))

    log, exchange = _Log(app, "json"), Exchange(scope())
    sent = asyncio.create_task(log.app(exchange.scope, exchange.receive, holding))
    await begun.wait()
    sent.cancel()
    record = await _record(log)
    assert (record["status"], record["bytes"], record["aborted"]) == (200, 5, True)


async def test_a_download_that_fails_is_aborted(large: Path, log: _Log) -> None:
    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        raise RuntimeError("as apps do")

    broken = _Log(breaking, "json")
    with pytest.raises(RuntimeError):
        await ask(broken.app, "/")
    assert ((await _record(broken))["bytes"], (await _record(broken))["aborted"]) == (5, True)


async def test_an_app_that_sends_nothing_has_no_status() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return

    for form in ("json", "text"):
        log = _Log(silent, form)
        await ask(log.app, "/")
        assert ("null" if form == "json" else '" - 0 bytes') in log.written.getvalue()


async def test_a_response_without_a_body_is_complete(log: _Log) -> None:
    await ask(log.app, "/large.bin", method="HEAD")
    record = await _record(log)
    assert (record["method"], record["bytes"], record["aborted"]) == ("HEAD", 0, False)


async def test_a_response_to_head_counts_no_bytes_whatever_the_app_sends() -> None:
    async def verbose(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"12345", "more_body": False})

    log = _Log(verbose, "json")
    await ask(log.app, "/", method="HEAD")
    record = await _record(log)
    assert (record["bytes"], record["aborted"]) == (0, False)


async def test_only_http_is_logged(log: _Log) -> None:
    messages: Iterator[str] = iter(("lifespan.startup", "lifespan.shutdown"))

    async def receive() -> dict[str, Any]:
        return {"type": next(messages)}

    async def send(message: Any) -> None:
        return

    await log.app({"type": "lifespan"}, receive, send)
    assert log.written.getvalue() == ""


async def test_a_text_line_has_the_same_fields(large: Path) -> None:
    log = _Log(Downloads(DirectoryStore(large.parent)), "text")
    await ask(log.app, "/large.bin?x", fields=[("Range", "bytes=5-14")], client=("::1", 5))
    found = _LINE.fullmatch(log.written.getvalue())
    assert found
    shown = found.groupdict()
    assert datetime.fromisoformat(shown.pop("time")).tzinfo == UTC
    assert float(shown.pop("seconds")) < 20
    assert shown == {
        "client": "::1",
        "asked": "GET /large.bin?x HTTP/1.1",
        "status": "206",
        "bytes": "10",
        "range": "bytes=5-14",
        "outcome": "complete",
    }


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b'" 200 5 bytes whole 0.001 s complete\n127.0.0.1 [now] "GET /', id="another-line"),
        pytest.param(b"\r\n\x1b[2J\x00\x7f\x85", id="controls"),
        pytest.param("\u2028\u2029\u202e".encode(), id="separators"),
        pytest.param(b"\xff\xfe", id="no-utf-8"),
        pytest.param(b"\\", id="backslash"),
        pytest.param(b'\\"', id="escaped-quote"),
    ],
)
async def test_no_client_can_forge_a_line(form: str, hostile: bytes, large: Path) -> None:
    log = _Log(Downloads(DirectoryStore(large.parent)), form)
    text = hostile.decode("latin-1")
    await ask(
        log.app,
        method="GET" + text,
        fields=[("Range", text)],
        client=("127.0.0.1", 5),
        raw_path=b"/" + hostile,
        query_string=hostile,
        http_version="1.1",
    )
    line = log.written.getvalue()
    assert line.isascii()
    assert line[:-1].isprintable()
    assert line.endswith("\n")
    assert json.loads(line)["status"] == 405 if form == "json" else _LINE.fullmatch(line)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_long_fields_are_cut(form: str, large: Path) -> None:
    log = _Log(Downloads(DirectoryStore(large.parent)), form)
    await ask(log.app, "/" + "a" * 50_000 + "?" + "b" * 9_000, method="M" * 2_000, fields=[("Range", "\xff" * 9_000)])
    line = log.written.getvalue()
    assert len(line) < 16_000
    assert "/" + "a" * 1_023 + "..." in line
    assert "M" * 1_024 + "..." in line
