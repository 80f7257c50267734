"""The bounds of the cost of one client: memory, files, streams, frames and time."""

import asyncio
import logging
import os
from functools import partial
from pathlib import Path

import pytest
from h2.errors import ErrorCodes
from h2.events import PingAckReceived
from h2.settings import SettingCodes
from harness.clock import Clock
from harness.process import descriptors
from harness.served import Server
from harness.waiting import HANGING, eventually

from async_downloads.asgi import Downloads
from async_downloads.sending import Receive, Scope, Send
from async_downloads.server.access_log import AccessLog
from async_downloads.server.drain import DrainGate
from async_downloads.server.http1.server import ConnectionLimits
from async_downloads.sources.directory import DirectoryStore
from server.http1.conftest import echo, hello
from server.http1.test_limits import TICK, time_passes
from server.http2.client import Http2Client, connected, frame
from server.http2.conftest import ServeHttp2
from server.sending import body, head, length

LIMITS = ConnectionLimits(header_timeout=30, keep_alive=75, max_connections=2)
CALM = ErrorCodes.ENHANCE_YOUR_CALM


def files(large: Path) -> DrainGate:
    """Return an app that serves the folder of a file."""
    return DrainGate(Downloads(DirectoryStore(large.parent), stall_timeout=2))


async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond to `/`, and wait with other requests until the client leaves."""
    if scope["path"] == "/":
        await hello(scope, receive, send)
        return
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_a_stream_above_the_64th_is_refused_alone(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(waiting)) as client:
        streams = [client.get("/wait") for _ in range(65)]
        assert await client.reset_of(streams[-1]) == ErrorCodes.REFUSED_STREAM
        client.h2.reset_stream(streams[0])
        client.flush()
        assert await client.is_alive()


async def test_a_connection_above_the_limit_of_its_client_is_refused_and_observed(serve_http2: ServeHttp2) -> None:
    lines: list[str] = []
    limits = ConnectionLimits(max_connections_per_client=1)
    server = await serve_http2(hello, limits=limits, observers=[AccessLog("text", write=lines.append)])
    async with connected(server) as first:
        assert await first.is_alive()
        async with connected(server) as second:
            assert await second.end() == CALM
    assert [line.partition("] ")[2] for line in lines if " 429 " in line] == [
        '"- - HTTP/-" 429 0 bytes whole 0.000 s complete\n'
    ]


async def test_a_list_of_fields_that_is_much_too_long_ends_the_connection(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(hello)) as client:
        client.request(*[(b"a%d" % number, b"x" * 4000) for number in range(9)])
        assert await client.end() == CALM


async def test_compressed_fields_cannot_become_a_long_list(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(hello)) as client:
        long = (b"if-none-match", b'"",' * 1300)
        assert (await client.response(client.get("/", long)))[0] == 200
        client.request(pseudo=[*[(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/")], *[long] * 15])
        assert await client.end() == CALM


async def test_a_list_of_fields_in_many_frames_ends_the_connection(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(hello)) as client:
        client.raw(frame(1, 1, 1, b"\0" * 16_000))
        for _ in range(3):
            client.raw(frame(9, 0, 1, b"\0" * 16_000))
        assert await client.end() == CALM


async def test_a_frame_that_is_too_large_ends_the_connection_before_it_has_come(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(hello)) as client:
        client.raw(b"\0\x40\1\0\0\0\0\0\1")
        assert await client.end() == ErrorCodes.FRAME_SIZE_ERROR


async def test_another_preface_ends_the_connection(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(hello), preface=b"GET / HTTP/1.1\r\n\r\n") as client:
        assert await client.end() == ErrorCodes.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("faulty", "code"),
    [
        pytest.param(frame(8, 0, 1, bytes(4)), ErrorCodes.PROTOCOL_ERROR, id="a window that grows by 0"),
        pytest.param(frame(2, 0, 1, bytes(4)), ErrorCodes.FRAME_SIZE_ERROR, id="a short priority"),
    ],
)
async def test_a_faulty_frame_of_a_stream_resets_it_alone(
    serve_http2: ServeHttp2, faulty: bytes, code: ErrorCodes
) -> None:
    async with connected(await serve_http2(waiting)) as client:
        stream = client.get("/wait")
        client.raw(faulty)
        assert await client.reset_of(stream) == code
        assert await client.is_alive()


@pytest.mark.parametrize(
    ("faulty", "code"),
    [
        pytest.param(frame(8, 0, 1, bytes(4)), ErrorCodes.PROTOCOL_ERROR, id="a window of no stream"),
        pytest.param(frame(4, 1, 0, bytes(6)), ErrorCodes.FRAME_SIZE_ERROR, id="an acknowledgement with settings"),
        pytest.param(frame(1, 5, 1, b"\xff" * 7), ErrorCodes.COMPRESSION_ERROR, id="fields that are not HPACK"),
        pytest.param(
            frame(1, 5, 1, b"\x20\x3f\xe1\x1f\x20"), ErrorCodes.COMPRESSION_ERROR, id="three sizes of a table"
        ),
        pytest.param(frame(1, 1, 1) + frame(8, 0, 1, bytes(4)), ErrorCodes.PROTOCOL_ERROR, id="a frame within fields"),
    ],
)
async def test_a_faulty_frame_of_no_stream_ends_the_connection(
    serve_http2: ServeHttp2, faulty: bytes, code: ErrorCodes
) -> None:
    async with connected(await serve_http2(waiting)) as client:
        client.raw(faulty)
        assert await client.end() == code


async def test_unknown_settings_are_not_kept(serve_http2: ServeHttp2) -> None:
    server = await serve_http2(hello)
    async with connected(server) as client:
        client.raw(frame(4, 0, 0, b"".join(number.to_bytes(2) + bytes(4) for number in range(100, 2100))))
        assert await client.is_alive()
        [connection] = server.connections
        assert len(connection._engine.remote_settings) < 10  # type: ignore[attr-defined]


async def test_a_table_may_be_emptied_and_grow_again_before_a_list(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(hello)) as client:
        client.h2.encoder.header_table_size = 0
        client.h2.encoder.header_table_size = 4096
        assert await client.is_alive()


@pytest.mark.parametrize("number", [1, 3])
async def test_a_priority_is_ignored_even_if_a_stream_depends_on_itself(serve_http2: ServeHttp2, number: int) -> None:
    async with connected(await serve_http2(waiting)) as client:
        client.get("/wait")
        client.raw(frame(2, 0, number, number.to_bytes(4) + b"\1"))
        assert await client.is_alive()


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(frame(2, 0, 3, b"\0\0\0\0\x10"), id="PRIORITY"),
        pytest.param(frame(4, 0, 0, b"\0\4\0\0\xff\xff"), id="SETTINGS"),
        pytest.param(frame(6, 1, 0, b"8 bytes!"), id="PING"),
        pytest.param(frame(8, 0, 0, b"\0\0\0\1"), id="WINDOW_UPDATE"),
        pytest.param(frame(99, 0, 0), id="unknown"),
        pytest.param(frame(0, 0, 1), id="empty DATA"),
    ],
)
async def test_a_flood_of_frames_that_bring_nothing_ends_the_connection(serve_http2: ServeHttp2, flood: bytes) -> None:
    async with connected(await serve_http2(waiting)) as client:
        client.request((b":path", b"/wait"), ends=False)
        client.raw(flood * 1000)
        await client.is_alive()  # this number is no flood
        client.raw(flood * 8000)
        assert await client.end() == CALM


async def test_large_frames_of_settings_are_a_flood_sooner(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(waiting)) as client:
        client.raw(frame(4, 0, 0, b"\0\4\0\0\xff\xff" * 2730) * 60)
        assert await client.end() == CALM


async def test_requests_that_are_reset_at_once_end_the_connection(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(waiting)) as client:
        for _ in range(150):
            stream = client.get("/wait")
            client.h2.reset_stream(stream)
        client.flush()
        assert await client.end() == CALM


async def test_downloads_that_are_broken_off_do_not(serve_http2: ServeHttp2, large: Path) -> None:
    async with connected(await serve_http2(files(large))) as client:
        for _ in range(150):
            stream = client.get("/large.bin")
            await client.until(partial(client.body, stream))
            client.h2.reset_stream(stream)
            client.flush()
        assert await client.is_alive()
    await eventually(lambda: not descriptors(large))


async def test_resets_that_the_client_makes_us_send_end_the_connection(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(waiting)) as client:
        for _ in range(150):
            stream = client.get("/wait")
            client.raw(frame(8, 0, stream, b"\x7f\xff\xff\xff"))  # a window that is too large
        assert await client.end() == CALM


async def test_no_file_is_opened_before_a_window_is(serve_http2: ServeHttp2, large: Path, content: bytes) -> None:
    async with connected(await serve_http2(files(large)), window=0) as client:
        streams = [client.get("/large.bin") for _ in range(64)]
        head_ = client.request((b":method", b"HEAD"), (b":path", b"/large.bin"))
        assert await client.reset_of(head_) == ErrorCodes.REFUSED_STREAM
        assert not descriptors(large)
        client.h2.increment_flow_control_window(1000, streams[5])
        client.flush()
        await client.until(lambda: len(client.body(streams[5])) == 1000)
        assert client.body(streams[5]) == content[:1000]


async def test_head_needs_no_window(serve_http2: ServeHttp2, large: Path) -> None:
    async with connected(await serve_http2(files(large)), window=0) as client:
        assert await client.response(client.request((b":method", b"HEAD"), (b":path", b"/large.bin"))) == (200, b"")


async def test_a_window_of_one_byte_is_used(serve_http2: ServeHttp2) -> None:
    async with connected(await serve_http2(hello), window=1) as client:
        assert await client.response(client.get("/")) == (200, b"hello")


async def test_an_app_makes_more_of_a_body_only_when_a_window_is_open(serve_http2: ServeHttp2) -> None:
    made = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal made
        await send(head())
        for number in range(4):
            made += 1
            await send(body(b"x" * 400_000, more=number < 3))

    async with connected(await serve_http2(app)) as client:
        client.auto_window = False
        stream = client.get("/")
        await client.until(lambda: len(client.body(stream)) == 65535)
        assert made == 1
        client.auto_window = True
        client.h2.acknowledge_received_data(65535, stream)
        client.flush()
        assert await client.response(stream) == (200, b"x" * 1_600_000)


async def test_bodies_that_wait_for_windows_hold_four_mebibytes(serve_http2: ServeHttp2) -> None:
    chunk, made = 1024 * 1024, 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal made
        await send(head())
        await send(body(b"x" * 100, more=True))
        for number in range(2):
            made += 1
            await send(body(b"x" * chunk, more=not number))
        await send(body(b"", more=False))

    async with connected(await serve_http2(app), window=chunk + 200) as client:
        client.auto_window = False
        client.h2.increment_flow_control_window(30 * chunk)
        streams = [client.get("/") for _ in range(6)]
        client.flush()
        await client.until(lambda: all(len(client.body(each)) >= chunk + 100 for each in streams))
        await client.until(lambda: sum(len(client.body(each)) == chunk + 200 for each in streams) == 4)
        assert made == 6 + 4
        for each in streams:
            client.h2.increment_flow_control_window(chunk, each)
        client.auto_window = True
        client.flush()
        for each in streams:
            assert (await client.response(each))[1] == b"x" * (2 * chunk + 100)


async def test_a_client_that_takes_nothing_is_told_that_its_download_is_broken_off(
    serve_http2: ServeHttp2, large: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(await serve_http2(files(large))) as client:
        client.auto_window = False
        stream = client.get("/large.bin")
        await client.until(lambda: len(client.body(stream)) == 65535)
        clock.forward(3)
        assert await client.reset_of(stream) == ErrorCodes.INTERNAL_ERROR
        client.h2.increment_flow_control_window(65535)
        client.flush()
        assert (await client.response(client.get("/nothing")))[0] == 404
    assert len(caplog.records) == 1
    assert not descriptors(large)


async def test_a_file_that_becomes_shorter_resets_its_download(serve_http2: ServeHttp2, large: Path) -> None:
    async with connected(await serve_http2(files(large))) as client:
        client.auto_window = False
        stream = client.get("/large.bin")
        await client.until(lambda: len(client.body(stream)) == 65535)
        os.truncate(large, 1000)
        client.h2.acknowledge_received_data(65535, stream)
        client.flush()
        assert await client.reset_of(stream) == ErrorCodes.INTERNAL_ERROR


async def test_a_download_that_is_cancelled_just_before_its_turn_passes_the_turn_on(
    serve_http2: ServeHttp2, large: Path, content: bytes
) -> None:
    server = await serve_http2(files(large))
    async with connected(server) as client:
        client.auto_window = False
        first = client.get("/large.bin")
        await client.until(lambda: len(client.body(first)) == 65535)
        second = client.get("/large.bin")
        [connection] = server.connections
        waiting_streams = connection._streams.send_queue._waiting  # type: ignore[attr-defined]
        await eventually(lambda: len(waiting_streams) == 2)
        waiter, _ = next(iter(waiting_streams.values()))
        waiter.cancel()
        client.auto_window = True
        for stream in (None, first, second):
            client.h2.increment_flow_control_window(65535, stream)
        connection.data_received(client.h2.data_to_send())  # in the same turn of the loop
        assert await client.reset_of(first) == ErrorCodes.INTERNAL_ERROR
        assert await client.response(second) == (200, content)


async def test_a_client_must_read_what_it_asks_for(serve_http2: ServeHttp2) -> None:
    server = await serve_http2(hello)
    async with connected(server) as client:
        assert await client.is_alive()
        [connection] = server.connections
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(40):
            client.raw(frame(6, 0, 0, b"8 bytes!") * 100)
            await asyncio.sleep(0)
        assert connection.flow.transport.get_write_buffer_size() < 256 * 1024
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await client.until(lambda: sum(isinstance(event, PingAckReceived) for event in client.events) == 4000)


async def test_an_idle_connection_is_closed_whatever_frames_it_sends(serve_http2: ServeHttp2, clock: Clock) -> None:
    server = await serve_http2(hello, limits=LIMITS)
    async with connected(server) as client:
        assert await client.is_alive()
        await time_passes(server, clock, 70)
        client.raw(frame(6, 0, 0, b"8 bytes!"))
        await client.until(lambda: any(isinstance(event, PingAckReceived) for event in client.events))
        clock.forward(5 + TICK)
        assert await client.end() == ErrorCodes.NO_ERROR


async def test_a_connection_without_a_request_is_closed_after_the_header_timeout(
    serve_http2: ServeHttp2, clock: Clock
) -> None:
    async with connected(await serve_http2(hello, limits=LIMITS)) as client:
        await client.until(lambda: client.events)
        clock.forward(30 + TICK)
        assert await client.end() == ErrorCodes.NO_ERROR


async def test_a_list_of_fields_that_does_not_end_is_not_waited_for(serve_http2: ServeHttp2, clock: Clock) -> None:
    server = await serve_http2(waiting, limits=LIMITS)
    async with connected(server) as client:
        client.get("/wait")
        assert await client.is_alive()
        client.raw(frame(1, 1, 5, b"\0"))
        client.raw(frame(9, 0, 5, b"\0"))
        await eventually(lambda: any(each._block_deadline < 1e9 for each in server.connections))  # type: ignore[attr-defined]
        clock.forward(30 + TICK)
        assert await client.end() == ErrorCodes.NO_ERROR


async def test_a_body_that_stops_is_408(serve_http2: ServeHttp2, clock: Clock) -> None:
    server = await serve_http2(echo, limits=LIMITS)
    async with connected(server) as client:
        stream = client.request((b":method", b"POST"), ends=False)
        await eventually(lambda: _deadline(server) < 1e9)
        clock.forward(30 + TICK)
        assert (await client.response(stream))[0] == 408
        assert await client.is_alive()


async def test_a_download_goes_on_when_the_body_of_its_request_does_not_come(
    serve_http2: ServeHttp2, clock: Clock
) -> None:
    begun, late = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        watching = asyncio.ensure_future(receive())  # for the body, as an app that wants to know of a disconnect
        await begun.wait()
        await send(head(length(10)))
        await send(body(b"hello", more=True))
        await late.wait()
        await send(body(b"world"))
        watching.cancel()

    server = await serve_http2(app, limits=LIMITS)
    async with connected(server) as client:
        stream = client.request(ends=False)
        await eventually(lambda: _deadline(server) < 1e9)
        begun.set()
        await client.until(lambda: client.body(stream) == b"hello")
        await time_passes(server, clock, 31)
        late.set()
        assert await client.response(stream) == (200, b"helloworld")


@pytest.mark.parametrize(("window", "seconds"), [(0, 30), (1, 300)])
async def test_a_window_that_stays_closed_resets_its_stream(
    serve_http2: ServeHttp2, clock: Clock, window: int, seconds: int
) -> None:
    server = await serve_http2(hello, limits=LIMITS)
    async with connected(server, window=window) as client:
        client.auto_window = False
        stream = client.get("/")
        await client.until(lambda: len(client.body(stream)) == window and (window or client.events))
        await eventually(lambda: _deadline(server) < 1e9)
        clock.forward(seconds + TICK)
        assert await client.reset_of(stream) == ErrorCodes.CANCEL


async def test_parts_of_a_body_do_not_extend_the_time_for_a_window(serve_http2: ServeHttp2, clock: Clock) -> None:
    server = await serve_http2(hello, limits=LIMITS)
    async with connected(server, window=1) as client:
        client.auto_window = False
        stream = client.request((b":method", b"POST"), ends=False)
        await client.until(lambda: len(client.body(stream)) == 1)
        client.h2.send_data(stream, b"part")
        client.raw(frame(6, 0, 0, b"8 bytes!"))
        await client.until(lambda: any(isinstance(event, PingAckReceived) for event in client.events))
        clock.forward(300 + TICK)
        assert await client.reset_of(stream) == ErrorCodes.CANCEL


def _deadline(server: Server) -> float:
    return min((each._streams.deadline for each in server.connections), default=1e12)  # type: ignore[attr-defined]


async def test_an_idle_connection_makes_room_and_a_busy_one_does_not(serve_http2: ServeHttp2) -> None:
    server = await serve_http2(waiting, limits=LIMITS)
    async with connected(server) as first, connected(server) as second:
        assert await first.is_alive()
        second.get("/wait")
        assert await second.is_alive()
        async with connected(server) as third:
            assert await first.end() == ErrorCodes.NO_ERROR
            third.get("/wait")
            assert await third.is_alive()
            async with connected(server) as fourth:
                assert await fourth.end() == CALM


async def test_draining_ends_idle_connections_and_finishes_streams(
    serve_http2: ServeHttp2, large: Path, content: bytes
) -> None:
    server = await serve_http2(files(large))
    async with connected(server) as idle, connected(server) as busy:
        assert await idle.is_alive()
        busy.auto_window = False
        stream = busy.get("/large.bin")
        await busy.until(lambda: len(busy.body(stream)) == 65535)
        assert server.http1
        server.http1.drain()
        assert await idle.end() == ErrorCodes.NO_ERROR
        await _finish_after_goaway(busy, stream, content)


async def _finish_after_goaway(client: Http2Client, stream: int, content: bytes) -> None:
    """Take the rest of a body by hand: h2's client takes GOAWAY for the end of all streams."""
    found, data = b"", b""
    client.raw(frame(8, 0, stream, (1 << 24).to_bytes(4)) + frame(8, 0, 0, (1 << 24).to_bytes(4)))
    async with asyncio.timeout(HANGING):
        while chunk := await client.reader.read(65536):
            data += chunk
    codes = []
    while data:
        size, kind = int.from_bytes(data[:3]), data[3]
        found += data[9 : 9 + size] if kind == 0 else b""
        codes += [int.from_bytes(data[13:17])] if kind == 7 else []
        data = data[9 + size :]
    assert codes == [0]
    assert client.body(stream) + found == content


