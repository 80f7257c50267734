"""Limited responses on the wire: over HTTP/1, TLS and HTTP/2, from files and from memory."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from harness.clock import HastyClock
from harness.served import Server, http1
from harness.waiting import HANGING, eventually

from async_downloads import DirectoryStore, Downloads
from async_downloads.client import Downloader
from async_downloads.config import ServerSettings
from async_downloads.semantics.representation import Representation
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.access_log import AccessLog
from async_downloads.server.drain import DrainGate
from async_downloads.server.http1.server import ConnectionLimits
from async_downloads.server.limits.limited_app import limited
from async_downloads.server.limits.rate_limiter import RateLimiter
from async_downloads.server.limits.rates import Rates
from async_downloads.sources.memory import MemorySource, MemoryStore
from server.http1.conftest import ServeHttp1, hello
from server.http2.client import connected
from server.http2.conftest import ServeHttp2
from server.sending import length, sending

SIZE: Final = 1024 * 1024
RATE: Final = SIZE // 10


@pytest.fixture
def store(content: bytes) -> MemoryStore:
    """Bodies in memory: a thread that reads a file would wait while the clock does not."""
    sizes = {"large": 4 * SIZE, "mib": SIZE, "some": 100_000, "small": 1000}
    return MemoryStore({name: MemorySource(content[:size], Representation(size)) for name, size in sizes.items()})


@pytest.fixture
async def hasty(monkeypatch: pytest.MonkeyPatch) -> HastyClock:
    """A clock that does not wait."""
    return HastyClock(monkeypatch)


def limiting(app: Any, each: int | None = None, client: int | None = None, total: int | None = None) -> Any:
    """Return the app behind limits."""
    return RateLimiter(DrainGate(app), Rates(each, client, total))


async def fetched(server: Server, target: str, *fields: str, method: str = "GET") -> bytes:
    """Return the body of a response."""
    async with server.connected() as connection, asyncio.timeout(1000 * HANGING):
        await connection.ask(target, *fields, method=method)
        return (await connection.read_response())[2]


async def fetched_over_tls(server: Server, target: str) -> bytes:
    """Return the body of a response over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    response = await reader.read()
    writer.transport.abort()
    return response.partition(b"\r\n\r\n")[2]


async def fetched_over_http2(server: Server, target: str) -> bytes:
    """Return the body of a response over HTTP/2."""
    async with connected(server) as client:
        return (await client.response(client.get(target)))[1]


async def seconds_of(hasty: HastyClock, *fetching: Awaitable[bytes], expected: bytes) -> float:
    """Run downloads at the same time; return how long they took."""
    began = hasty.now
    assert await asyncio.gather(*fetching) == [expected] * len(fetching)
    return hasty.now - began


async def test_a_file_takes_the_time_of_its_bytes(
    serve_http1: ServeHttp1, hasty: HastyClock, large: Path, content: bytes
) -> None:
    server = await serve_http1(limiting(sending(large, (0, SIZE), fields=(length(SIZE),)), RATE))
    seconds = await seconds_of(hasty, fetched(server, "/mib"), expected=content[:SIZE])
    assert seconds == pytest.approx(10, rel=0.05)


async def test_a_body_from_memory_takes_the_time_of_its_bytes(
    serve_http1: ServeHttp1, hasty: HastyClock, content: bytes
) -> None:
    server = await serve_http1(
        limiting(Downloads(MemoryStore({"mib": MemorySource(content[:SIZE], Representation(SIZE))})), RATE)
    )
    seconds = await seconds_of(hasty, fetched(server, "/mib"), expected=content[:SIZE])
    assert seconds == pytest.approx(10, rel=0.05)


async def test_a_body_over_tls_takes_the_time_of_its_bytes(
    certificate: tuple[Path, Path], hasty: HastyClock, store: MemoryStore, content: bytes
) -> None:
    async with http1(limiting(Downloads(store), RATE), certificate=certificate) as server:
        seconds = await seconds_of(hasty, fetched_over_tls(server, "/mib"), expected=content[:SIZE])
        assert seconds == pytest.approx(10, rel=0.05)


async def test_streams_of_http_2_share_the_rate_of_their_client(
    serve_http2: ServeHttp2, hasty: HastyClock, store: MemoryStore, content: bytes
) -> None:
    server = await serve_http2(limiting(Downloads(store), client=RATE))
    async with connected(server) as client:
        began = hasty.now
        streams = [client.get("/mib"), client.get("/mib")]
        for stream in streams:
            assert (await client.response(stream))[1] == content[:SIZE]
    assert hasty.now - began == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize("limits", [{"client": RATE}, {"total": RATE}], ids=["client", "total"])
