"""Rewrite response heads that curl and browsers accept but h11 refuses, and cut off bytes after the end of a body.

Some servers send a space before a colon, a space inside a field name, lines without a colon, NUL bytes, an empty
Content-Length, empty lines before the head, the same Transfer-Encoding twice, or `Transfer-Encoding: identity`, which
RFC 9112 does not have. Some send a body with a 304 or a 204, or one that is longer than its Content-Length. h11 would
take these bytes for the next response.
"""

import re
from typing import Final

import httpcore

from ...semantics.tokens import TOKEN

__all__ = ["HeadMender"]


_START: Final = b"HTTP/"
_END: Final = re.compile(rb"\n\r?\n")
_MAX_BYTES: Final = 64 * 1024  # a longer head is passed on unchanged, and h11 refuses it
_MAX_INTERIM: Final = 100  # in a row; otherwise a server could send them for ever
_TOKEN: Final = re.compile(TOKEN.encode())
_CHUNKED: Final = b"transfer-encoding: chunked"  # some proxies add it a second time
_MEANINGLESS: Final = {b"transfer-encoding": {b"identity", b""}, b"content-length": {b""}}
_CONTROLS: Final = re.compile(rb"[\x00\r\n]")
_VERSION: Final = re.compile(rb"(HTTP/1\.[01])[ \t]+")
_BODILESS: Final = re.compile(rb"HTTP/1\.[01][ \t]+(?:204|304)\b")  # RFC 9112 §6.3
_LENGTH: Final = re.compile(rb"^content-length: ([0-9]{1,18})\r$", re.IGNORECASE | re.MULTILINE)
_CODED: Final = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_INTERIM: Final = re.compile(rb"HTTP/1\.[01][ \t]+1(?!01)[0-9][0-9]")  # another head follows, except after 101


class HeadMender:
    """Mends the head of each response on one connection. The connection's stream owns it.

    passing      `expects` is False: the bytes are those of a body. If they are more than its length, `has_surplus` is
                 True, and the connection cannot be used again.
    collecting   `expects` is True: `add` returns nothing until the head is complete
    """

    def __init__(self) -> None:
        self.expects: bool = False
        self.has_surplus: bool = False
        self._left: int | None = None  # bytes of the body to come, if its head says so
        self._head = bytearray()
        self._interim = 0

    def expect(self) -> None:
        """Record that a request is sent. The next bytes are the head of its response."""
        self.expects, self._interim, self._left = True, 0, None

    def add(self, received: bytes) -> bytes:
        """Return the bytes for h11. They are empty while the head is not complete, unless the connection has ended.

        Raises RemoteProtocolError if more than a hundred interim responses (status 1xx) come before the final response.
        """
        mended = bytearray()
        rest = self._take_head(received, mended) if self.expects else received
        while self.expects and rest:
            rest = self._take_head(rest, mended)
        return bytes(mended) + self._cut(rest)

    def _cut(self, body: bytes) -> bytes:
        """Return the bytes that belong to the body."""
        if self._left is None:
            return body
        self._left -= len(body)
        self.has_surplus |= self._left < 0
        return body if self._left >= 0 else body[: self._left]

    def _take_head(self, received: bytes, mended: bytearray) -> bytes:
        """Append the head to `mended` if it is complete. Return the bytes after it."""
        searched = max(len(self._head) - 2, 0)
        self._head += received if self._head else received.lstrip(b"\r\n")  # empty lines may come before a head
        end = _END.search(self._head, searched)
        is_http = self._head[: len(_START)] == _START[: len(self._head)]  # a SOCKS proxy sends something else first
        if end is None and received and is_http and len(self._head) < _MAX_BYTES:
            return b""
        collected, self._head = bytes(self._head), bytearray()
        if end is None or not is_http:
            self.expects = False
            return collected
        head = collected[: end.end()]
        self.expects = bool(_INTERIM.match(head))
        self._interim += self.expects
        if self._interim > _MAX_INTERIM:
            raise httpcore.RemoteProtocolError("too many interim responses")
        head = _mended(head)
        self._left = None if self.expects else _body_length(head)
        mended += head
        return collected[end.end() :]


def _body_length(head: bytes) -> int | None:
    """Return the length of the body after a mended head; None if the head does not say it."""
    if _BODILESS.match(head):
        return 0
    lengths = _LENGTH.findall(head)
    return int(lengths[0]) if len(lengths) == 1 and not _CODED.search(head) else None


def _mended(head: bytes) -> bytes:
    status_line, *lines = head.rstrip(b"\r\n").split(b"\n")
    kept = [_VERSION.sub(rb"\1 ", status_line.removesuffix(b"\r"), count=1)]
    is_kept = False  # a continuation before the first field continues nothing
    for line in lines:
        if line[:1] not in b" \t" or not line.strip():  # otherwise it continues the previous line (obs-fold)
            line = _mended_line(line)
            is_kept = bool(line) and not (line.lower() == _CHUNKED and _CHUNKED in map(bytes.lower, kept))
        if is_kept:
            kept.append(line.removesuffix(b"\r"))
    return b"\r\n".join([*kept, b"", b""])


def _mended_line(line: bytes) -> bytes:
    """Return a line that h11 accepts; b"" if the line has no meaning."""
    name, colon, value = line.partition(b":")
    name, value = name.rstrip(b" \t"), _CONTROLS.sub(b" ", value.strip(b" \t\r\n"))
    if not colon or not _TOKEN.fullmatch(name):
        return b""
    value = value.strip()
    if value.lower() in _MEANINGLESS.get(name.lower(), ()):
        return b""
    return name + b": " + value
