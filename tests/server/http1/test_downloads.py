"""Whole exchanges of downloads: connections that go on, and requests that make no sense."""

import asyncio
import os
from pathlib import Path

import pytest
from conftest import Serve
from harness.served import Server
from harness.waiting import HANGING

from async_downloads.asgi import Downloads
from async_downloads.sources.directory import DirectoryStore


@pytest.fixture
async def server(serve: Serve, large: Path) -> Server:
    """The large file and a small one."""
    large.with_name("small.txt").write_bytes(b"small")
    return await serve(Downloads(DirectoryStore(large.parent)))


async def test_a_response_to_head_has_no_body_and_the_connection_stays_open(server: Server, content: bytes) -> None:
    async with server.connected() as connection:
        for target in ("/large.bin", "/small.txt", "/nothing", "/large.bin"):
            await connection.ask(target, "Range: bytes=1-2", method="HEAD")
            status, fields = await connection.head()
            assert status == (404 if target == "/nothing" else 206)
            assert int(fields["Content-Length"])
        await connection.ask("/small.txt")
        assert (await connection.read_response())[2] == b"small"


async def test_responses_without_a_body_leave_the_connection_usable(server: Server) -> None:
    async with server.connected() as connection:
        await connection.ask("/small.txt", method="HEAD")
        tag = (await connection.head())[1]["ETag"]
        await connection.ask("/small.txt", f"If-None-Match: {tag}")
        status, fields = await connection.head()
        assert (status, fields["ETag"]) == (304, tag)
        for line, expected in (('If-Match: "other"', 412), ("Range: bytes=99-", 416), ("Accept: */*", 200)):
            await connection.ask("/small.txt", line)
            status, _, body = await connection.read_response()
            assert (status, body) == (expected, b"small" if expected == 200 else b"")


async def test_pipelined_requests_get_responses_in_order(server: Server, content: bytes) -> None:
    async with server.connected() as connection:
        for start in range(5):
            await connection.ask("/large.bin", f"Range: bytes={start}-{start + 99_999}")
        await connection.ask("/large.bin")
        for start in range(5):
            assert (await connection.read_response())[2] == content[start : start + 100_000]
        assert (await connection.read_response())[2] == content


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Range: bytes=" + "0-0," * 2000, id="thousands of ranges"),
        pytest.param("Range: bytes=" + "9" * 8000 + "-0", id="a range of thousands of digits"),
        pytest.param("If-None-Match: " + '"a",' * 2000, id="thousands of tags"),
        pytest.param("If-Modified-Since: Fri, 31 Dec 99999 23:59:59 GMT", id="a year of five digits"),
        pytest.param("If-Unmodified-Since: Mon, 01 Jan 0000 00:00:00 GMT", id="a year that was none"),
        pytest.param("Accept-Encoding: " + "gzip;q=0.1," * 700, id="thousands of codings"),
        pytest.param("Range: \xe9\xff", id="bytes that are no ASCII"),
        pytest.param("Range: lines=1-2", id="an unknown unit"),
    ],
)
async def test_an_invalid_or_very_long_field_counts_as_absent(server: Server, line: str) -> None:
    async with server.connected() as connection:
        await connection.ask("/small.txt", line)
        status, _, body = await connection.read_response()
    assert (status, body) == (200, b"small")


@pytest.mark.parametrize(
    "target",
    [
        "/fifo",
        "/" + "x" * 300,
        "/" + "x/" * 3000 + "x",
        "/%00",
        "/small.txt/",
        "/small.txt/x",
        "/.",
        "/",
    ],
)
async def test_a_target_that_is_not_a_file_gets_404_at_once(server: Server, large: Path, target: str) -> None:
    os.mkfifo(large.with_name("fifo"))
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask(target)
        status, _, body = await connection.read_response()
    assert (status, body) == (404, b"404 Not Found\n")


async def test_a_name_with_a_line_break_is_served(server: Server, large: Path) -> None:
    large.with_name("a\nb").write_bytes(b"two lines")
    async with server.connected() as connection:
        await connection.ask("/a%0Ab")
        assert (await connection.read_response())[2] == b"two lines"
