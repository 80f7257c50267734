"""Which way a request goes: directly or by a proxy, HTTP/1.1 or HTTP/2, whatever event loop runs."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import trio
import uvloop
from conftest import Serve
from harness.hello import hello
from harness.ports import reserved_port
from harness.scripted import Connection, head, scripted
from test_servers import certificate as certificate  # noqa: PLC0414

from async_downloads import DirectoryStore, Downloads
from async_downloads.client.http.backend import AsyncioBackend
from async_downloads.client.http.transport import FastTransport, new_client
from client.http.test_transport import trusted as trusted  # noqa: PLC0414

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
RESOURCE = "http://resource.invalid/a"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what proxies the machine may have."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def _proxy(connection: Connection) -> None:
    await connection.request()
    await connection.send(head("Content-Length: 7"), b"proxied")


def _is_fast(response: httpx.Response) -> bool:
    """Say whether the answer came by our own backend."""
    return type(response.extensions["network_stream"]).__module__ == AsyncioBackend.__module__


@pytest.mark.parametrize(
    "variable",
    [
        pytest.param("http_proxy", id="for http"),
        pytest.param("HTTP_PROXY", id="for http, in capitals"),
        pytest.param("all_proxy", id="for all"),
    ],
)
async def test_a_proxy_of_the_environment_is_asked(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(_proxy) as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        async with new_client() as client:
            assert (await client.get(RESOURCE)).text == "proxied"
        assert proxy.connections[0].requests[0].startswith(f"GET {RESOURCE} HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("environment", "fast"),
    [
        pytest.param({}, True, id="no proxy"),
        pytest.param({"no_proxy": "127.0.0.1"}, True, id="none to be left out"),
        pytest.param({"https_proxy": "http://127.0.0.1:9"}, True, id="a proxy for https alone"),
        pytest.param({"http_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}, False, id="not for this host"),
        pytest.param({"all_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}, False, id="all but this host"),
    ],
)
async def test_without_one_the_server_itself_is(
    environment: dict[str, str], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with scripted(_proxy) as server, new_client() as client:
        response = await client.get(server.url)
        assert _is_fast(response) is fast
        assert server.connections[0].requests[0].startswith("GET /resource HTTP/1.1\r\n")


@pytest.mark.parametrize("url", [pytest.param("garbage::", id="no URL"), pytest.param("gopher://a", id="no proxy")])
def test_a_proxy_that_cannot_be_is_a_value_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_the_stock_transport_is_used_when_asked_for() -> None:
    async with scripted(_proxy) as server, new_client(fast=False) as client:
        assert not _is_fast(await client.get(server.url))


async def test_nothing_coded_is_asked_for_and_no_redirect_followed() -> None:
    async def elsewhere(connection: Connection) -> None:
        await connection.request()
        await connection.send(head("Location: /elsewhere", "Content-Length: 0", status="302 Found"))

    async with scripted(elsewhere) as server, new_client(headers=[("Cookie", "a"), ("Accept", "b")]) as client:
        assert (await client.get(server.url)).status_code == 302
        [request] = server.connections[0].requests
        assert "\r\nAccept-Encoding: identity\r\n" in request
        assert "\r\nCookie: a\r\n" in request


@pytest.mark.parametrize(
    ("http2", "version"),
    [pytest.param(False, "HTTP/1.1", id="by default"), pytest.param(True, "HTTP/2", id="asked for")],
)
async def test_http2_is_spoken_when_asked_for(
    http2: bool,
    version: str,
    serve: Serve,
    tmp_path: Path,
    certificate: tuple[Path, Path],
    trusted: ssl.SSLContext,
) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "a.bin").write_bytes(content)
    server = await serve(Downloads(DirectoryStore(tmp_path)), certificate=certificate)
    async with new_client(verify=trusted, http2=http2) as client:
        whole = await client.get(f"{server.url}/a.bin")
        part = await client.get(f"{server.url}/a.bin", headers={"Range": "bytes=100000-199999"})
    assert whole.http_version == version
    assert whole.content == content
    assert part.content == content[100_000:200_000]


async def test_no_more_connections_are_open_than_allowed() -> None:
    async def answers(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(head("Content-Length: 2"), b"ok")

    async with scripted(answers) as server, new_client(connections=2) as client:
        await asyncio.gather(*(client.get(server.url) for _ in range(8)))
        assert len(server.connections) == 2


def _on_uvloop(fetch: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    async def run() -> httpx.Response:
        return await fetch()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


@pytest.mark.parametrize(
    ("run", "fast"), [pytest.param(_on_uvloop, True, id="uvloop"), pytest.param(trio.run, False, id="trio")]
)
def test_another_loop_will_do(
    run: Callable[[Callable[[], Awaitable[httpx.Response]]], httpx.Response], fast: bool
) -> None:
    async def fetch() -> httpx.Response:
        async with new_client() as client:
            return await client.get(f"http://127.0.0.1:{port}/")

    with hello() as port:
        response = run(fetch)
    assert response.text == "hello"
    assert _is_fast(response) is fast


async def test_connecting_is_tried_again_as_often_as_told() -> None:
    with reserved_port() as port:
        async with httpx.AsyncClient(transport=FastTransport(retries=1)) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://127.0.0.1:{port}/")
