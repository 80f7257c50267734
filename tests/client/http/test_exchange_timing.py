"""Time limits of an exchange: the head of a response, and the bodies of redirects."""

import asyncio
import gzip
from contextlib import suppress

import httpx
import pytest
from harness.clock import Clock

from async_downloads.client.decisions.retries import TransientError
from async_downloads.client.http.exchange import Exchange
from async_downloads.client.http.transport import new_client
from async_downloads.errors import BadStatus, Stalled
from client.remote import ScriptedBody

URL = "https://example.com/a"


def redirecting(body: httpx.AsyncByteStream, **fields: str) -> httpx.AsyncClient:
    """A client of a server that redirects once, with this body; an underscore in a field's name is a hyphen."""
    named = {"Location": "/b", **{name.replace("_", "-"): value for name, value in fields.items()}}
    headers = {name.encode(): value.encode("latin-1") for name, value in named.items()}

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200) if request.url.path == "/b" else httpx.Response(302, headers=headers, stream=body)

    return httpx.AsyncClient(transport=httpx.MockTransport(respond))


async def status(client: httpx.AsyncClient, url: str = URL, *, stall: float = 0.01) -> int:
    """Request the URL and return the status; the server may be silent for `stall` seconds."""
    async with Exchange(client, url, stall=stall, response_seconds=stall).get({}) as response:
        return response.status_code


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param(
            ScriptedBody([b"garbage"]), {"Content_Length": "7", "Content_Encoding": "gzip"}, id="of damaged gzip"
        ),
        pytest.param(ScriptedBody([b"gone"], hangs=True), {"Content_Length": "9"}, id="that hangs"),
        pytest.param(ScriptedBody([b"gone"], httpx.ReadError("reset")), {"Content_Length": "9"}, id="that breaks"),
        pytest.param(ScriptedBody([b"gone"], hangs=True), {"Content_Length": "9" * 5000}, id="of an absurd length"),
        pytest.param(ScriptedBody([b"gone"], hangs=True), {"Content_Length": "²"}, id="of an invalid length"),
        pytest.param(ScriptedBody([b"gone"], hangs=True), {}, id="of no length"),
    ],
)
async def test_the_body_of_a_redirect_is_ignored(body: ScriptedBody, fields: dict[str, str]) -> None:
    assert await status(redirecting(body, **fields)) == 200
    assert body.closed


async def test_the_body_of_a_redirect_is_read_undecoded_and_to_its_length_only() -> None:
    piece, left = gzip.compress(bytes(1_000_000)), list(range(1000))
    pieces = (piece for _ in iter(left.pop, 0))
    await status(
        redirecting(ScriptedBody(pieces), Content_Length=str(3 * len(piece)), Content_Encoding="gzip"), stall=30
    )
    assert len(left) == 1000 - 4


async def test_a_head_that_does_not_arrive_is_a_stall() -> None:
    async def respond(request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("connection.connect_tcp.started", {})
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TransientError, match=r"no response came within 0\.02 s") as caught:
        await status(httpx.AsyncClient(transport=httpx.MockTransport(respond)))
    assert isinstance(caught.value.error, Stalled)


async def test_a_head_that_arrives_line_by_line_is_a_stall(clock: Clock) -> None:
    gone = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"A: a\r\n")
                await writer.drain()
                clock.forward(1)
                await asyncio.sleep(0)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server, new_client() as client:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransientError, match="no response came"):
            await status(client, f"http://127.0.0.1:{port}/", stall=10)
        await gone.wait()


async def test_the_wait_for_a_connection_of_the_pool_does_not_count() -> None:
    async def respond(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.03)  # longer than the limit for the head
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        return httpx.Response(200)

    assert await status(httpx.AsyncClient(transport=httpx.MockTransport(respond))) == 200


async def test_a_timeout_of_the_transport_itself_is_not_a_stall() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await status(httpx.AsyncClient(transport=httpx.MockTransport(respond)))


async def test_a_proxy_that_wants_authentication_is_final() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        raise httpx.ProxyError("407 Proxy Authentication Required")

    with pytest.raises(BadStatus) as caught:
        await status(httpx.AsyncClient(transport=httpx.MockTransport(respond)))
    assert (caught.value.code, caught.value.exit_code) == (407, 6)
