"""Bodies that last until their TLS connection ends (RFC 9112 §9.8)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from async_downloads.client import download
from async_downloads.errors import NetworkError

BODY = bytes(range(256)) * 400
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"

End = Callable[[asyncio.StreamWriter], object]


@asynccontextmanager
async def _serving(certificate: tuple[Path, Path], head: bytes, end: End) -> AsyncIterator[str]:
    """Respond to each request with the body, then end the connection with `end`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.set_write_buffer_limits(0)
        writer.write(head + b"\r\n" + BODY)
        await writer.drain()
        end(writer)

    server = await asyncio.start_server(respond, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


@pytest.fixture(autouse=True)
def _trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


def _cut(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_truncated_body_is_not_complete(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    async with _serving(certificate, HEAD, _cut) as url:
        with pytest.raises(NetworkError):
            await download(url, tmp_path / "target", retries=0)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("head", "end"),
    [
        pytest.param(HEAD, _close, id="with close_notify"),
        pytest.param(HEAD + f"Content-Length: {len(BODY)}\r\n".encode(), _cut, id="of known length"),
    ],
)
async def test_a_body_is_complete(certificate: tuple[Path, Path], tmp_path: Path, head: bytes, end: End) -> None:
    async with _serving(certificate, head, end) as url:
        await download(url, tmp_path / "target", retries=0)
    assert (tmp_path / "target").read_bytes() == BODY
