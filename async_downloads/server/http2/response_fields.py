"""The fields of responses (RFC 9113 §8.2, §8.3.2)."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from ...semantics.shared_fields import HEADS, SharedCache, are_shared
from ..content_length import stated_length
from ..http1.request_head import Field
from ..http1.response_head import checked_status
from .field_names import HTTP1_ONLY, LOWER_NAME

__all__ = ["response_fields"]


_NOT_IN_VALUES: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # clients reset the stream for any control character


class _CheckedFields(NamedTuple):
    lines: tuple[Field, ...]
    length: int | None
    has_date: bool


def response_fields(status: int, fields: Iterable[Iterable[bytes]], date_line: bytes) -> tuple[list[Field], int | None]:
    """Return the fields with `:status` and Date, and the length of Content-Length.

    `date_line` is a line of HTTP/1.1. Raises ValueError as `encode_lines` of HTTP/1.1 does.
    """
    given: Any = tuple(fields)
    try:
        checked = _heads[given]
    except TypeError:  # ASGI also allows lists, which cannot be keys of a cache
        checked = _heads[tuple((name, value) for name, value in given)]
    lines = [(b":status", b"%d" % checked_status(status)), *checked.lines]
    if status == HTTPStatus.NO_CONTENT:  # it has no Content-Length (RFC 9110 §8.6)
        lines = [line for line in lines if line[0] != b"content-length"]
    if not checked.has_date:
        lines.append((b"date", date_line.partition(b": ")[2].rstrip()))
    return lines, checked.length


def _checked(fields: tuple[Field, ...]) -> _CheckedFields:
    length: int | None = None
    lines, has_date = [], False
    for name, value in fields:
        name = name.lower()
        if name in HTTP1_ONLY:
            continue
        if not LOWER_NAME.fullmatch(name) or _NOT_IN_VALUES.search(value):
            raise ValueError(f"not a field: {name!r}: {value!r}")
        if name == b"content-length":
            before, length = length, stated_length(value, length)
            if before is not None:
                continue
        has_date |= name == b"date"
        lines.append((name, value.strip(b" \t")))
    return _CheckedFields(tuple(lines), length, has_date)


_heads: Final = SharedCache(_checked, are_shared, HEADS)  # most responses have the fields of one before
