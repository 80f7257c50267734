"""Servers that do not speak HTTP or TLS, and the error messages for them."""

from pathlib import Path

import pytest
from harness.scripted import Connection, scripted

from async_downloads.client import Downloader
from async_downloads.errors import BadResponse, TlsError


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(b"hello\r\n\r\n", "illegal status line", id="no status"),
        pytest.param(b"closed\r\n\r\n", "illegal status line", id="a word of other error messages"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "bad Content-Length", id="no length"),
        pytest.param(
            b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5000, "too many interim responses", id="hints without an end"
        ),
    ],
)
async def test_the_error_for_a_response_that_is_not_http_omits_its_bytes(path: Path, sent: bytes, reason: str) -> None:
    async def speaks(connection: Connection) -> None:
        await connection.request()
        await connection.send(sent)

    async with scripted(speaks) as server, Downloader(retries=0) as downloader:
        with pytest.raises(BadResponse, match=f"^the server does not speak HTTP: {reason}$"):
            await downloader.fetch(server.url, path)


async def test_a_server_without_tls_is_named_as_such(path: Path) -> None:
    async def plain(connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await connection.left()

    async with scripted(plain) as server, Downloader() as downloader:
        with pytest.raises(TlsError, match=r"^the server does not speak TLS on this port$"):
            await downloader.fetch(server.url.replace("http:", "https:"), path)
    assert len(server.connections) == 1
