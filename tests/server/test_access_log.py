"""The access log: a line for each request, with the bytes that were really sent."""

import asyncio
import io
import json
import re
import socket
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import Serve
from harness.asgi import scope
from harness.cache import evict
from harness.served import Server, http1
from harness.waiting import eventually

from async_downloads.asgi import Downloads
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.access_log import AccessLog
from async_downloads.sources.directory import DirectoryStore
from server.sending import body, head, length, sending

_LINE = re.compile(
    r'(?P<client>\S+) \[(?P<time>[^]]+)\] "(?P<asked>(?:[^"\\]|\\.)*)" (?P<status>\d+|None) (?P<bytes>\d+) bytes '
    r'(?:range="(?P<range>(?:[^"\\]|\\.)*)"|whole) (?P<seconds>[\d.]+) s (?P<outcome>complete|aborted)\n'
)


_NO_TASK = cast("asyncio.Task[None]", None)  # the log does not look at it


class _Log:
    """The lines that an access log has written."""

    def __init__(self, form: str) -> None:
        self.written = io.StringIO()
        self.log = AccessLog(form, write=self.written.write)

    def end(self, request: Scope, response: "_Response") -> None:
        """Log a request that has ended."""
        self.log.end(request, response, time.monotonic(), _NO_TASK)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines of a log in JSON."""
        return [json.loads(line) for line in self.written.getvalue().splitlines()]


@dataclass(slots=True)
class _Response:
    status: int | None = 200
    complete: bool = True
    sent: int = 5


@pytest.fixture
def log() -> _Log:
    """A log in JSON."""
    return _Log("json")


@pytest.fixture
async def server(serve: Serve, log: _Log, large: Path) -> Server:
    """A server of the directory with the large file, whose requests are logged."""
    return await serve(Downloads(DirectoryStore(large.parent)), observers=[log.log])


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


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("cached", [True, False], ids=["from the page cache", "from the disk"])
async def test_a_region_counts_the_bytes_that_the_socket_took(
    serve: Serve, large: Path, log: _Log, cached: bool, framing: str
) -> None:
    size = large.stat().st_size
    if not cached:
        evict(large)
    fields = (length(size),) if framing == "length" else ()
    server = await serve(sending(large, (0, size), fields=fields), observers=[log.log])
    async with server.downloading("/") as connection:
        await connection.reader.readexactly(100_000)
    assert 99_000 <= (await _record(log))["bytes"] < size


async def test_chunks_count_without_their_framing(serve: Serve, log: _Log) -> None:
    async def chunked(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head())
        await send(body(b"12345", more=True))
        await send(body(b"678"))

    server = await serve(chunked, observers=[log.log])
    await server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    record = await _record(log)
    assert (record["status"], record["bytes"], record["aborted"]) == (200, 8, False)


@pytest.mark.parametrize(
    ("messages", "status", "count", "aborted"),
    [
        pytest.param([head(), body(b"12345", more=True)], 200, 5, True, id="in the middle"),
        pytest.param([head()], 500, 0, False, id="before the first byte"),
        pytest.param([], 500, 0, False, id="at once"),
    ],
)
@pytest.mark.parametrize("raises", [True, False])
async def test_an_app_that_ends_too_early_is_aborted_or_responded_for(
    log: _Log, messages: list[Any], status: int, count: int, aborted: bool, raises: bool
) -> None:
    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        if raises:
            raise RuntimeError("as apps do")

    async with http1(breaking, observers=[log.log]) as server:
        await server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        record = await _record(log)
    assert (record["status"], record["bytes"], record["aborted"]) == (status, count, aborted)


async def test_a_client_that_leaves_before_the_response_gets_no_status(log: _Log) -> None:
    begun = asyncio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    async with http1(waiting, observers=[log.log]) as server:
        async with server.connected() as connection:
            sock = connection.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # so the end is a reset
            await connection.ask("/")
            await begun.wait()
        record = await _record(log)
    assert (record["status"], record["bytes"], record["aborted"]) == (None, 0, True)


def test_a_response_without_a_status_is_a_dash_in_text() -> None:
    log = _Log("text")
    log.end(scope(), _Response(None, complete=False, sent=0))
    assert re.search(r'" - 0 bytes whole [0-9.]+ s aborted\n', log.written.getvalue())


@pytest.mark.parametrize("app", ["directory", "verbose"])
async def test_a_response_to_head_counts_no_bytes_whatever_the_app_sends(
    serve: Serve, log: _Log, large: Path, app: str
) -> None:
    async def verbose(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head())
        await send(body(b"12345"))

    chosen = verbose if app == "verbose" else Downloads(DirectoryStore(large.parent))
    server = await serve(chosen, observers=[log.log])
    await server.exchange(b"HEAD /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    record = await _record(log)
    assert (record["method"], record["bytes"], record["aborted"]) == ("HEAD", 0, False)


def test_a_text_line_has_the_same_fields() -> None:
    log = _Log("text")
    request = scope("/large.bin?x", fields=[("Range", "bytes=5-14")], client=("::1", 5))
    log.end(request, _Response(206, sent=10))
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
def test_no_client_can_forge_a_line(form: str, hostile: bytes) -> None:
    log, text = _Log(form), hostile.decode("latin-1")
    request = scope(
        method="GET" + text,
        fields=[("Range", text)],
        client=("127.0.0.1", 5),
        raw_path=b"/" + hostile,
        query_string=hostile,
        http_version="1.1",
    )
    log.end(request, _Response(405))
    line = log.written.getvalue()
    assert line.isascii()
    assert line[:-1].isprintable()
    assert line.endswith("\n")
    assert json.loads(line)["status"] == 405 if form == "json" else _LINE.fullmatch(line)


@pytest.mark.parametrize("form", ["text", "json"])
def test_long_fields_are_cut(form: str) -> None:
    log = _Log(form)
    request = scope("/" + "a" * 50_000 + "?" + "b" * 9_000, method="M" * 2_000, fields=[("Range", "\xff" * 9_000)])
    log.end(request, _Response(404))
    line = log.written.getvalue()
    assert len(line) < 16_000
    assert "/" + "a" * 1_023 + "..." in line
    assert "M" * 1_024 + "..." in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_has_no_signature_and_no_line_after_the_request_line(form: str) -> None:
    log = _Log(form)
    log.end(scope("/a?zip&%73ignature=hidden"), _Response(403))
    for line_break in (b"\r\n", b"\n", b"\r"):
        data = b"GET /a?s%49gnature=hidden HTTP/1.1" + line_break + b"Authorization: Basic hidden\r\n\r\n"
        log.log.refused(scope(), data, 400)
    lines = log.written.getvalue()
    assert lines.count("ignature=***") == 1
    assert lines.count("/a?s%49gnature=***") == 3
    assert "hidden" not in lines


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("http://me:hidden@host/a", "http://***@host/a"),
        ("http://me:hid/den?hidden#@hidden@host:80/a", "http://***@host:80/a"),
        ("//hidden@host/a", "//***@host/a"),
        ("me:hidden@host:443", "***@host:443"),
        ("/a@b", "/a@b"),
        ("http://host/a", "http://host/a"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_the_line_of_a_refused_request_has_no_user_and_no_password(method: str, target: str, shown: str) -> None:
    log = _Log("json")
    log.log.refused(scope(), f"{method} {target} HTTP/1.1\r\n\r\n".encode(), 400)
    line = json.loads(log.written.getvalue())
    assert (line["method"], line["target"]) == (method, shown)
    log.log.refused(scope(), f"{target} {target}".encode(), 400)
    assert "hidden" not in log.written.getvalue()
