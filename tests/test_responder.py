"""respond() and Body: the plan's bytes come out whatever the chunks, and the source is closed whatever happens."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest
from harness.process import other_tasks
from harness.sources import CHUNK_SIZES, SlicedSource
from semantics import wire

from async_downloads.body import Body
from async_downloads.errors import SendStalled, SourceTruncated
from async_downloads.responder import Response, respond
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.plan import Policy
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation, RequestHead, Validators
from async_downloads.sources.memory import MemorySource
from async_downloads.timeouts import StallTimer

DATA = bytes(range(256)) * 8
PLAIN = Policy(secret=b"secret")

pytestmark = pytest.mark.usefixtures("clock")


async def respond_to(source: SlicedSource | MemorySource, method: str = "GET", **fields: str) -> Response:
    """Make the response to a request; in the names of fields `_` stands for `-`."""
    request = RequestHead(method, 0, {name.replace("_", "-"): value for name, value in fields.items()})
    return await respond(request, source, PLAIN)


async def collect(body: Body, received: list[bytes] | None = None) -> bytes:
    """Read a body to its end; `received` has what came before an error."""
    received = [] if received is None else received
    async with body as chunks:
        async for chunk in chunks:
            received.append(chunk)
    return b"".join(received)


@pytest.mark.parametrize("chunk", CHUNK_SIZES)
@pytest.mark.parametrize(
    ("value", "status", "expected"),
    [
        pytest.param(None, 200, DATA, id="whole"),
        pytest.param("bytes=5-", 206, DATA[5:], id="from"),
        pytest.param("bytes=100-299", 206, DATA[100:300], id="inside"),
        pytest.param("bytes=-1", 206, DATA[-1:], id="last byte"),
        pytest.param("bytes=9999-", 416, b"", id="beyond"),
    ],
)
async def test_a_body_is_the_same_in_chunks_of_any_size(
    chunk: int, value: str | None, status: int, expected: bytes
) -> None:
    source = SlicedSource(DATA, chunk=chunk)
    response = await respond_to(source, **({"range": value} if value else {}))
    assert response.status == status
    assert len(response.body) == len(expected)
    assert await collect(response.body) == expected
    assert source.closed


@pytest.mark.parametrize("chunk", CHUNK_SIZES)
async def test_another_parser_reads_the_parts_of_several_ranges(chunk: int) -> None:
    response = await respond_to(SlicedSource(DATA, chunk=chunk), range="bytes=500-509,0-4,-7")
    fields = dict(response.fields)
    body = await collect(response.body)
    assert len(body) == int(fields["Content-Length"])
    parts = wire.parts(fields["Content-Type"], body)
    assert [data for _, _, data in parts] == [DATA[500:510], DATA[:5], DATA[-7:]]
    assert all(wire.named_bytes(content_range, DATA) == data for _, content_range, data in parts)


async def test_several_ranges_read_at_once_make_the_same_body() -> None:
    value = "bytes=500-509,0-4"
    slow, fast = await respond_to(SlicedSource(DATA), range=value), await respond_to(_memory(), range=value)
    assert slow.body.whole is None
    assert fast.body.whole is not None
    assert await collect(fast.body) == fast.body.whole == await collect(slow.body)


def _memory() -> MemorySource:
    return MemorySource(DATA, Representation(len(DATA), media_type="text/plain"))


async def _hold(source: SlicedSource, body: Body, *, error: bool) -> None:
    async with body as chunks:
        async for _ in chunks:
            if error:
                raise RuntimeError("the reader fails")
            await asyncio.Event().wait()


async def _break(source: SlicedSource, body: Body) -> None:
    async with body as chunks:
        async for _ in chunks:
            break


async def _fail(source: SlicedSource, body: Body) -> None:
    with pytest.raises(RuntimeError):
        await _hold(source, body, error=True)


async def _stall(source: SlicedSource, body: Body) -> None:
    with pytest.raises(SendStalled, match=r"read nothing for 0\.05 s"):
        await _hold(source, body, error=False)


async def _cancel(source: SlicedSource, body: Body) -> None:
    reading = asyncio.create_task(_hold(source, body, error=False))
    for _ in range(3):
        await asyncio.sleep(0)
    assert source.reading == 1
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def _never_read(source: SlicedSource, body: Body) -> None:
    await body.aclose()
    await body.aclose()


@pytest.mark.parametrize("leave", [_break, _fail, _stall, _cancel, _never_read])
async def test_however_a_body_is_left_its_source_is_closed_and_no_generator_hangs(
    leave: Callable[[SlicedSource, Body], Coroutine[Any, Any, None]],
) -> None:
    source = SlicedSource(DATA)
    response = await respond(RequestHead("GET", 0), source, PLAIN, stall_timeout=0.05)
    await leave(source, response.body)
    assert source.closed
    assert not source.reading
    assert not other_tasks()


@pytest.mark.parametrize("until", [7, 700, len(DATA) - 1])
async def test_an_error_of_the_source_comes_through_after_the_bytes_before_it(until: int) -> None:
    source = SlicedSource(DATA, until=until, error=SourceTruncated("short"))
    response = await respond_to(source)
    received: list[bytes] = []
    with pytest.raises(SourceTruncated):
        await collect(response.body, received)
    assert b"".join(received) == DATA[: until - until % 7]
    assert source.closed


@pytest.mark.parametrize("until", [0, 1])
async def test_an_error_before_the_first_byte_comes_before_the_response(until: int) -> None:
    source = SlicedSource(DATA, until=until, error=SourceTruncated("short"))
    with pytest.raises(SourceTruncated):
        await respond_to(source)
    assert source.closed
    assert not source.reading


@pytest.mark.parametrize("chunks", [(), (b"",), (b"", b"")])
@pytest.mark.parametrize("fields", [{}, {"range": "bytes=1-2"}])
async def test_a_source_without_a_byte_of_its_size_fails_before_the_response(
    chunks: tuple[bytes, ...], fields: dict[str, str]
) -> None:
    class Empty(SlicedSource):
        async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
            for chunk in chunks:
                yield chunk

    source = Empty(DATA)
    with pytest.raises(SourceTruncated, match="before its first byte"):
        await respond_to(source, **fields)
    assert source.closed


async def test_a_begun_body_that_is_not_read_leaves_nothing_open() -> None:
    source = SlicedSource(DATA)
    reply = await respond_to(source)
    await reply.body.aclose()
    assert source.closed
    assert not source.reading


async def test_a_reader_that_is_slow_but_not_stalled_gets_everything() -> None:
    source = SlicedSource(DATA, chunk=256)
    response = await respond(RequestHead("GET", 0), source, PLAIN, stall_timeout=0.25)
    began = asyncio.get_running_loop().time()
    received = b""
    async with response.body as chunks:
        async for chunk in chunks:
            received += chunk
            await _pass(0.05)
    assert received == DATA
    assert asyncio.get_running_loop().time() - began > 0.25


async def _pass(seconds: float) -> None:
    """Let time pass: the stall limit is about time, so there is no other condition to wait for."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def test_a_timeout_of_the_block_itself_is_no_stall() -> None:
    with pytest.raises(TimeoutError), StallTimer(60):
        raise TimeoutError


