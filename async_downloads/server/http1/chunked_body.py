"""The chunked coding of request bodies (RFC 9112 §7.1)."""

import re
from typing import Final

from ...semantics.tokens import TOKEN
from .request_head import BadRequest

__all__ = ["ChunkedBody"]


_LINE_BYTES: Final = 4096  # of a chunk's size with its extensions, or of a trailer field
_TRAILER_BYTES: Final = 16 * 1024
_LINES_AT_ONCE: Final = 4096  # a few milliseconds: one read may bring 40,000 chunks of a byte each
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_TRAILER: Final = re.compile(rb"%b:[^\r\n\0]*" % TOKEN.encode())


class ChunkedBody:
    """Decodes a body piece by piece, as it comes.

        SIZE ──size──> DATA ──> END OF DATA ──> SIZE
          └──0──> TRAILERS ──empty line──> ended

    Trailer fields are checked and discarded.
    """

    def __init__(self) -> None:
        self.ended: bool = False
        self.has_more: bool = False  # `feed(b"")` returns more content, or the end
        self._take_line = self._take_size
        self._left = 0  # bytes of the current chunk that are still to come
        self._held = b""  # the beginning of a line, or the lines that are left
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in `data`, and the bytes after the body if it has ended. Raises BadRequest.

        It decodes at most 4096 lines, so that other connections get their turn.
        """
        content, data, at, lines = [], self._held + data, 0, 0
        while at < len(data) and not self.ended and lines < _LINES_AT_ONCE:
            if self._left:
                content.append(chunk := data[at : at + self._left])
                self._left -= len(chunk)
                at += len(chunk)
            elif (stop := data.find(b"\r\n", at, at + _LINE_BYTES)) >= 0:
                self._take_line(data[at:stop])
                at, lines = stop + 2, lines + 1
            elif len(data) - at >= _LINE_BYTES:
                raise BadRequest(400)
            else:
                break
        self.has_more, rest = lines == _LINES_AT_ONCE and not self.ended, data[at:]
        self._held, rest = (b"", rest) if self.ended else (rest, b"")
        return b"".join(content), rest

    def _take_size(self, line: bytes) -> None:
        size = _SIZE.fullmatch(line)
        if size is None:
            raise BadRequest(400)
        self._left = int(size[1], 16)
        self._take_line = self._take_end_of_data if self._left else self._take_trailer

    def _take_end_of_data(self, line: bytes) -> None:
        if line:
            raise BadRequest(400)
        self._take_line = self._take_size

    def _take_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        if not line:
            self.ended = True
        elif self._trailer_bytes > _TRAILER_BYTES:
            raise BadRequest(431)
        elif not _TRAILER.fullmatch(line):
            raise BadRequest(400)
