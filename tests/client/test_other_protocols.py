"""Servers that speak something else than they are asked in, and what is told of them."""

from pathlib import Path

import pytest
from harness.scripted import Connection, scripted

from async_downloads.client import Downloader
from async_downloads.errors import BadResponse, TlsError


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(b"hello\r\n\r\n", "illegal status line", id="no status"),
        pytest.param(b"closed\r\n\r\n", "illegal status line", id="a word that tells of losses elsewhere"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\x00\n\r\n", "illegal header line", id="no field"),
    ],
)
async def test_of_what_is_no_http_the_bytes_are_not_told(path: Path, said: bytes, told: str) -> None:
    async def speaks(connection: Connection) -> None:
        await connection.request()
        await connection.send(said)

    async with scripted(speaks) as server, Downloader(retries=0) as downloader:
        with pytest.raises(BadResponse, match=f"^the server does not speak HTTP: {told}$"):
            await downloader.fetch(server.url, path)


async def test_that_it_does_not_speak_tls_is_told(path: Path) -> None:
    async def plain(connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await connection.left()

    async with scripted(plain) as server, Downloader() as downloader:
        with pytest.raises(TlsError, match=r"^the server does not speak TLS on this port$"):
            await downloader.fetch(server.url.replace("http:", "https:"), path)
    assert len(server.connections) == 1
