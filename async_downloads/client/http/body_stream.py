"""The body of an answer as it comes: fast enough, in time, of the length and digest promised, and decoded."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from ...errors import BadResponse, DeadlineExceeded, NetworkError, Stalled
from ..checksum import Checksum, DigestCheck
from ..decisions.retries import TransientError
from .errors import map_httpx_errors

__all__ = ["Deadline", "MinSpeed", "body_stream", "decoded", "with_digest", "with_length", "with_min_speed"]


_STEP: Final = 1024 * 1024  # bytes that are unpacked at once: a small answer may stand for a very long file
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class MinSpeed:
    """The least speed: `speed` bytes per second over `seconds`, on each connection."""

    seconds: float = 30.0
    speed: int = 1


class Deadline:
    """The most time: `seconds` from now for all of a download, or as long as it takes."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._clock = asyncio.get_running_loop().time
        self._at = None if seconds is None else self._clock() + seconds

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """DeadlineExceeded when the time is up before the end of the block, or before it begins."""
        if self._at is not None and self._clock() >= self._at:
            raise self._over()
        try:
            async with asyncio.timeout_at(self._at) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._over() from None

    def _over(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"the download was not over after {self._seconds:g} s")


async def body_stream(
    response: httpx.Response,
    *,
    length: int | None,
    coding: str | None,
    min_speed: MinSpeed,
    expected: Checksum | None = None,
) -> AsyncGenerator[bytes]:
    """Yield the bytes of a body of `length` bytes that has the digest `expected`; a `coding` is taken off.

    Raises TransientError, BadResponse or DigestMismatch.
    """
    raw = with_min_speed(_again(response, coding) if response.is_stream_consumed else _received(response), min_speed)
    whole = with_length(raw, length)
    if expected:
        whole = with_digest(whole, expected)
    async with aclosing(decoded(whole, coding) if coding else whole) as chunks:
        async for chunk in chunks:
            yield chunk


async def _received(response: httpx.Response) -> AsyncGenerator[bytes]:
    with map_httpx_errors():
        async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]  # it is a generator
            async for chunk in chunks:
                yield chunk


async def _again(response: httpx.Response, coding: str | None) -> AsyncGenerator[bytes]:
    """Yield an answer that was read already, as it was sent: of its content httpx has taken a coding off, unseen."""
    if not coding or not isinstance(response.stream, httpx.AsyncByteStream):
        yield response.content
        return
    try:
        async for chunk in response.stream:  # that of a transport without a network, which gives whole answers
            yield chunk
    except (RuntimeError, httpx.TransportError) as error:  # that of a network, which a hook of the caller's has read
        raise BadResponse(f"the server sends {coding}, and was asked for no coding") from error


async def with_min_speed(chunks: AsyncGenerator[bytes], min_speed: MinSpeed) -> AsyncGenerator[bytes]:
    """Pass chunks on. TransientError when too few come; the time that whoever takes them needs does not count."""
    clock = asyncio.get_running_loop().time
    least = min_speed.speed * min_speed.seconds
    left, came = min_speed.seconds, 0
    async with aclosing(chunks):
        while True:
            asked = clock()
            try:
                async with asyncio.timeout(left):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise TransientError(Stalled(f"{came} bytes came in {min_speed.seconds:g} s")) from None
            if chunk is None:
                return
            left, came = left - (clock() - asked), came + len(chunk)
            if came >= least:
                left, came = min_speed.seconds, 0
            yield chunk


async def with_length(chunks: AsyncGenerator[bytes], length: int | None) -> AsyncGenerator[bytes]:
    """Pass on a body that is to have so many bytes. TransientError when it has fewer, or more."""
    came = 0
    async with aclosing(chunks):
        async for chunk in chunks:
            came += len(chunk)
            if length is not None and came > length:
                raise TransientError(BadResponse(f"more than the {length} bytes that were promised came"))
            yield chunk
    if length is not None and came < length:
        raise TransientError(NetworkError(f"the connection ended after {came} of {length} bytes"))


async def with_digest(chunks: AsyncGenerator[bytes], expected: Checksum) -> AsyncGenerator[bytes]:
    """Pass on a body that is to have this digest. DigestMismatch at its end when it has another."""
    check = DigestCheck(expected)
    async with aclosing(chunks):
        async for chunk in chunks:
            check.add(chunk)
            yield chunk
    check.verify()


async def decoded(chunks: AsyncGenerator[bytes], coding: str) -> AsyncGenerator[bytes]:
    """Take gzip or deflate off. BadResponse for another coding or damage, TransientError when the end is missing."""
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise BadResponse(f"the server sends {coding}, and was asked for no coding")
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    async with aclosing(chunks):
        async for chunk in chunks:
            while chunk:
                if decoder.eof:  # gzip allows another member to follow
                    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
                try:
                    data = decoder.decompress(chunk, _STEP)
                except zlib.error as error:
                    raise BadResponse(f"the server sends damaged {coding}") from error
                chunk = decoder.unconsumed_tail or decoder.unused_data
                if data:
                    yield data
    if not decoder.eof:
        raise TransientError(NetworkError(f"the {coding} ended in the middle"))
