"""Which way a request takes: a direct connection or a proxy, on each event loop."""

import asyncio
import ssl

import httpx
import pytest
import uvloop
from harness.hello import hello
from harness.scripted import Connection, head, scripted

from async_downloads.client.http.backend import AsyncioBackend
from async_downloads.client.http.transport import new_client

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
RESOURCE = "http://resource.invalid/a"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxies that this machine's environment may name."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def _proxy(connection: Connection) -> None:
    await connection.request()
    await connection.send(head("Content-Length: 7"), b"proxied")


def _is_fast(response: httpx.Response) -> bool:
    """Return whether the response came through our own backend."""
    return type(response.extensions["network_stream"]).__module__ == AsyncioBackend.__module__


@pytest.mark.parametrize(
    "variable",
    [
        pytest.param("http_proxy", id="for http"),
        pytest.param("HTTP_PROXY", id="for http, in capitals"),
        pytest.param("all_proxy", id="for all"),
    ],
)
async def test_a_proxy_that_the_environment_names_is_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(_proxy) as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        async with new_client() as client:
            assert (await client.get(RESOURCE)).text == "proxied"
        assert proxy.connections[0].requests[0].startswith(f"GET {RESOURCE} HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("environment", "fast"),
    [
        pytest.param({}, True, id="no proxy"),
        pytest.param({"no_proxy": "127.0.0.1"}, True, id="no_proxy alone"),
        pytest.param({"https_proxy": "http://127.0.0.1:9"}, True, id="a proxy for https alone"),
        pytest.param({"http_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}, False, id="not for this host"),
        pytest.param({"all_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}, False, id="all but this host"),
    ],
)
async def test_without_a_proxy_for_its_url_a_server_is_asked_directly(
    environment: dict[str, str], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with scripted(_proxy) as server, new_client() as client:
        response = await client.get(server.url)
        assert _is_fast(response) is fast
        assert server.connections[0].requests[0].startswith("GET /resource HTTP/1.1\r\n")


@pytest.mark.parametrize("url", [pytest.param("garbage::", id="no URL"), pytest.param("gopher://a", id="no proxy")])
def test_a_proxy_that_is_not_valid_is_a_value_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", url)
    with pytest.raises(ValueError, match="proxy"):
        new_client()


async def test_certificates_that_cannot_be_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/trusted.pem")
    async with new_client() as client:
        with pytest.raises(httpx.ConnectError, match=r"/nowhere/trusted\.pem: No such file") as caught:
            await client.get("https://127.0.0.1:1/")
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(ValueError, match=r"/nowhere/trusted\.pem"):
        new_client()


async def test_the_client_asks_for_no_content_coding_and_follows_no_redirect() -> None:
    async def elsewhere(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Location: /elsewhere", "Content-Length: 0", status="302 Found"))

    async with scripted(elsewhere) as server, new_client() as client:
        assert (await client.get(server.url)).status_code == 302
        [request] = server.connections[0].requests
        assert "\r\nAccept-Encoding: identity\r\n" in request
        assert "\r\nUser-Agent: async-downloads\r\n" in request


async def test_no_more_connections_are_open_than_allowed() -> None:
    async def responds(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(head("Content-Length: 2"), b"ok")

    async with scripted(responds) as server, new_client() as client:
        await asyncio.gather(*(client.get(server.url) for _ in range(150)))
        assert len(server.connections) == 100


def test_the_fast_transport_works_on_uvloop() -> None:
    async def fetch() -> httpx.Response:
        async with new_client() as client:
            return await client.get(f"http://127.0.0.1:{port}/")

    with hello() as port, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        response = runner.run(fetch())
    assert (response.text, _is_fast(response)) == ("hello", True)
