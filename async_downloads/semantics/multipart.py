"""The multipart/byteranges body: RFC 9110 §14.6.

                                        bytes: an empty line, the preamble (RFC 2046 §5.1.1)
--BOUNDARY                              bytes
Content-Type: MEDIA-TYPE
Content-Range: bytes 0-9/100

the representation from 0 to 9          ByteRange(0, 10)
--BOUNDARY                              bytes
...
--BOUNDARY--                            bytes

The preamble may be left out, but nginx and Apache send it, and zsync 0.6.2 does not find the first part without it.
"""

from collections.abc import Sequence

from .ranges import ByteRange, ContentRange

__all__ = ["Piece", "byteranges"]


Piece = bytes | ByteRange  # literal bytes, or a range of the representation; `len` is the length in bytes


def byteranges(spans: Sequence[ByteRange], *, size: int, media_type: str, boundary: str) -> tuple[Piece, ...]:
    """Return the pieces of a multipart/byteranges body with these ranges, in their order."""
    pieces: list[Piece] = []
    for span in spans:
        head = f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {ContentRange(span, size)}\r\n\r\n"
        pieces += (head.encode("latin-1"), span)
    return (*pieces, f"\r\n--{boundary}--\r\n".encode("latin-1"))
