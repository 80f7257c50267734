"""Requests and responses over HTTP/2."""

import asyncio
import json
import ssl
import subprocess
from pathlib import Path

import pytest
from h2.errors import ErrorCodes
from harness.waiting import HANGING, eventually

from async_downloads import open_file
from async_downloads.asgi import Downloads
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.access_log import AccessLog
from async_downloads.server.drain import DrainGate
from async_downloads.sources.directory import DirectoryStore
from server.http1.conftest import content_of, echo, hello
from server.http2.client import Fields, connected
from server.http2.conftest import ServeHttp2
from server.sending import body, head, length

BASE: Fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"localhost")]


def with_field(name: bytes, value: bytes) -> Fields:
    """Return a request in which a pseudo-field has another value."""
    return [(each, value if each == name else old) for each, old in BASE]


async def fields(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the scope that the app gets for a request."""
    names = [name + b"=" + value for name, value in scope["headers"]]
    text = b"|".join([scope["method"].encode(), scope["raw_path"], scope["query_string"], *names])
    await send(head(length(len(text)), (b"Connection", b"close"), (b"X-Name", b" padded ")))
    await send(body(text))


async def test_the_app_gets_a_request_in_the_form_of_http_1(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(fields)) as client:
        stream = client.get("/a%20b?c=d", (b"x-y", b"z"), (b"cookie", b"a=1"))
        status, content = await client.response(stream)
    assert (status, content) == (200, b"GET|/a%20b|c=d|host=localhost|x-y=z|cookie=a=1")


async def test_pieces_of_a_cookie_are_joined(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(fields)) as client:
        cookies = [(b"cookie", b"a=1"), (b"cookie", b"b=2")]
        _, content = await client.response(client.request(pseudo=[*BASE, *cookies]))
    assert content.endswith(b"|cookie=a=1; b=2")


async def test_a_response_has_a_date_and_no_field_of_http_1(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(fields)) as client:
        stream = client.get("/")
        await client.response(stream)
        [response, *_] = client.of(stream)
    found = dict(response.headers)  # type: ignore[attr-defined]
    assert {b"date", b"x-name"} <= set(found)
    assert b"connection" not in found
    assert found[b"x-name"] == b"padded"


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_a_long_head_comes_in_several_frames(serve_http2: ServeHttp2, method: bytes) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head(length(5), (b"x-long", b"x" * 40_000)))  # more than two frames can hold
        await send(body(b"hello"))

    async with connected(await serve_http2(app)) as client:
        stream = client.request(pseudo=with_field(b":method", method))
        assert await client.response(stream) == (200, b"" if method == b"HEAD" else b"hello")
        [response, *_] = client.of(stream)
        assert (b"x-long", b"x" * 40_000) in response.headers  # type: ignore[attr-defined]
        assert await client.response(client.get("/")) == (200, b"hello")


async def test_bytes_beyond_ascii_in_a_path_are_percent_encoded(serve_http2: ServeHttp2) -> None:
    async def app(scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["raw_path"] + b"?" + scope["query_string"]})

    async with connected(await serve_http2(app)) as client:
        assert await client.response(client.request(pseudo=with_field(b":path", b"/\xff?q=\xfe"))) == (
            200,
            b"/%FF?q=%FE",
        )


async def test_a_body_is_taken_and_sent_back(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(echo)) as client:
        stream = client.request((b":method", b"POST"), (b"content-length", b"300000"), ends=False)
        for _ in range(30):
            await client.until(lambda: client.h2.local_flow_control_window(stream) >= 10_000)
            client.h2.send_data(stream, b"x" * 10_000)
            client.flush()
        client.h2.end_stream(stream)
        client.flush()
        assert await client.response(stream) == (200, b"x" * 300_000)


async def test_a_client_that_waits_for_100_gets_it(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(echo)) as client:
        stream = client.request((b":method", b"POST"), (b"expect", b"100-continue"), ends=False)
        await client.until(lambda: client.of(stream))
        client.h2.send_data(stream, b"hello", end_stream=True)
        client.flush()
        assert await client.response(stream) == (200, b"hello")


async def test_a_client_need_not_send_a_body_that_the_app_does_not_want(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(hello)) as client:
        stream = client.request((b":method", b"POST"), ends=False)
        assert await client.reset_of(stream) == ErrorCodes.NO_ERROR
        assert client.body(stream) == b"hello"
        assert await client.is_alive()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(with_field(b":path", b""), id="no path"),
        pytest.param([(b":method", b"CONNECT"), (b":authority", b"localhost:1")], id="CONNECT"),
        pytest.param([*with_field(b":method", b"CONNECT"), (b":protocol", b"websocket")], id="extended CONNECT"),
        pytest.param(BASE[1:], id="no method"),
        pytest.param([BASE[0], *BASE[2:]], id="no scheme"),
        pytest.param([*BASE, (b":path", b"/b")], id="two paths"),
        pytest.param([*BASE, (b"a", b"b"), (b":x", b"y")], id="a late pseudo-field"),
        pytest.param([*BASE, (b"Upper", b"x")], id="capitals"),
        pytest.param([*BASE, (b"", b"x")], id="an empty name"),
        pytest.param([*BASE, (b"a b", b"x")], id="a name with a space"),
        pytest.param([*BASE, (b"a", b"x\r\ny: z")], id="two lines"),
        pytest.param([*BASE, (b"a", b"x\0")], id="NUL"),
        pytest.param([*BASE, (b"a", b" x")], id="space around"),
        pytest.param([*BASE, (b"connection", b"close")], id="Connection"),
        pytest.param([*BASE, (b"transfer-encoding", b"chunked")], id="Transfer-Encoding"),
        pytest.param([*BASE, (b"te", b"gzip")], id="TE"),
        pytest.param([*BASE, (b"content-length", b"5")], id="a length without a body"),
        pytest.param([*BASE, (b"content-length", b"x")], id="no number"),
        pytest.param([*BASE, (b"content-length", b"0"), (b"content-length", b"1")], id="two lengths"),
    ],
)
async def test_a_malformed_request_resets_its_stream_alone(serve_http2: ServeHttp2, request_: Fields) -> None:
    async with connected(await serve_http2(hello)) as client:
        assert await client.reset_of(client.request(pseudo=request_)) == ErrorCodes.PROTOCOL_ERROR
        assert await client.is_alive()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(with_field(b":path", b"http://localhost/"), 400, id="a whole URL"),
        pytest.param(with_field(b":path", b"*"), 400, id="the target of OPTIONS"),
        pytest.param(with_field(b":method", b"G T\x01"), 400, id="a method with a space"),
        pytest.param(with_field(b":method", "GËT".encode()), 400, id="a method that is not ASCII"),
        pytest.param(with_field(b":authority", b"a/b"), 400, id="a host that is none"),
        pytest.param([*BASE, (b"host", b"other")], 400, id="two hosts"),
        pytest.param(BASE[:3], 400, id="no host"),
        pytest.param([*BASE, *[(b"a", b"b")] * 200], 431, id="many fields"),
        pytest.param([*BASE, (b"a", b"x" * 17_000)], 431, id="long fields"),
    ],
)
@pytest.mark.parametrize("ends", [True, False])
async def test_a_request_that_cannot_be_is_refused_alone(
    serve_http2: ServeHttp2, request_: Fields, status: int, *, ends: bool
) -> None:
    async with connected(await serve_http2(hello)) as client:
        assert await client.response(client.request(pseudo=request_, ends=ends)) == (status, b"")
        assert await client.is_alive()


async def test_a_request_that_cannot_be_is_logged(serve_http2: ServeHttp2) -> None:
    lines: list[str] = []
    server = await serve_http2(hello, observers=[AccessLog("json", write=lines.append)])
    async with connected(server) as client:
        await client.response(client.request(pseudo=with_field(b":path", b"no-slash")))
        await client.response(client.request(pseudo=[*BASE, (b"a", b"x" * 17_000)]))
    logged = [(each["method"], each["target"], each["version"], each["status"]) for each in map(json.loads, lines)]
    assert logged == [("GET", "no-slash", "2", 400), ("GET", "/", "2", 431)]


async def test_responses_are_logged_whole_failed_or_reset(serve_http2: ServeHttp2) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"] != "/broken"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"four", "more_body": scope["path"] == "/cut"})

    lines: list[str] = []
    server = await serve_http2(app, observers=[AccessLog("json", write=lines.append)])
    async with connected(server) as client:
        assert await client.response(client.request()) == (200, b"four")
        assert await client.response(client.request(pseudo=with_field(b":path", b"/broken"))) == (500, b"")
        stream = client.request(pseudo=with_field(b":path", b"/cut"))
        await eventually(lambda: len(lines) == 3)
        assert stream
    logged = [(each["status"], each["bytes"], each["aborted"]) for each in map(json.loads, lines)]
    assert logged == [(200, 4, False), (500, 0, False), (200, 4, True)]


@pytest.mark.parametrize("content", [b"four", b"sixsix"])
async def test_a_body_of_another_length_resets_its_stream_alone(serve_http2: ServeHttp2, content: bytes) -> None:
    async with connected(await serve_http2(echo)) as client:
        stream = client.request((b":method", b"POST"), (b"content-length", b"5"), ends=False)
        client.h2.send_data(stream, content, end_stream=True)
        client.flush()
        assert await client.reset_of(stream) == ErrorCodes.PROTOCOL_ERROR
        assert (await client.response(client.get("/")))[0] == 200


@pytest.mark.parametrize(("name", "ended"), [(b"x-checksum", 200), (b":path", None)])
async def test_trailers_end_a_body_if_they_are_well_formed(
    serve_http2: ServeHttp2, name: bytes, ended: int | None
) -> None:
    async with connected(await serve_http2(echo)) as client:
        stream = client.request((b":method", b"POST"), ends=False)
        client.h2.send_data(stream, b"hello")
        client.h2.send_headers(stream, [(name, b"x")], end_stream=True)
        client.flush()
        assert (await client.response(stream))[0] == ended
        assert (await client.response(client.get("/")))[0] == 200


async def test_an_app_that_fails_resets_its_stream_or_gives_500(
    serve_http2: ServeHttp2, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await send(head(length(10)))
            await send(body(b"half", more=True))
        if scope["path"] == "/unknown":
            await send(head(length(10)))
            await send({"type": "http.response.unknown"})
        raise ValueError("app")

    async with connected(await serve_http2(failing)) as client:
        assert await client.response(client.get("/")) == (500, b"")
        assert await client.response(client.get("/unknown")) == (500, b"")
        late = client.get("/late")
        assert await client.reset_of(late) == ErrorCodes.INTERNAL_ERROR
        assert client.body(late) == b"half"
    assert [record.message for record in caplog.records] == [
        f"GET '{path}' failed" for path in ("/", "/unknown", "/late")
    ]


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([body(b"early")], id="no head"),
        pytest.param([head(length(3)), body(b"long")], id="too long"),
        pytest.param([head(length(5)), body(b"four")], id="too short"),
        pytest.param([head((b"a\r\nb", b"c"))], id="a name with a line end"),
        pytest.param([head((b"a", b"b\r\nc: d"))], id="a value with a line end"),
    ],
)
async def test_a_response_that_cannot_be_sent_is_500(
    serve_http2: ServeHttp2, messages: list[dict[str, object]], caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async with connected(await serve_http2(app)) as client:
        assert await client.response(client.get("/")) == (500, b"")
    assert len(caplog.records) == 1


async def test_head_and_304_have_no_body(serve_http2: ServeHttp2) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head(status=304) if scope["path"] == "/304" else head(length(5)))
        await send(body(b"hel", more=True))
        await send(body(b"lo"))

    async with connected(await serve_http2(app)) as client:
        assert await client.response(client.request((b":method", b"HEAD"))) == (200, b"")
        assert await client.response(client.get("/304")) == (304, b"")
        assert await client.response(client.get("/")) == (200, b"hello")


async def test_files_come_whole_and_in_ranges(serve_http2: ServeHttp2, large: Path, content: bytes) -> None:
    async with connected(await serve_http2(DrainGate(Downloads(DirectoryStore(large.parent))))) as client:
        whole = client.get("/large.bin")
        parts = [client.get("/large.bin", (b"range", b"bytes=%d-%d" % (at, at + 99_999))) for at in (0, 7, 3_000_000)]
        assert await client.response(whole) == (200, content)
        for stream, at in zip(parts, (0, 7, 3_000_000), strict=True):
            assert await client.response(stream) == (206, content[at : at + 100_000])


async def test_a_file_that_is_not_cached_comes_whole(
    serve_http2: ServeHttp2, large: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_file, "_NOWAIT", None)  # no byte can be read without a wait
    async with connected(await serve_http2(DrainGate(Downloads(DirectoryStore(large.parent))))) as client:
        assert await client.response(client.get("/large.bin")) == (200, content)


async def test_responses_of_one_turn_are_written_together(
    serve_http2: ServeHttp2, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve_http2(hello)
    async with connected(server) as client:
        await client.response(client.get("/"))
        [connection] = server.connections
        transport = connection.flow.transport
        write, written = transport.write, list[bytes]()

        def count_and_write(data: bytes) -> None:
            written.append(data)
            write(data)

        monkeypatch.setattr(transport, "write", count_and_write)
        streams = [client.get("/") for _ in range(16)]
        assert [await client.response(stream) for stream in streams] == [(200, b"hello")] * 16
        assert len(written) < 6  # one write for responses, and a few for the settings


async def test_streams_of_a_connection_share_it(serve_http2: ServeHttp2, large: Path) -> None:
    async with connected(await serve_http2(DrainGate(Downloads(DirectoryStore(large.parent))))) as client:
        first, second = client.get("/large.bin"), client.get("/large.bin")
        await client.until(lambda: client.body(first) and client.body(second))  # one may be opened much sooner
        before = {each: len(client.body(each)) for each in (first, second)}
        await client.until(lambda: len(client.body(second)) > before[second] + 200_000)
        assert 100_000 < len(client.body(first)) - before[first] < 400_000


async def test_a_client_without_http_2_speaks_http_1(serve_http2: ServeHttp2) -> None:
    server = await serve_http2(hello)
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusted)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.transport.abort()


async def test_nghttp_reads_our_responses(serve_http2: ServeHttp2) -> None:
    server = await serve_http2(hello)
    process = await asyncio.create_subprocess_exec(
        "nghttp", "--no-verify-peer", f"{server.url}/", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), HANGING)
    assert out == b"hello"


async def test_the_whole_body_reaches_an_app_that_waits(serve_http2: ServeHttp2) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await content_of(receive)
        await send(head(status=204))
        await send(body())

    async with connected(await serve_http2(app)) as client:
        stream = client.request((b":method", b"PUT"), ends=False)
        client.raw(b"\0\0\0\0\1" + stream.to_bytes(4))  # an empty DATA frame with END_STREAM
        assert await client.response(stream) == (204, b"")
