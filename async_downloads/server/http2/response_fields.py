"""The fields of responses (RFC 9113 §8.2, §8.3.2)."""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ...semantics.shared_fields import HEADS, SharedCache, are_shared
from ..http1.request_head import Field

__all__ = ["response_fields"]


_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_NOT_IN_VALUES: Final = re.compile(rb"[\r\n\0]")
_OF_HTTP1: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))


class _CheckedFields(NamedTuple):
    lines: tuple[Field, ...]
    length: int | None
    has_date: bool


def response_fields(status: int, fields: Iterable[Iterable[bytes]], date_line: bytes) -> tuple[list[Field], int | None]:
    """Return the fields with `:status` and Date, and the length of Content-Length.

    `date_line` is a line of HTTP/1.1. Raises ValueError if a field would break the head.
    """
    given: Any = tuple(fields)
    try:
        checked = _heads[given]
    except TypeError:  # ASGI also allows lists, which are no key of a cache
        checked = _heads[tuple((name, value) for name, value in given)]
    lines = [(b":status", b"%d" % status), *checked.lines]
    if not checked.has_date:
        lines.append((b"date", date_line.partition(b": ")[2].rstrip()))
    return lines, checked.length


def _checked(fields: tuple[Field, ...]) -> _CheckedFields:
    lines, length, has_date = [], None, False
    for name, value in fields:
        name = name.lower()
        if name in _OF_HTTP1:
            continue
        if not _NAME.fullmatch(name) or _NOT_IN_VALUES.search(value):
            raise ValueError(f"not a field: {name!r}: {value!r}")
        if name == b"content-length":
            length = int(value)
        has_date |= name == b"date"
        lines.append((name, value.strip(b" \t")))
    return _CheckedFields(tuple(lines), length, has_date)


_heads: Final = SharedCache(_checked, are_shared, HEADS)  # most responses have the fields of one before
