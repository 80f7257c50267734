"""A source and a store as a user of the package might write them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from async_downloads.errors import DownloadError
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation
from async_downloads.sources.base import Source

__all__ = ["CHUNK_SIZES", "OneStore", "SlicedSource"]

CHUNK_SIZES: Final = (1, 7, 64 * 1024)


class SlicedSource:
    """Bytes in chunks of one size. Raises `error` in place of the chunk that would go beyond byte `until`."""

    def __init__(
        self,
        data: bytes,
        *,
        chunk: int = 7,
        until: int | None = None,
        error: Exception | None = None,
        representation: Representation | None = None,
    ) -> None:
        self.representation = representation or Representation(len(data), media_type="text/plain")
        self.closed = False
        self.reading = 0
        self._data = data
        self._chunk = chunk
        self._until = len(data) if until is None else until
        self._error = error

    async def read(self, span: ByteRange) -> AsyncGenerator[bytes, None]:
        """Yield slices."""
        assert not self.closed
        self.reading += 1
        try:
            for start in range(span.start, min(span.stop, len(self._data)), self._chunk):
                stop = min(start + self._chunk, span.stop)
                if self._error and stop > self._until:
                    raise self._error
                yield self._data[start:stop]
        finally:
            self.reading -= 1

    async def aclose(self) -> None:
        """Note that the source was closed."""
        self.closed = True


class OneStore:
    """A store that returns the same source, or raises the same error, for every key."""

    def __init__(self, given: Source | DownloadError) -> None:
        self._given = given
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    async def open(self, key: str, *, codings: Sequence[str] = ()) -> Source:
        """Return the source, or raise the error."""
        self.asked.append((key, tuple(codings)))
        if isinstance(self._given, DownloadError):
            raise self._given
        return self._given
