"""Response heads (RFC 9112 §4-5)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from ...semantics.shared_fields import FIELDS, HEADS, SharedCache, are_shared, is_shared
from ...semantics.tokens import TOKEN
from ..content_length import stated_length
from .request_head import Field

__all__ = ["CONTINUE", "ResponseLines", "checked_status", "encode_lines", "encode_refusal"]


CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOKEN: Final = re.compile(TOKEN.encode())
_NOT_IN_VALUES: Final = re.compile(rb"[\r\n\0]")
_FINAL_STATUSES: Final = range(200, 1000)
_OURS: Final = {b"close", b"keep-alive"}  # the server decides whether the connection stays open
# Names that are not spelled like `Content-Length`. Some firmware loaders compare names byte by byte.
_WRITTEN: Final = {b"etag": b"ETag", b"www-authenticate": b"WWW-Authenticate", b"dnt": b"DNT", b"te": b"TE"}
_TRANSIENT: Final = {429, 503}  # too many connections: there may be room again soon
_RETRY_AFTER: Final = (b"retry-after", b"1")


class ResponseLines(NamedTuple):
    """A status line and field lines, and their framing.

    `length` is the value of Content-Length, or None. `closes` says whether the app wants to close the connection.
    """

    lines: bytes
    length: int | None
    closes: bool
    has_date: bool


def encode_lines(status: int, fields: Iterable[Iterable[bytes]]) -> ResponseLines:
    """Encode the head of a response, without its empty line.

    Raises ValueError if a field would break the head, or if a client could not tell where the response ends.
    """
    given: Any = tuple(fields)
    try:
        return _heads[status, given]
    except TypeError:  # ASGI also allows lists, which cannot be keys of a cache
        return _heads[status, tuple((name, value) for name, value in given)]


def encode_refusal(status: int, date_line: bytes) -> bytes:
    """Encode a whole response that contains only the status and ends the connection."""
    text = b"%d %s\n" % (status, HTTPStatus(status).phrase.encode())
    fields = ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text)))
    retry = (_RETRY_AFTER,) if status in _TRANSIENT else ()
    return b"%s%sConnection: close\r\n\r\n%s" % (encode_lines(status, (*fields, *retry)).lines, date_line, text)


def checked_status(status: int) -> int:
    """Return the status of a response. Raises ValueError if it has not three digits, or if another response follows.

    After a status below 200 clients wait for the final response (RFC 9110 §15.2).
    """
    if status not in _FINAL_STATUSES:
        raise ValueError(f"not the status of a response: {status}")
    return status


def _encode(head: tuple[int, tuple[Field, ...]]) -> ResponseLines:
    status, fields = head
    length: int | None = None
    lines, closes, has_date = [_status_line(checked_status(status))], False, False
    for name, value in fields:
        name = name.lower()
        if name == b"transfer-encoding":  # the server frames the body
            continue
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            closes |= any(option.lower() == b"close" for option in options)
            value = b", ".join(option for option in options if option.lower() not in _OURS)
            if not value:
                continue
        if name == b"content-length":
            before, length = length, stated_length(value, length)
            if before is not None or status == HTTPStatus.NO_CONTENT:  # RFC 9110 §8.6
                continue
        has_date |= name == b"date"
        lines.append(_lines[name, value])
    return ResponseLines(b"".join(lines), length, closes, has_date)


_heads: Final = SharedCache(_encode, lambda head: are_shared(head[1]), HEADS)  # most responses have that of one before


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    known = status in HTTPStatus.__members__.values()
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase if known else ''}\r\n".encode()


def _line(field: Field) -> bytes:
    name, value = field
    if not _TOKEN.fullmatch(name) or _NOT_IN_VALUES.search(value):
        raise ValueError(f"not a field: {name!r}: {value!r}")
    return b"%s: %s\r\n" % (_WRITTEN.get(name) or b"-".join(map(bytes.capitalize, name.split(b"-"))), value)


_lines: Final = SharedCache(_line, is_shared, FIELDS)
