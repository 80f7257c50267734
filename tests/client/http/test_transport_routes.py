"""Which way a request takes: a direct connection or a proxy, on each event loop."""

import asyncio
import ssl

import httpcore
import httpx
import pytest
import uvloop
from harness.hello import hello
from harness.scripted import Connection, head, scripted
from harness.waiting import eventually

from async_downloads.client.http.backend import AsyncioBackend
from async_downloads.client.http.network import NetworkOptions
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
    "environment",
    [
        pytest.param({}, id="no proxy"),
        pytest.param({"no_proxy": "127.0.0.1"}, id="no_proxy alone"),
        pytest.param({"https_proxy": "http://127.0.0.1:9"}, id="a proxy for https alone"),
        pytest.param({"http_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}, id="not for this host"),
        pytest.param({"all_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}, id="all but this host"),
        pytest.param({"all_proxy": "socks://[", "no_proxy": "127.0.0.0/8"}, id="a malformed proxy"),
        pytest.param({"http_proxy": "http://127.0.0.1:9", "no_proxy": "[::1],fd00::/8,127.0.0.1"}, id="IPv6"),
    ],
)
async def test_without_a_proxy_for_its_url_a_server_is_asked_directly(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with scripted(_proxy) as server, new_client() as client:
        assert _is_fast(await client.get(server.url))
        assert server.connections[0].requests[0].startswith("GET /resource HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("garbage::", id="no URL"),
        pytest.param("gopher://me:secret@a", id="no proxy"),
        pytest.param("http://me:secret@[a", id="half of an address"),
        pytest.param("http://me:secret@a:70000", id="no port"),
        pytest.param("http://", id="no host"),
    ],
)
async def test_a_proxy_that_is_not_valid_fails_only_the_urls_that_use_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with scripted(_proxy) as server, new_client() as client:
        assert (await client.get(server.url)).text == "proxied"
        with pytest.raises(httpx.UnsupportedProtocol, match="the variable http_proxy names a proxy") as caught:
            await client.get(RESOURCE)
    assert "secret" not in str(caught.value)


async def test_an_option_replaces_the_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with scripted(_proxy) as proxy:
        async with new_client(NetworkOptions(proxy=f"http://me:secret@127.0.0.1:{proxy.port}")) as client:
            assert (await client.get(RESOURCE)).text == "proxied"
        async with new_client(NetworkOptions(use_proxies=False)) as client:
            assert (await client.get(proxy.url)).text == "proxied"
    first, second = (connection.requests[0] for connection in proxy.connections)
    assert "\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n" in first
    assert second.startswith("GET /resource HTTP/1.1\r\n")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
async def test_a_socks_proxy_is_used(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def socks(connection: Connection) -> None:
        await connection.reader.readexactly(3)
        await connection.send(b"\x05\x00")
        asked.append(await connection.reader.readexactly(5 + len("resource.invalid") + 2))
        await connection.send(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await _proxy(connection)

    asked: list[bytes] = []
    async with scripted(socks) as proxy:
        monkeypatch.setenv("all_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
        async with new_client() as client:
            assert (await client.get(RESOURCE)).text == "proxied"
    assert b"resource.invalid\x00\x50" in asked[0]


async def test_a_socks_proxy_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise RuntimeError("Attempted to use SOCKS support, but the `socksio` package is not installed.")

    monkeypatch.setattr(httpcore, "AsyncSOCKSProxy", missing)
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    async with new_client() as client:
        with pytest.raises(httpx.UnsupportedProtocol, match=r"install 'async-downloads\[socks\]'"):
            await client.get(RESOURCE)


async def test_certificates_that_cannot_be_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/trusted.pem")
    async with new_client() as client:
        with pytest.raises(httpx.ConnectError, match=r"/nowhere/trusted\.pem: No such file") as caught:
            await client.get("https://127.0.0.1:1/")
    assert isinstance(caught.value.__cause__, ssl.SSLError)


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
    go_on = asyncio.Event()

    async def responds(connection: Connection) -> None:
        while True:
            await connection.request()
            await go_on.wait()  # so that no connection is idle, and none is replaced
            await connection.send(head("Content-Length: 2"), b"ok")

    async with scripted(responds) as server, new_client() as client:
        requests = [asyncio.create_task(client.get(server.url)) for _ in range(150)]
        await eventually(lambda: sum(len(each.requests) for each in server.connections) == 100)
        assert len(server.connections) == 100
        go_on.set()
        assert {response.status_code for response in await asyncio.gather(*requests)} == {200}


def test_the_fast_transport_works_on_uvloop() -> None:
    async def fetch() -> httpx.Response:
        async with new_client() as client:
            return await client.get(f"http://127.0.0.1:{port}/")

    with hello() as port, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        response = runner.run(fetch())
    assert (response.text, _is_fast(response)) == ("hello", True)
