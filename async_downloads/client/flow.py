"""The body of an answer as it comes: fast enough, no shorter or longer than was promised, and decoded if it must be."""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import httpx

from ..errors import BadAnswer, NetworkError, Stalled
from .backoff import Setback
from .failures import failures

__all__ = ["Floor", "decoded", "exactly", "flow", "steadily"]

_STEP: Final = 1024 * 1024  # bytes that are unpacked at once: a small answer may stand for a very long file
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Floor:
    """The least speed: `speed` bytes per second over `seconds`, on each connection."""

    seconds: float = 30.0
    speed: int = 1


async def flow(
    response: httpx.Response, *, length: int | None, coding: str | None, floor: Floor
) -> AsyncGenerator[bytes]:
    """Yield the bytes of a body of `length` bytes; a `coding` is taken off. Raises Setback, or BadAnswer."""
    raw = steadily(_received(response), floor)
    whole = exactly(raw, length)
    async with aclosing(decoded(whole, coding) if coding else whole) as chunks:
        async for chunk in chunks:
            yield chunk


async def _received(response: httpx.Response) -> AsyncGenerator[bytes]:
    if response.is_stream_consumed:  # a transport without a network gives whole answers
        yield response.content
        return
    with failures():
        async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]  # it is a generator
            async for chunk in chunks:
                yield chunk


async def steadily(chunks: AsyncGenerator[bytes], floor: Floor) -> AsyncGenerator[bytes]:
    """Pass chunks on. Setback when too few come; the time that whoever takes them needs does not count."""
    clock = asyncio.get_running_loop().time
    least = floor.speed * floor.seconds
    left, came = floor.seconds, 0
    async with aclosing(chunks):
        while True:
            asked = clock()
            try:
                async with asyncio.timeout(left):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise Setback(Stalled(f"{came} bytes came in {floor.seconds:g} s")) from None
            if chunk is None:
                return
            left, came = left - (clock() - asked), came + len(chunk)
            if came >= least:
                left, came = floor.seconds, 0
            yield chunk


async def exactly(chunks: AsyncGenerator[bytes], length: int | None) -> AsyncGenerator[bytes]:
    """Pass on a body that is to have so many bytes. Setback when it has fewer or more: of more, none is passed on."""
    came = 0
    async with aclosing(chunks):
        async for chunk in chunks:
            came += len(chunk)
            if length is not None and came > length:
                raise Setback(BadAnswer(f"more than the {length} bytes that were promised came"))
            yield chunk
    if length is not None and came < length:
        raise Setback(NetworkError(f"the connection ended after {came} of {length} bytes"))


async def decoded(chunks: AsyncGenerator[bytes], coding: str) -> AsyncGenerator[bytes]:
    """Take gzip or deflate off. BadAnswer for another coding or damage, Setback when the end is missing."""
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise BadAnswer(f"the server sends {coding}, and was asked for no coding")
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    async with aclosing(chunks):
        async for chunk in chunks:
            while chunk:
                if decoder.eof:  # gzip allows another member to follow
                    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
                try:
                    data = decoder.decompress(chunk, _STEP)
                except zlib.error as error:
                    raise BadAnswer(f"the server sends damaged {coding}") from error
                chunk = decoder.unconsumed_tail or decoder.unused_data
                if data:
                    yield data
    if not decoder.eof:
        raise Setback(NetworkError(f"the {coding} ended in the middle"))
