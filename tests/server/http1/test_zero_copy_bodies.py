"""`ZERO_COPY_SEND` in HTTP/1.1: parts of files among the bytes of a body."""

import json
import os
import ssl
from pathlib import Path

import httpx
import pytest
from conftest import Serve
from harness.asgi import Message
from harness.waiting import HANGING, eventually

from async_downloads.asgi import Downloads
from async_downloads.sending import Receive, Send
from async_downloads.server.access_log import AccessLog
from async_downloads.sources.directory import DirectoryStore
from server.sending import ZERO_COPY, Recorded, app_that, body, head, length, sending, unchunked

MIB = 1024 * 1024


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(((0, 1),), id="a byte"),
        pytest.param(((7, 3 * MIB),), id="a large part"),
        pytest.param(((0, 100_000), (5, 0), (100_000, 1), (50_000, 2 * MIB)), id="several, one of them empty"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True], ids=["of a known length", "in chunks"])
async def test_regions_of_a_file_form_a_body(
    serve: Serve, large: Path, content: bytes, parts: tuple[tuple[int, int], ...], method: str, chunked: bool
) -> None:
    expected = b"".join(content[offset : offset + count] for offset, count in parts)
    server = await serve(sending(large, *parts, fields=() if chunked else (length(len(expected)),)))
    async with server.connected() as connection:
        for _ in range(2):
            await connection.ask("/", method=method)
            _, fields = await connection.head()
            assert fields["Transfer-Encoding"] == ("chunked" if chunked else None)
            if method == "GET":
                reading = unchunked(connection) if chunked else connection.reader.readexactly(len(expected))
                assert await reading == expected


async def test_bytes_and_regions_keep_their_order(serve: Serve, large: Path, content: bytes) -> None:
    parts: list[bytes | tuple[int, int]] = [b"<", (1, 300_000), b">" * 200_000, (0, 1), (4, 5), b""]
    for number in range(20):
        parts += [(number, 100_000), b"-" * 60_000]
    expected = b"".join(part if isinstance(part, bytes) else content[part[0] : sum(part)] for part in parts)

    async def respond(receive: Receive, send: Send) -> None:
        await send(head(length(len(expected))))
        for part in parts:
            if isinstance(part, bytes):
                await send(body(part, more=True))
            else:
                await sending(large, part)({"type": "http"}, receive, lambda message: _continued(send, message))
        await send(body())

    server = await serve(app_that(respond))
    async with server.connected() as connection:
        await connection.ask("/")
        assert (await connection.read_response())[2] == expected


async def _continued(send: Send, message: Message) -> None:
    """Pass regions on, and no other message."""
    if message["type"] == ZERO_COPY:
        await send(message)


async def test_a_region_before_the_head_is_refused(serve: Serve, large: Path, caplog: pytest.LogCaptureFixture) -> None:
    refused: list[str] = []

    async def respond(receive: Receive, send: Send) -> None:
        try:
            await send({"type": ZERO_COPY})
        except RuntimeError as error:
            refused.append(str(error))

    server = await serve(app_that(respond))
    async with server.connected() as connection:
        await connection.ask("/")
        assert (await connection.read_response())[0] == 500
    assert refused == [f"{ZERO_COPY} cannot be sent now"]


async def test_with_tls_files_are_read(
    serve: Serve, large: Path, content: bytes, certificate: tuple[Path, Path]
) -> None:
    os.truncate(large, size := 300_000)
    app = Recorded(Downloads(DirectoryStore(large.parent)))
    server = await serve(app, certificate=certificate)
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    async with httpx.AsyncClient(base_url=server.url, verify=trusted, timeout=HANGING) as client:
        assert (await client.get("/large.bin")).content == content[:size]
    assert app.extensions == []
    assert app.bytes_by(ZERO_COPY) == 0
    await eventually(lambda: app.bytes_by("http.response.body") == size)


async def test_the_access_log_counts_the_bytes_of_regions(serve: Serve, large: Path, content: bytes) -> None:
    lines: list[str] = []
    recorded = Recorded(Downloads(DirectoryStore(large.parent)))
    server = await serve(recorded, observers=[AccessLog("json", write=lines.append)])
    large.read_bytes()
    async with server.connected() as connection:
        for method, field in (("GET", "Accept: */*"), ("GET", "Range: bytes=5-1000004"), ("HEAD", "Accept: */*")):
            await connection.ask("/large.bin", field, method=method)
            await (connection.read_response() if method == "GET" else connection.head())
        await eventually(lambda: len(lines) == 3)
    counted = [(record["bytes"], record["aborted"]) for record in map(json.loads, lines)]
    assert counted == [(len(content), False), (1_000_000, False), (0, False)]
    assert recorded.bytes_by(ZERO_COPY) == len(content) + 1_000_000 - 2 * (16 * 1024 + 4096)
