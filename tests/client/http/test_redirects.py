"""Locations and URLs as servers and shells really write them."""

from pathlib import Path

import httpx
import pytest

from async_downloads.client import Downloader
from async_downloads.client.http.exchange import Exchange
from async_downloads.errors import RefusedRedirect
from client.remote import Remote


async def _target(*locations: bytes, url: str = "http://example.com/s") -> str:
    """Return the URL that the redirect leads to."""
    seen: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.url.scheme}://{request.url.netloc.decode()}{request.url.raw_path.decode()}")
        return httpx.Response(302, headers=[(b"Location", each) for each in locations] if len(seen) == 1 else [])

    async with Exchange(httpx.AsyncClient(transport=httpx.MockTransport(respond)), url).get({}):
        return seen[-1]


@pytest.mark.parametrize(
    ("locations", "target"),
    [
        pytest.param([b"/caf\xe9.zip"], "http://example.com/caf%E9.zip", id="Latin-1"),
        pytest.param(["/café.zip".encode()], "http://example.com/caf%C3%A9.zip", id="UTF-8"),
        pytest.param([b"/a b?c=d e"], "http://example.com/a%20b?c=d%20e", id="spaces"),
        pytest.param([b"/\xe9 b"], "http://example.com/%E9%20b", id="Latin-1 and a space"),
        pytest.param([b"/one", b"/one"], "http://example.com/one", id="the same twice"),
        pytest.param([b"/one", b"/two"], "http://example.com/one", id="the first of two"),
        pytest.param([b"//other.example/x"], "http://other.example/x", id="no scheme"),
        pytest.param([b"http://other.example:65535/"], "http://other.example:65535/", id="the last port"),
    ],
)
async def test_a_redirect_leads_to(locations: list[bytes], target: str) -> None:
    assert await _target(*locations) == target


async def test_a_choice_of_the_server_is_followed() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(300, headers={"Location": "/b"} if request.url.path == "/a" else {})

    async with Exchange(httpx.AsyncClient(transport=httpx.MockTransport(respond)), "http://x/a").get({}) as response:
        assert (response.url.path, response.status_code) == ("/b", 300)


@pytest.mark.parametrize("port", ["65536", "65617", "0", "99999"])
async def test_a_port_that_does_not_exist_is_refused(port: str) -> None:
    with pytest.raises(RefusedRedirect, match="invalid URL"):
        await _target(f"http://example.com:{port}/".encode())
    with pytest.raises(ValueError, match="not a URL"):
        await _target(url=f"http://example.com:{port}/")


@pytest.mark.parametrize("host", ["xn--i-7iq.example", "xn--a.example", "a b.example", "%00"])
async def test_a_host_that_no_server_can_have_is_refused(host: str) -> None:
    with pytest.raises(RefusedRedirect, match="invalid URL"):
        await _target(f"http://{host}/".encode())
    with pytest.raises(ValueError, match="not a URL"):
        await _target(url=f"http://{host}/")


async def test_twenty_redirects_are_followed() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        left = int(request.url.path[1:])
        return httpx.Response(302, headers={"Location": f"/{left - 1}"}) if left else httpx.Response(200)

    client = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    async with Exchange(client, "http://example.com/20").get({}) as response:
        assert response.status_code == 200
    with pytest.raises(RefusedRedirect, match="more than 20 redirects"):
        async with Exchange(client, "http://example.com/21").get({}):
            pytest.fail("followed 21 redirects")


async def test_a_url_that_the_locale_cannot_read_keeps_its_bytes(one: Downloader, remote: Remote, path: Path) -> None:
    result = await one.fetch("http://example.com/caf\udce9.zip", directory=path.parent)
    assert remote.requests[0].url.raw_path == b"/caf%E9.zip"
    assert result.path.name == "caf%E9.zip"