async def test_downloads_share_the_rate_of_their_client_and_of_all(
    serve_http1: ServeHttp1, hasty: HastyClock, store: MemoryStore, content: bytes, limits: dict[str, int]
) -> None:
    server = await serve_http1(limiting(Downloads(store), **limits))
    seconds = await seconds_of(
        hasty, fetched(server, "/mib"), fetched(server, "/mib"), fetched(server, "/mib"), expected=content[:SIZE]
    )
    assert seconds == pytest.approx(30, rel=0.05)


async def test_a_client_that_leaves_does_not_slow_the_others(
    serve_http1: ServeHttp1, hasty: HastyClock, store: MemoryStore, content: bytes
) -> None:
    server = await serve_http1(limiting(Downloads(store), total=RATE))
    async with server.downloading("/large"), server.downloading("/large"):
        pass
    assert await seconds_of(hasty, fetched(server, "/mib"), expected=content[:SIZE]) < 12


@pytest.mark.parametrize("fetch", [fetched, fetched_over_tls, fetched_over_http2])
@pytest.mark.parametrize("target", ["some", "small"])
async def test_a_download_that_waits_for_its_limit_has_not_stalled(
    serve_http2: ServeHttp2,
    serve_http1: ServeHttp1,
    certificate: tuple[Path, Path],
    hasty: HastyClock,
    store: MemoryStore,
    content: bytes,
    fetch: Callable[[Server, str], Awaitable[bytes]],
    target: str,
) -> None:
    app = limiting(Downloads(store, stall_timeout=0.1), each=100 if target == "small" else 10_000)
    server = await serve_http1(app) if fetch is fetched else await serve_http2(app)
    expected = store.sources[target].data
    assert await seconds_of(hasty, fetch(server, f"/{target}"), expected=expected) > 9


async def test_a_client_that_stops_reading_is_still_disconnected(
    serve_http1: ServeHttp1, hasty: HastyClock, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve_http1(limiting(Downloads(store, stall_timeout=5), each=RATE))
    async with server.downloading("/large"):
        await asyncio.sleep(30)
    assert "the client read nothing for 5 s" in caplog.text


async def test_a_response_to_head_is_not_limited(
    serve_http1: ServeHttp1, hasty: HastyClock, store: MemoryStore
) -> None:
    server = await serve_http1(limiting(Downloads(store), total=1))
    began = hasty.now
    async with server.connected() as connection, asyncio.timeout(HANGING):
        await connection.ask("/mib", method="HEAD")
        assert (await connection.head())[1]["Content-Length"] == str(SIZE)
    assert hasty.now - began < 1


async def test_checks_of_health_do_not_wait_behind_downloads(
    serve_http1: ServeHttp1, hasty: HastyClock, store: MemoryStore
) -> None:
    server = await serve_http1(limiting(Downloads(store), total=1))
    async with server.downloading("/large"):
        began = hasty.now
        assert await fetched(server, "/-/healthy") == b"ok\n"
        assert hasty.now - began < 1


async def test_the_access_log_has_the_bytes_of_a_limited_response(hasty: HastyClock, store: MemoryStore) -> None:
    lines: list[str] = []
    app = RateLimiter(Downloads(store), Rates(RATE, None, None))
    async with http1(app, observers=[AccessLog("text", write=lines.append)]) as server:
        await fetched(server, "/mib")
        await eventually(lambda: lines)
    assert f" 200 {SIZE} bytes whole " in lines[0]


async def test_get_fetches_whole_files_from_a_server_that_limits_connections_and_rates(
    tmp_path: Path, content: bytes
) -> None:
    lines: list[str] = []
    large = content * 3
    (tmp_path / "larger").write_bytes(large)

    async with (
        http1(
            limiting(Downloads(DirectoryStore(tmp_path)), each=24 * SIZE),
            limits=ConnectionLimits(max_connections_per_client=2),
            observers=[AccessLog("text", write=lines.append)],
        ) as server,
        Downloader(connections=4) as downloader,
    ):
        await downloader.fetch(f"{server.url}/larger", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == large
    assert any(" 429 " in line for line in lines)


@pytest.mark.parametrize(
    "settings", [ServerSettings(limit_rate=1), ServerSettings(limit_rate_client=1), ServerSettings(limit_rate_total=1)]
)
def test_each_limit_puts_a_limiter_around_the_app(settings: ServerSettings) -> None:
    assert isinstance(limited(hello, settings), RateLimiter)


def test_without_limits_nothing_is_around_the_app() -> None:
    assert limited(hello, ServerSettings()) is hello


async def test_workers_divide_the_total_rate(hasty: HastyClock) -> None:
    sent: list[float] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(10_000)})

    async def send(message: Any) -> None:
        sent.append(hasty.now)

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "client": ("192.0.2.1", 5)}
    await limited(app, ServerSettings(limit_rate_total=4000, workers=4))(scope, send, send)
    assert sent[-1] - sent[0] == pytest.approx(10, rel=0.05)
