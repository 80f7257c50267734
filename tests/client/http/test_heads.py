"""The time that the head of an answer takes, and the bodies of redirects, of which nothing is wanted."""

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

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200) if request.url.path == "/b" else httpx.Response(302, headers=headers, stream=body)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def status(client: httpx.AsyncClient, url: str = URL, *, stall: float = 0.01) -> int:
    """Ask, of a server that may be silent for a hundredth of a second or as long as is said."""
    async with Exchange(client, url, stall=stall).get({}) as response:
        return response.status_code


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param(
            ScriptedBody([b"garbage"]), {"Content_Length": "7", "Content_Encoding": "gzip"}, id="of damaged gzip"
        ),
        pytest.param(ScriptedBody([b"gone"], hangs=True), {"Content_Length": "9"}, id="that does not come"),
        pytest.param(ScriptedBody([b"gone"], httpx.ReadError("reset")), {"Content_Length": "9"}, id="that breaks"),
        pytest.param(ScriptedBody([b"gone"], hangs=True), {"Content_Length": "9" * 5000}, id="of an absurd length"),
        pytest.param(ScriptedBody([b"gone"], hangs=True), {"Content_Length": "²"}, id="of a length that is none"),
        pytest.param(ScriptedBody([b"gone"], hangs=True), {}, id="of no length"),
    ],
)
async def test_the_body_of_a_redirect_does_not_matter(body: ScriptedBody, fields: dict[str, str]) -> None:
    assert await status(redirecting(body, **fields)) == 200
    assert body.closed


async def test_it_is_read_as_it_is_and_no_further_than_it_says() -> None:
    segment, left = gzip.compress(bytes(1_000_000)), list(range(1000))
    segments = (segment for _ in iter(left.pop, 0))
    await status(
        redirecting(ScriptedBody(segments), Content_Length=str(3 * len(segment)), Content_Encoding="gzip"), stall=30
    )
    assert len(left) == 1000 - 4


async def test_a_head_that_does_not_come_is_a_stall() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("connection.connect_tcp.started", {})
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TransientError, match=r"no answer came within 0\.02 s") as caught:
        await status(httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    assert isinstance(caught.value.error, Stalled)


async def test_so_is_one_that_comes_byte_by_byte(clock: Clock) -> None:
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
        with pytest.raises(TransientError, match="no answer came"):
            await status(client, f"http://127.0.0.1:{port}/", stall=30)
        await gone.wait()


async def test_the_wait_for_a_connection_of_the_pool_does_not_count() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.03)  # longer than the head may take
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        return httpx.Response(200)

    assert await status(httpx.AsyncClient(transport=httpx.MockTransport(answer))) == 200


async def test_a_time_that_is_out_elsewhere_is_no_stall() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await status(httpx.AsyncClient(transport=httpx.MockTransport(answer)))


async def test_a_proxy_that_asks_who_we_are_is_not_asked_again() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ProxyError("407 Proxy Authentication Required")

    with pytest.raises(BadStatus) as caught:
        await status(httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    assert (caught.value.code, caught.value.exit_code) == (407, 6)
