"""A body as it comes: too slow, too short, too long, coded."""

import asyncio
import gzip
import hashlib
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable
from random import Random

import httpx
import pytest

from async_downloads.client.checksum import Checksum
from async_downloads.client.decisions.retries import TransientError
from async_downloads.client.http.body_stream import (
    MinSpeed,
    body_stream,
    decoded,
    with_digest,
    with_length,
    with_min_speed,
)
from async_downloads.errors import BadResponse, DigestMismatch, NetworkError, Stalled
from client.remote import ScriptedBody

TEXT = Random(0).randbytes(3000) * 3
FLOOR = MinSpeed(30.0, 1)


async def chunks(*segments: bytes, hangs: bool = False) -> AsyncGenerator[bytes]:
    """Yield the segments; then end, or never go on."""
    for segment in segments:
        yield segment
    if hangs:
        await asyncio.Event().wait()


async def joined(segments: AsyncGenerator[bytes]) -> bytes:
    """Read all there is."""
    return b"".join([segment async for segment in segments])


def split(data: bytes, size: int) -> Iterable[bytes]:
    """Cut up."""
    return [data[at : at + size] for at in range(0, len(data), size)]


async def test_what_comes_fast_enough_is_passed_on() -> None:
    assert await joined(with_min_speed(chunks(b"a", b"b"), MinSpeed(0.01, 1))) == b"ab"


@pytest.mark.parametrize(
    "passed",
    [
        pytest.param(lambda below: with_min_speed(below, FLOOR), id="steadily"),
        pytest.param(lambda below: with_length(below, 99), id="exactly"),
        pytest.param(lambda below: with_digest(below, Checksum("sha256", bytes(32))), id="verified"),
        pytest.param(lambda below: decoded(below, "gzip"), id="decoded"),
    ],
)
async def test_who_leaves_closes_what_is_below_at_once(
    passed: Callable[[AsyncGenerator[bytes]], AsyncGenerator[bytes]],
) -> None:
    closed = []

    async def below() -> AsyncGenerator[bytes]:
        try:
            yield gzip.compress(b"a")
        finally:
            closed.append(True)

    chunks = passed(below())
    await anext(chunks)
    await chunks.aclose()
    assert closed


async def test_nothing_for_too_long_is_a_stall() -> None:
    with pytest.raises(TransientError, match=r"1 bytes came in 0.01 s") as caught:
        await joined(with_min_speed(chunks(b"a", hangs=True), MinSpeed(0.01, 1000)))
    assert isinstance(caught.value.error, Stalled)


async def test_too_little_for_too_long_is_a_stall_though_something_comes() -> None:
    async def dripping() -> AsyncGenerator[bytes]:
        while True:
            await asyncio.sleep(0.001)
            yield b"a"

    with pytest.raises(TransientError, match="came in"):
        await joined(with_min_speed(dripping(), MinSpeed(0.02, 10**6)))


async def test_the_time_that_the_taker_needs_is_no_stall() -> None:
    async for _ in with_min_speed(chunks(b"a", b"b", b"c"), MinSpeed(0.01, 1000)):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("length", [None, 4])
async def test_a_body_of_the_promised_length_is_passed_on(length: int | None) -> None:
    assert await joined(with_length(chunks(b"ab", b"cd"), length)) == b"abcd"


async def test_a_body_that_is_too_short_was_cut() -> None:
    with pytest.raises(TransientError, match="after 2 of 3 bytes") as caught:
        await joined(with_length(chunks(b"ab"), 3))
    assert isinstance(caught.value.error, NetworkError)


async def test_a_body_that_is_too_long_breaks_a_promise() -> None:
    with pytest.raises(TransientError, match="more than the 3 bytes") as caught:
        await joined(with_length(chunks(b"ab", b"cd"), 3))
    assert isinstance(caught.value.error, BadResponse)


