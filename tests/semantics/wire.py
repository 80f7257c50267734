"""Read a response with an independent parser: join its pieces, and split its parts with the standard library."""

import email.policy
import re
from collections.abc import Iterable
from email.message import Message
from email.parser import BytesParser

from async_downloads.semantics.multipart import Piece
from async_downloads.semantics.ranges import ByteRange

Part = tuple[str, str, bytes]
"""A part's Content-Type, its Content-Range and its bytes."""

_POSITIONS = re.compile(r"bytes (\d+)-(\d+)/\d+", re.ASCII)


def body(pieces: Iterable[Piece], content: bytes) -> bytes:
    """Return the bytes of the pieces, which are ranges of the content."""
    return b"".join(content[piece.start : piece.stop] if isinstance(piece, ByteRange) else piece for piece in pieces)


def parts(content_type: str, message: bytes) -> list[Part]:
    """Split a multipart body; the parser raises an error if the body has a defect."""
    parser = BytesParser(policy=email.policy.compat32.clone(raise_on_defect=True))
    parsed = parser.parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode("latin-1") + message)
    assert parsed.get_content_type() == "multipart/byteranges"
    assert not parsed.preamble
    assert not parsed.epilogue
    return [_part(part) for part in parsed.walk() if part is not parsed]


def _part(part: Message) -> Part:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return part["Content-Type"], part["Content-Range"], content


def named_bytes(content_range: str, content: bytes) -> bytes:
    """Return the bytes of the content that a Content-Range names, both ends inclusive (§14.4)."""
    found = _POSITIONS.fullmatch(content_range)
    assert found, content_range
    return content[int(found[1]) : int(found[2]) + 1]
