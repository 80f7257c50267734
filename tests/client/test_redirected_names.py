"""The name of a file whose URL has none: that of the URL to which the server redirects."""

from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader

FINAL = "http://files.example.org/releases/tool%201.zip?key=secret"


def _respond(request: httpx.Request) -> httpx.Response:
    if request.url.host == "example.com":
        return httpx.Response(302, headers={"Location": FINAL})
    return httpx.Response(200, content=b"bytes")


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://example.com/", "tool 1.zip"), ("http://example.com/get/", "tool 1.zip"), ("http://example.com/a", "a")],
)
async def test_the_last_url_names_a_file_if_the_first_one_does_not(tmp_path: Path, url: str, name: str) -> None:
    client = httpx.AsyncClient(transport=httpx.MockTransport(_respond))
    async with client, Downloader(client=client) as downloader:
        assert (await downloader.fetch(url, directory=tmp_path)).path == tmp_path / name
        async with downloader.open(url) as stream:
            assert stream.name == name
