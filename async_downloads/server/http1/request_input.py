"""The received bytes of a client, divided into heads and bodies. This module does no I/O."""

import re
from typing import Final

from .chunked_body import ChunkedBody
from .request_head import HEAD_BYTES, LINE_BYTES, BadRequest

__all__ = ["RequestInput"]


_BARE_LINE_FEED: Final = re.compile(rb"(?<!\r)\n")


class RequestInput:
    """The bytes of one connection that are not taken yet; they belong to a head or to a body."""

    __slots__ = ("_body", "_searched", "waiting")

    def __init__(self) -> None:
        self.waiting: bytes = b""  # requests that wait for their turn, and a part of a head
        self._searched = 0  # bytes in which no end of a head was found
        self._body: int | ChunkedBody | None = None

    @property
    def in_body(self) -> bool:
        """Whether some of a body is still to come."""
        return self._body is not None

    @property
    def has_chunks(self) -> bool:
        """Whether `take_body(b"")` can decode more of the received chunks."""
        return isinstance(self._body, ChunkedBody) and self._body.has_more

    @property
    def in_head(self) -> bool:
        """Whether a part of a head was received, but not its end."""
        return self._searched > 0

    def take_head(self, data: bytes = b"") -> bytes | None:
        """Return the next head; None if it is not complete yet. Raises BadRequest."""
        data = self.waiting + data if self.waiting else data
        if data.startswith(b"\r\n"):  # one empty line is ignored (RFC 9112 §2.2)
            data, self._searched = data[2:], 0
        stop = data.find(b"\r\n\r\n", max(self._searched - 3, 0)) + 4
        if 4 <= stop <= HEAD_BYTES:
            self.waiting, self._searched = data[stop:], 0
            return data[:stop]
        self.waiting = data
        if data:
            self._check_part_of_head(data)
        return None

    def _check_part_of_head(self, data: bytes) -> None:
        """Raise BadRequest if the bytes cannot become a head, so that the server need not wait for its end."""
        if len(data) > LINE_BYTES and b"\r\n" not in data[:LINE_BYTES]:
            raise BadRequest(414)
        if len(data) > HEAD_BYTES:
            raise BadRequest(431)
        if data != b"\r" and (not b"!" <= data[:1] <= b"~" or _BARE_LINE_FEED.search(data, self._searched)):
            raise BadRequest(400)
        self._searched = len(data)

    def begin_body(self, length: int | None) -> bytes:
        """Expect a body of `length` bytes, or a chunked one (None). Return its received bytes. Raises BadRequest."""
        self._body = ChunkedBody() if length is None else length
        data, self.waiting = self.waiting, b""
        return self.take_body(data)

    def take_body(self, data: bytes) -> bytes:
        """Return the bytes of the body; bytes after it wait. Raises BadRequest."""
        if isinstance(self._body, ChunkedBody):
            content, self.waiting = self._body.feed(data)
            if self._body.ended:
                self._body = None
        else:
            length = self._body or 0
            content, self.waiting = data[:length], data[length:]
            self._body = length - len(content) or None
        return content

    def has_much_left(self, most: int) -> bool:
        """Whether more than `most` bytes of the body are still to come, or an unknown number."""
        return isinstance(self._body, ChunkedBody) or (self._body or 0) > most

    def clear(self) -> bool:
        """Discard all bytes. Return whether there were any, or some were still to come."""
        had_more = self.in_body or self.waiting != b""
        self.waiting, self._searched, self._body = b"", 0, None
        return had_more