def test_a_stall_is_no_timeout_error_which_quart_would_swallow() -> None:
    assert not issubclass(SendStalled, TimeoutError)


async def test_other_tasks_run_between_two_chunks() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await collect((await respond_to(SlicedSource(DATA, chunk=16))).body)
    task.cancel()
    assert turns >= len(DATA) // 16


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        ("HEAD", {}, 200),
        ("HEAD", {"range": "bytes=0-9"}, 206),
        ("GET", {"if_none_match": '"v"'}, 304),
        ("GET", {"if_match": '"w"'}, 412),
        ("GET", {"range": "bytes=9999-"}, 416),
    ],
)
async def test_a_response_without_a_body_reads_nothing_and_closes_at_once(
    method: str, fields: dict[str, str], status: int
) -> None:
    described = Representation(len(DATA), validators=Validators(ETag("v")))
    source = SlicedSource(DATA, representation=described, until=0, error=AssertionError())
    response = await respond_to(source, method, **fields)
    assert response.status == status
    assert source.closed
    assert response.body.whole == b""
    assert bool(response.body)
    assert len(response.body) == 0


async def test_the_callers_description_replaces_that_of_the_source() -> None:
    selected = Representation(len(DATA), media_type="text/csv", validators=Validators(ETag("mine")))
    response = await respond(RequestHead("GET", 0), SlicedSource(DATA), PLAIN, selected=selected)
    await response.body.aclose()
    assert dict(response.fields)["Content-Type"] == "text/csv"
    assert dict(response.fields)["ETag"] == '"mine"'


async def test_a_description_that_no_field_can_carry_closes_the_source() -> None:
    source = SlicedSource(DATA, representation=Representation(len(DATA), validators=Validators(None, 10**15)))
    with pytest.raises(OverflowError):
        await respond(RequestHead("GET", 10**15), source, PLAIN)
    assert source.closed


async def test_a_stream_of_unknown_size_is_sent_to_its_end() -> None:
    source = SlicedSource(DATA, representation=Representation(None, ranges=False))
    response = await respond_to(source, range="bytes=0-9")
    assert response.status == 200
    assert "Content-Length" not in dict(response.fields)
    assert await collect(response.body) == DATA


@pytest.mark.parametrize("secret", [b"", b"another"])
async def test_a_boundary_is_the_same_for_equal_requests_only(secret: bytes) -> None:
    async def boundary(value: str, policy: Policy) -> str:
        response = await respond(RequestHead("GET", 0, {"range": value}), SlicedSource(DATA), policy)
        await response.body.aclose()
        return dict(response.fields)["Content-Type"]

    policy = Policy(secret=secret)
    assert await boundary("bytes=0-1,5-6", policy) == await boundary("bytes=0-1,5-6", policy)
    assert await boundary("bytes=0-1,5-6", policy) != await boundary("bytes=0-1,5-7", policy)
    assert await boundary("bytes=0-1,5-6", policy) != await boundary("bytes=0-1,5-6", PLAIN)