async def test_a_body_of_the_promised_digest_is_passed_on() -> None:
    expected = Checksum("sha256", hashlib.sha256(b"abcd").digest())
    assert await joined(with_digest(chunks(b"ab", b"cd"), expected)) == b"abcd"


async def test_one_of_another_is_told_with_both() -> None:
    expected = Checksum("sha512", bytes(64))
    with pytest.raises(DigestMismatch) as caught:
        await joined(with_digest(chunks(b"ab", b"cd"), expected))
    actual = Checksum("sha512", hashlib.sha512(b"abcd").digest())
    assert (caught.value.expected, caught.value.actual) == (str(expected), str(actual))


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        pytest.param("gzip", gzip.compress(TEXT), id="gzip"),
        pytest.param("x-gzip", gzip.compress(TEXT[:10]) + gzip.compress(TEXT[10:]), id="gzip of two members"),
        pytest.param("deflate", zlib.compress(TEXT), id="deflate"),
    ],
)
async def test_a_coding_is_taken_off(coding: str, coded: bytes, size: int) -> None:
    assert await joined(decoded(chunks(*split(coded, size)), coding)) == TEXT


async def test_a_short_answer_that_stands_for_a_long_file_comes_in_steps() -> None:
    sizes = [len(each) async for each in decoded(chunks(gzip.compress(bytes(5 * 2**20))), "gzip")]
    assert (sum(sizes), max(sizes)) == (5 * 2**20, 2**20)


async def test_a_coding_without_its_end_was_cut() -> None:
    with pytest.raises(TransientError, match="ended in the middle"):
        await joined(decoded(chunks(gzip.compress(TEXT)[:-1]), "gzip"))


@pytest.mark.parametrize(
    ("coding", "says"),
    [
        pytest.param("br", "sends br, and was asked for no coding", id="unknown"),
        pytest.param("gzip", "damaged gzip", id="damaged"),
    ],
)
async def test_what_cannot_be_decoded_is_refused(coding: str, says: str) -> None:
    with pytest.raises(BadResponse, match=says):
        await joined(decoded(chunks(b"no coding of anything"), coding))


async def test_a_body_goes_through_all_of_it() -> None:
    coded = gzip.compress(TEXT)
    response = httpx.Response(200, stream=ScriptedBody(split(coded, 100)))
    assert await joined(body_stream(response, length=len(coded), coding="gzip", min_speed=FLOOR)) == TEXT


async def test_the_digest_is_that_of_what_is_sent() -> None:
    coded = gzip.compress(TEXT)
    expected = Checksum("sha256", hashlib.sha256(coded).digest())
    response = httpx.Response(200, stream=ScriptedBody(split(coded, 100)))
    assert await joined(body_stream(response, length=None, coding="gzip", min_speed=FLOOR, expected=expected)) == TEXT


async def test_a_failing_transport_is_a_setback() -> None:
    response = httpx.Response(200, stream=ScriptedBody([b"a"], httpx.ReadError("reset")))
    with pytest.raises(TransientError, match="reset"):
        await joined(body_stream(response, length=None, coding=None, min_speed=FLOOR))


async def test_an_answer_that_was_read_already_is_as_good() -> None:
    assert (
        await joined(body_stream(httpx.Response(200, content=TEXT), length=len(TEXT), coding=None, min_speed=FLOOR))
        == TEXT
    )


async def test_so_is_one_that_httpx_has_decoded() -> None:
    coded = gzip.compress(TEXT)
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=coded)
    assert await joined(body_stream(response, length=len(coded), coding="gzip", min_speed=FLOOR)) == TEXT


async def test_one_that_came_in_a_stream_cannot_be_decoded_once_more() -> None:
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=chunks(gzip.compress(TEXT)))
    await response.aread()
    with pytest.raises(BadResponse, match="sends gzip, and was asked for no coding"):
        await joined(body_stream(response, length=None, coding="gzip", min_speed=FLOOR))
