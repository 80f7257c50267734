"""One file from several servers: the next one is asked if one fails."""

from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader
from async_downloads.client.alternates import fetch_any
from async_downloads.errors import BadStatus, DigestMismatch, DiskError, FetchError
from client.remote import Remote, cut, names, refused, sha256

URLS = ("http://a.example/file", "http://b.example/file", "http://c.example/file")


def _client(**servers: Remote) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda request: servers[request.url.host[0]](request)))


async def test_a_server_that_fails_is_replaced_by_the_next(path: Path) -> None:
    failed: list[tuple[str, str]] = []
    servers = {"a": Remote(faults=[refused(404)]), "b": Remote(b"other bytes"), "c": Remote()}
    checksum = sha256(servers["c"].content)
    async with _client(**servers) as client, Downloader(client=client) as downloader:
        result = await fetch_any(
            downloader,
            URLS,
            path,
            checksum=checksum,
            on_failure=lambda url, error: failed.append((url, type(error).__name__)),
        )
    assert (result.digest, path.read_bytes()) == (checksum, servers["c"].content)
    assert failed == [(URLS[0], "BadStatus"), (URLS[1], "DigestMismatch")]
    assert names(path) == ["target"]


async def test_a_server_that_breaks_off_is_replaced(path: Path, quick: None) -> None:
    servers = {"a": Remote(faults=[cut(100_000), *[refused(503, Retry_After="0")] * 3]), "b": Remote()}
    async with _client(**servers) as client, Downloader(client=client, retries=1, connections=1) as downloader:
        await fetch_any(downloader, URLS[:2], path)
    assert path.read_bytes() == servers["b"].content
    assert names(path) == ["target"]


async def test_the_error_of_the_last_server_is_raised(path: Path) -> None:
    servers = {name: Remote(faults=[refused(status)]) for name, status in (("a", 404), ("b", 410))}
    async with _client(**servers) as client, Downloader(client=client) as downloader:
        with pytest.raises(BadStatus, match="410"):
            await fetch_any(downloader, URLS[:2], path)


async def test_a_local_error_is_raised_at_once(tmp_path: Path) -> None:
    servers = {"a": Remote(), "b": Remote()}
    async with _client(**servers) as client, Downloader(client=client) as downloader:
        with pytest.raises(DiskError):
            await fetch_any(downloader, URLS[:2], tmp_path / "missing" / "a")
    assert servers["b"].requests == []


async def test_each_kind_of_error_of_a_server_is_reported_once(path: Path) -> None:
    errors: list[FetchError] = []
    servers = {"a": Remote(b"x"), "b": Remote(b"y")}
    async with _client(**servers) as client, Downloader(client=client) as downloader:
        with pytest.raises(DigestMismatch):
            await fetch_any(
                downloader, URLS[:2], path, checksum=sha256(b"z"), on_failure=lambda _, error: errors.append(error)
            )
    assert len(errors) == 1
