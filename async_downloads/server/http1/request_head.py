"""Request heads (RFC 9112 §2-3). llhttp checks the syntax; this module checks everything that llhttp does not check.

llhttp refuses: two Content-Lengths, Content-Length together with Transfer-Encoding, codings after `chunked`, folded
lines, bare CR and LF, whitespace before a colon, controls and NUL, unknown methods. It accepts: other versions, any
Host, two Hosts, `gzip, chunked`, Transfer-Encoding in HTTP/1.0, a head of any size.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

import httptools

from ...semantics.tokens import TOKEN
from ..content_length import LENGTH_DIGITS

__all__ = [
    "HEAD_BYTES", "HOST", "LINE_BYTES", "MAX_FIELDS", "BadRequest", "Field", "ParsedHead", "encoded_target",
    "parse_head",
]  # fmt: skip


HEAD_BYTES: Final = 64 * 1024
LINE_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 200
_RECURRING_BYTES: Final = 1024  # longer heads would fill the cache
_REQUEST_LINE: Final = re.compile(rb"(%b) ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])\r\n" % TOKEN.encode())
_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://([^/?#]*)")
_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]+")
HOST: Final = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*")
_ONCE: Final = frozenset((b"host", b"content-length", b"transfer-encoding"))
_READ_HERE: Final = _ONCE | {b"connection", b"expect", b"upgrade"}
Field = tuple[bytes, bytes]


class BadRequest(Exception):
    """The response to the request is only this status; then the connection is closed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status: int = status


class ParsedHead(NamedTuple):
    """A request without its body.

    `target` is in origin form, percent-encoded. The names of `fields` are in lower case. `body_length` is in bytes; it
    is None if the body is chunked. Requests with the same head share one object, so it must not be changed.
    """

    method: str
    target: bytes
    version: str
    fields: list[Field]
    keep_alive: bool
    body_length: int | None
    expects_continue: bool


def parse_head(head: bytes) -> ParsedHead:
    """Parse a whole head, including its empty line. Raises BadRequest."""
    return _parse_recurring(head) if len(head) <= _RECURRING_BYTES else _parse(head)


def _parse(head: bytes) -> ParsedHead:
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise BadRequest(400)
    method, target, major, minor = line.groups()
    if major != b"1":
        raise BadRequest(505)
    if line.end() > LINE_BYTES:
        raise BadRequest(414)
    if head.count(b"\n") - 2 > MAX_FIELDS:  # the request line and the empty line are none
        raise BadRequest(431)
    if minor > b"1":  # a later minor version is read as the latest that we know (RFC 9110 §2.5)
        head = b"%s1%s" % (head[: line.start(4)], head[line.end(4) :])
    if not target.isascii():
        encoded = encoded_target(target)
        head, target = head.replace(target, encoded, 1), encoded
    fields = _parsed_fields(head)
    version = "1.0" if minor == b"0" else "1.1"
    _check_host(fields, version)
    length = fields.body_length(version)
    return ParsedHead(
        method.decode(),
        target if target[0] == 0x2F else _in_origin_form(method, target, fields),
        version,
        fields.lines,
        fields.keep_alive(version),
        length,
        length != 0 and version == "1.1" and b"100-continue" in fields.options(b"expect"),
    )


def encoded_target(target: bytes) -> bytes:
    """Return a target with its bytes beyond ASCII percent-encoded.

    Clients must encode them (RFC 3986 §2), but curl does not encode a query that a user types.
    """
    return _BEYOND_ASCII.sub(lambda found: quote(found[0]).encode(), target)


_parse_recurring: Final = lru_cache(maxsize=1024)(_parse)  # a client often sends the same head again, byte by byte


class _Fields:
    """The field lines of one head, as llhttp reports them."""

    __slots__ = ("known", "lines", "repeated")

    def __init__(self) -> None:
        self.lines: list[Field] = []
        self.known: dict[bytes, bytes] = {}
        self.repeated = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if value[-1:] in b" \t":
            value = value.rstrip(b" \t")
        self.lines.append((name, value))
        if name in _READ_HERE:
            if name in self.known:
                self.repeated |= name in _ONCE
                value = self.known[name] + b"," + value
            self.known[name] = value

    def keep_alive(self, version: str) -> bool:
        """Whether the connection stays open for another request (RFC 9112 §9.3).

        If a client asks for a WebSocket and does not get one, it sends no other request (RFC 6455 §4.1).
        """
        if b"websocket" in self.options(b"upgrade"):
            return False
        options = self.options(b"connection")
        return b"close" not in options and (version == "1.1" or b"keep-alive" in options)

    def options(self, name: bytes) -> Collection[bytes]:
        """Return the members of a list, in lower case."""
        if (listed := self.known.get(name)) is None:
            return ()
        return {option.strip(b" \t") for option in listed.lower().split(b",")}

    def body_length(self, version: str) -> int | None:
        """Return the length of the body in bytes; None if it is chunked (RFC 9112 §6.3). Raises BadRequest."""
        coding = self.known.get(b"transfer-encoding")
        if coding is None:
            text = self.known.get(b"content-length", b"0")
            if len(text) > LENGTH_DIGITS:
                raise BadRequest(400)
            return int(text)
        if version == "1.0":
            raise BadRequest(400)
        if coding.lower() != b"chunked":
            raise BadRequest(501)
        return None


def _parsed_fields(head: bytes) -> _Fields:
    fields = _Fields()
    try:
        httptools.HttpRequestParser(fields).feed_data(head)
    except httptools.HttpParserUpgrade:  # the connection stays in HTTP/1.1
        pass
    except httptools.HttpParserInvalidMethodError:
        raise BadRequest(501) from None
    except httptools.HttpParserError:
        raise BadRequest(400) from None
    if fields.repeated:
        raise BadRequest(400)
    return fields


def _check_host(fields: _Fields, version: str) -> None:
    """Raise BadRequest if Host is missing or malformed (RFC 9112 §3.2)."""
    host = fields.known.get(b"host")
    if (host is None and version == "1.1") or not HOST.fullmatch(host or b""):
        raise BadRequest(400)


def _in_origin_form(method: bytes, target: bytes, fields: _Fields) -> bytes:
    """Return the path of an absolute-form target. Its authority replaces Host (RFC 9112 §3.2.2).

    Only the target of CONNECT may be an authority, and only that of OPTIONS may be `*`.
    """
    if method == b"CONNECT" or (method == b"OPTIONS" and target == b"*"):
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        raise BadRequest(400)
    authority, rest = absolute[1], target[absolute.end() :]
    if not authority or not HOST.fullmatch(authority):
        raise BadRequest(400)
    fields.lines[:] = [(b"host", authority), *(line for line in fields.lines if line[0] != b"host")]
    return rest if rest.startswith(b"/") else b"/" + rest
