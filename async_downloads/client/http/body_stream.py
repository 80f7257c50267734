"""The body of a response. Its speed, length and digest are checked while it arrives; then it is decoded.

    network ──▶ with_min_speed ──▶ with_length ──▶ with_digest ──▶ decoded ──▶ caller

Each step is a generator that owns the one before it and closes it when it ends.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from ...errors import BadResponse, DeadlineExceeded, NetworkError, Stalled
from ...semantics.codings import GZIP_MEMBER, GZIP_OR_ZLIB
from ..checksum import Checksum, DigestCheck
from ..decisions.retries import TransientError
from .errors import map_httpx_errors

__all__ = ["Deadline", "MinSpeed", "body_stream", "decoded", "with_digest", "with_length", "with_min_speed"]


_STEP_BYTES: Final = 1024 * 1024  # decoded at a time, because a small response may decode to a very long file
_MAX_CODINGS: Final = 4  # each one needs memory, and two proxies apply two
_MAGIC_BYTES: Final = 2  # the first bytes, which identify a coding


@dataclass(frozen=True, slots=True)
class MinSpeed:
    """The speed that each connection must reach: on average `speed` bytes per second over `seconds` seconds."""

    seconds: float = 30.0
    speed: int = 1


class Deadline:
    """The time limit of one whole download: `seconds` from now; None for no limit."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._clock = asyncio.get_running_loop().time
        self._at = None if seconds is None else self._clock() + seconds

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Run the block within the limit. Raises DeadlineExceeded if the time ends in the block or ended before it."""
        if self._at is not None and self._clock() >= self._at:
            raise self._exceeded()
        try:
            async with asyncio.timeout_at(self._at) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._exceeded() from None

    def _exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"the download took longer than {self._seconds:g} s")


async def body_stream(
    response: httpx.Response,
    *,
    length: int | None,
    coding: str | None,
    min_speed: MinSpeed,
    expected: Checksum | None = None,
) -> AsyncGenerator[bytes]:
    """Yield the bytes of a body, without its content `coding`.

    The body must arrive at least at `min_speed`, have `length` bytes and, if `expected` is given, have that digest.
    Length and digest are those of the coded bytes.

    Raises TransientError, BadResponse or DigestMismatch.
    """
    label = response.headers.get("content-encoding")
    raw = _already_read(response, label) if response.is_stream_consumed else _received(response)
    checked = with_length(with_min_speed(raw, min_speed), length)
    if expected:
        checked = with_digest(checked, expected)
    async with aclosing(_without_codings(checked, coding) if coding else checked) as chunks:
        async for chunk in chunks:
            yield chunk


def _without_codings(chunks: AsyncGenerator[bytes], coding: str) -> AsyncGenerator[bytes]:
    """Remove the codings, the last one first: RFC 9110 §8.4."""
    codings = coding.split(", ")
    for each in reversed(codings) if len(codings) <= _MAX_CODINGS else (f"gzip {len(codings)} times",):
        chunks = decoded(chunks, each)
    return chunks


async def _received(response: httpx.Response) -> AsyncGenerator[bytes]:
    with map_httpx_errors():
        async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]  # it is a generator
            async for chunk in chunks:
                yield chunk


async def _already_read(response: httpx.Response, coding: str | None) -> AsyncGenerator[bytes]:
    """Yield the raw bytes of a response that was already read; httpx decoded its `.content`."""
    if not coding or not isinstance(response.stream, httpx.AsyncByteStream):
        yield response.content
        return
    try:
        async for chunk in response.stream:  # a transport without a network has the raw bytes and yields them again
            yield chunk
    except (RuntimeError, httpx.TransportError) as error:  # an event hook of the caller's client has read it
        raise _unwanted_coding(coding) from error


async def with_min_speed(chunks: AsyncGenerator[bytes], min_speed: MinSpeed) -> AsyncGenerator[bytes]:
    """Yield the chunks. Raises TransientError if the bytes arrive more slowly than `min_speed`.

    Only the time spent waiting for a chunk counts, not the time that the caller needs between two chunks.
    """
    clock = asyncio.get_running_loop().time
    least = min_speed.speed * min_speed.seconds
    left, received = min_speed.seconds, 0  # seconds left and bytes received in the current period
    async with aclosing(chunks):
        while True:
            began = clock()
            try:
                async with asyncio.timeout(left):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise TransientError(Stalled(f"{received} bytes came in {min_speed.seconds:g} s")) from None
            if chunk is None:
                return
            left, received = left - (clock() - began), received + len(chunk)
            if received >= least:
                left, received = min_speed.seconds, 0
            yield chunk


async def with_length(chunks: AsyncGenerator[bytes], length: int | None) -> AsyncGenerator[bytes]:
    """Yield a body of `length` bytes (None: of any length). Raises TransientError if it has fewer or more bytes."""
    received = 0
    async with aclosing(chunks):
        async for chunk in chunks:
            received += len(chunk)
            if length is not None and received > length:
                raise TransientError(BadResponse(f"more than the {length} bytes of the body came"))
            yield chunk
    if length is not None and received < length:
        raise TransientError(NetworkError(f"the connection ended after {received} of {length} bytes"))


async def with_digest(chunks: AsyncGenerator[bytes], expected: Checksum) -> AsyncGenerator[bytes]:
    """Yield a body. Raises DigestMismatch at its end if its digest is not `expected`."""
    check = DigestCheck(expected)
    async with aclosing(chunks):
        async for chunk in chunks:
            check.add(chunk)
            yield chunk
    check.verify()


async def decoded(chunks: AsyncGenerator[bytes], coding: str) -> AsyncGenerator[bytes]:
    """Yield the decoded content of a gzip or deflate body. If the body is not coded in spite of its label, keep it.

    Raises BadResponse for another coding or damaged bytes, and TransientError if the end is missing.
    """
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise _unwanted_coding(coding)
    async with aclosing(chunks):
        begin = b""
        while len(begin) < _MAGIC_BYTES and (chunk := await anext(chunks, b"")):
            begin += chunk
        body, window = _joined(begin, chunks), _window(begin, coding)
        async with aclosing(body if window is None else _inflated(body, coding, window)) as content:
            async for chunk in content:
                yield chunk


def _window(begin: bytes, coding: str) -> int | None:
    """Return the `wbits` of zlib for a body with this beginning; None if the body is not coded."""
    if begin[:2] == b"\x1f\x8b" or (len(begin) >= _MAGIC_BYTES and _is_zlib(begin)):
        return GZIP_OR_ZLIB
    return -zlib.MAX_WBITS if coding == "deflate" and begin else None  # some servers leave out the zlib header


def _is_zlib(begin: bytes) -> bool:
    """Return whether bytes begin as a zlib stream (RFC 1950 §2.2)."""
    return begin[0] & 15 == zlib.DEFLATED and int.from_bytes(begin[:2]) % 31 == 0


async def _joined(begin: bytes, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    if begin:
        yield begin
    async for chunk in chunks:
        yield chunk


async def _inflated(chunks: AsyncIterator[bytes], coding: str, window: int) -> AsyncGenerator[bytes]:
    decoder = zlib.decompressobj(window)
    async for chunk in chunks:
        while chunk:
            if decoder.eof and not chunk.startswith(GZIP_MEMBER):  # gzip and browsers ignore other bytes, as padding
                await _skip_rest(chunks)
                return
            if decoder.eof:  # RFC 1952 §2.2: another member may follow
                decoder = zlib.decompressobj(window)
            try:
                data = decoder.decompress(chunk, _STEP_BYTES)
            except zlib.error as error:
                raise BadResponse(f"the server sends a damaged {coding} body") from error
            chunk = decoder.unconsumed_tail or decoder.unused_data
            if data:
                yield data
    if not decoder.eof:
        raise TransientError(NetworkError(f"the {coding} body ended too early"))


async def _skip_rest(chunks: AsyncIterator[bytes]) -> None:
    """Read the rest of a body, so that its length is checked and its connection can be reused."""
    async for _ in chunks:
        pass


def _unwanted_coding(coding: str) -> BadResponse:
    return BadResponse(f"the server sends the content coding {coding}, although the request allows none")
