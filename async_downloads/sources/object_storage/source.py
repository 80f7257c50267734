"""One version of an object, read in chunks at the speed of the client."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ...errors import NotFound, SourceChanged, SourceTruncated
from ...semantics.ranges import ByteRange
from ...semantics.representation import Representation
from .chunks import ObjectChunks
from .errors import NotSatisfiable
from .upstream import Received, Upstream

__all__ = ["ObjectSource"]


class ObjectSource:
    """One version of an object. `start` is the position of the bytes that came with its description.

    Each chunk is one request, so a connection to the store is in use only while the store responds. The request names
    the described version, by its number or with If-Match. The response is compared with that version too, because some
    stores ignore If-Match. An object without a version number and without an ETag cannot be read in chunks: one
    response has all its bytes, and uses a connection until the client has received them.
    """

    def __init__(
        self, upstream: Upstream, key: str, received: Received, representation: Representation, *, start: int = 0
    ) -> None:
        self.representation: Representation = representation
        self._upstream = upstream
        self._key = key
        self._opened = received
        self._pin: Mapping[str, Any] = _pin(received)
        self._held_from = start
        self._held = received.data

    def read_nowait(self, span: ByteRange) -> bytes | None:
        """Return the bytes of the span if they came with the description."""
        if self._held_from <= span.start and span.stop <= self._held_from + len(self._held):
            return self._held[span.start - self._held_from : span.stop - self._held_from]
        return None

    def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield chunks of 64 KiB to 8 MiB. For a fast client, the next chunks are requested ahead."""
        return self._read_ranges(span) if self.representation.ranges else self._read_whole(span)

    async def _read_ranges(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        start = span.start
        if held := self._take_held(span):
            yield held
            start += len(held)
        chunks = ObjectChunks(self._fetch, start, span.stop, self._upstream.budget)
        async with aclosing(chunks.all()) as rest:
            async for chunk in rest:
                yield chunk

    def _take_held(self, span: ByteRange) -> bytes:
        """Return the first bytes of a span if they came with the description, and release their memory."""
        offset = span.start - self._held_from
        if not 0 <= offset < len(self._held):
            return b""
        held, self._held = self._held[offset : offset + len(span)], b""
        return held

    async def _fetch(self, start: int, stop: int) -> bytes:
        """Return exactly these bytes of the version."""
        try:
            received = await self._upstream.get_chunk(self._key, **self._pin, range=(start, stop))
        except (NotFound, NotSatisfiable) as error:
            raise SourceChanged(f"{self._key!r}: {error}") from error
        self._check(received)
        if len(received.data) != stop - start:
            raise SourceTruncated(f"{self._key!r} ended at byte {start + len(received.data)}")
        return received.data

    def _check(self, received: Received) -> None:
        described = self._opened.meta
        names = ("e_tag",) if self._opened.etag else ("size", "last_modified")
        if any(received.meta.get(name) != described.get(name) for name in names):
            raise SourceChanged(f"{self._key!r} was replaced")

    async def _read_whole(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        async with self._upstream.stream(self._key) as (received, chunks):
            self._check(received)
            left = len(span)
            async for chunk in chunks:
                yield chunk
                left -= len(chunk)
            if left:
                raise SourceTruncated(f"{self._key!r} ended {left} bytes too early")

    async def aclose(self) -> None:
        """Release the memory of the bytes that came with the description."""
        self._held = b""


def _pin(received: Received) -> Mapping[str, Any]:
    """Return the options that ask for the same version again."""
    if received.version:
        return {"version": received.version}
    return {"if_match": received.etag} if received.etag else {}