async def test_a_client_that_says_goodbye_gets_its_responses(
    serve_http2: ServeHttp2, large: Path, content: bytes
) -> None:
    async with connected(await serve_http2(files(large))) as client:
        stream = client.get("/large.bin")
        client.raw(frame(7, 0, 0, bytes(8)))
        assert await client.response(stream) == (200, content)
        assert await client.end() is None


async def test_a_client_that_leaves_leaves_nothing(serve_http2: ServeHttp2, large: Path) -> None:
    server = await serve_http2(files(large))
    async with connected(server) as client:
        client.get("/large.bin")
        await client.until(lambda: client.body(1))
    await eventually(lambda: not server.connections and not descriptors(large))


async def test_protocol_errors_are_not_logged(serve_http2: ServeHttp2, caplog: pytest.LogCaptureFixture) -> None:
    async with connected(await serve_http2(hello)) as client:
        client.raw(frame(4, 0, 5))  # SETTINGS of a stream
        assert await client.end() == ErrorCodes.PROTOCOL_ERROR
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("size", [0, 1024 * 1024], ids=["no table", "a large one"])
async def test_responses_fill_no_table_of_fields_whatever_the_client_allows(serve_http2: ServeHttp2, size: int) -> None:
    number = length(5)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head(number, (b"x-query", scope["query_string"])))
        await send(body(b"hello"))

    async with connected(await serve_http2(app)) as client:
        client.h2.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
        for count in range(50):
            assert (await client.response(client.get(f"/?{count}{'x' * 1000}")))[1] == b"hello"
        assert client.h2.decoder.header_table.maxsize == 0
        assert not client.h2.decoder.header_table.dynamic_entries
