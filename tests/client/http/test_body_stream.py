"""The checks of a body while it arrives: speed, length, digest, content coding."""

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


async def chunks(*pieces: bytes, hangs: bool = False) -> AsyncGenerator[bytes]:
    """Yield the pieces; then end or hang."""
    for piece in pieces:
        yield piece
    if hangs:
        await asyncio.Event().wait()


async def joined(pieces: AsyncGenerator[bytes]) -> bytes:
    """Read to the end."""
    return b"".join([piece async for piece in pieces])


def split(data: bytes, size: int) -> Iterable[bytes]:
    """Cut into pieces of `size` bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]


async def test_a_body_that_is_fast_enough_is_passed_on() -> None:
    assert await joined(with_min_speed(chunks(b"a", b"b"), MinSpeed(0.01, 1))) == b"ab"


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda below: with_min_speed(below, FLOOR), id="with_min_speed"),
        pytest.param(lambda below: with_length(below, 99), id="with_length"),
        pytest.param(lambda below: with_digest(below, Checksum("sha256", bytes(32))), id="with_digest"),
        pytest.param(lambda below: decoded(below, "gzip"), id="decoded"),
    ],
)
async def test_closing_a_step_closes_the_step_before_it_at_once(
    step: Callable[[AsyncGenerator[bytes]], AsyncGenerator[bytes]],
) -> None:
    closed = []

    async def below() -> AsyncGenerator[bytes]:
        try:
            yield gzip.compress(b"a")
        finally:
            closed.append(True)

    chunks = step(below())
    await anext(chunks)
    await chunks.aclose()
    assert closed


async def test_silence_for_too_long_is_a_stall() -> None:
    with pytest.raises(TransientError, match=r"1 bytes came in 0.01 s") as caught:
        await joined(with_min_speed(chunks(b"a", hangs=True), MinSpeed(0.01, 1000)))
    assert isinstance(caught.value.error, Stalled)


async def test_too_few_bytes_for_too_long_are_a_stall() -> None:
    async def dripping() -> AsyncGenerator[bytes]:
        while True:
            await asyncio.sleep(0.001)
            yield b"a"

    with pytest.raises(TransientError, match="came in"):
        await joined(with_min_speed(dripping(), MinSpeed(0.02, 10**6)))


async def test_the_time_between_two_reads_does_not_count_as_a_stall() -> None:
    async for _ in with_min_speed(chunks(b"a", b"b", b"c"), MinSpeed(0.01, 1000)):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("length", [None, 4])
async def test_a_body_of_the_expected_length_is_passed_on(length: int | None) -> None:
    assert await joined(with_length(chunks(b"ab", b"cd"), length)) == b"abcd"


async def test_a_body_that_is_too_short_is_a_lost_connection() -> None:
    with pytest.raises(TransientError, match="after 2 of 3 bytes") as caught:
        await joined(with_length(chunks(b"ab"), 3))
    assert isinstance(caught.value.error, NetworkError)


async def test_a_body_that_is_too_long_is_a_bad_response() -> None:
    with pytest.raises(TransientError, match="more than the 3 bytes") as caught:
        await joined(with_length(chunks(b"ab", b"cd"), 3))
    assert isinstance(caught.value.error, BadResponse)


async def test_a_body_of_the_expected_digest_is_passed_on() -> None:
    expected = Checksum("sha256", hashlib.sha256(b"abcd").digest())
    assert await joined(with_digest(chunks(b"ab", b"cd"), expected)) == b"abcd"


async def test_a_body_of_another_digest_raises_with_both_digests() -> None:
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
        pytest.param("gzip", gzip.compress(TEXT) + bytes(512), id="gzip with padding"),
        pytest.param("gzip", gzip.compress(TEXT) + b"no member", id="gzip with other bytes after it"),
    ],
)
async def test_a_content_coding_is_decoded(coding: str, coded: bytes, size: int) -> None:
    assert await joined(decoded(chunks(*split(coded, size)), coding)) == TEXT


async def test_a_short_response_with_a_long_content_is_decoded_in_steps() -> None:
    sizes = [len(each) async for each in decoded(chunks(gzip.compress(bytes(5 * 2**20))), "gzip")]
    assert (sum(sizes), max(sizes)) == (5 * 2**20, 2**20)


async def test_a_coding_without_its_end_is_a_transient_error() -> None:
    with pytest.raises(TransientError, match="ended too early"):
        await joined(decoded(chunks(gzip.compress(TEXT)[:-1]), "gzip"))


@pytest.mark.parametrize(
    ("coding", "says"),
    [
        pytest.param("br", "sends the content coding br", id="unknown"),
        pytest.param("gzip", "damaged gzip", id="damaged"),
    ],
)
async def test_a_body_that_cannot_be_decoded_is_a_bad_response(coding: str, says: str) -> None:
    with pytest.raises(BadResponse, match=says):
        await joined(decoded(chunks(b"\x1f\x8bno coding of anything"), coding))


@pytest.mark.parametrize("body", [b"", b"x", b"no coding of anything", b"<html>"])
@pytest.mark.parametrize("size", [1, 100])
async def test_a_body_that_is_not_coded_in_spite_of_its_label_is_unchanged(body: bytes, size: int) -> None:
    assert await joined(decoded(chunks(*split(body, size)), "gzip")) == body


@pytest.mark.parametrize("size", [1, 100])
async def test_deflate_without_the_header_of_zlib_is_decoded(size: int) -> None:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    coded = compressor.compress(TEXT) + compressor.flush()
    assert await joined(decoded(chunks(*split(coded, size)), "deflate")) == TEXT


async def test_a_body_stream_decodes_the_body() -> None:
    coded = gzip.compress(TEXT)
    response = httpx.Response(200, stream=ScriptedBody(split(coded, 100)))
    assert await joined(body_stream(response, length=len(coded), coding="gzip", min_speed=FLOOR)) == TEXT


async def test_the_expected_digest_is_that_of_the_coded_bytes() -> None:
    coded = gzip.compress(TEXT)
    expected = Checksum("sha256", hashlib.sha256(coded).digest())
    response = httpx.Response(200, stream=ScriptedBody(split(coded, 100)))
    assert await joined(body_stream(response, length=None, coding="gzip", min_speed=FLOOR, expected=expected)) == TEXT


async def test_an_error_of_the_transport_is_a_transient_error() -> None:
    response = httpx.Response(200, stream=ScriptedBody([b"a"], httpx.ReadError("reset")))
    with pytest.raises(TransientError, match="reset"):
        await joined(body_stream(response, length=None, coding=None, min_speed=FLOOR))


async def test_a_response_that_was_already_read_can_be_streamed() -> None:
    assert (
        await joined(body_stream(httpx.Response(200, content=TEXT), length=len(TEXT), coding=None, min_speed=FLOOR))
        == TEXT
    )


async def test_a_response_that_httpx_has_decoded_can_be_streamed() -> None:
    coded = gzip.compress(TEXT)
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=coded)
    assert await joined(body_stream(response, length=len(coded), coding="gzip", min_speed=FLOOR)) == TEXT


async def test_a_coded_response_that_was_read_from_a_network_is_refused() -> None:
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=chunks(gzip.compress(TEXT)))
    await response.aread()
    with pytest.raises(BadResponse, match="sends the content coding gzip"):
        await joined(body_stream(response, length=None, coding="gzip", min_speed=FLOOR))
