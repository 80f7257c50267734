"""The fields of responses (RFC 9113 §8.2, §8.3.2)."""

import re
from collections.abc import Iterable
from typing import Final

from ..http1.request_head import Field

__all__ = ["response_fields"]


_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_NOT_IN_VALUES: Final = re.compile(rb"[\r\n\0]")
_OF_HTTP1: Final = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))


def response_fields(status: int, fields: Iterable[Iterable[bytes]], date_line: bytes) -> tuple[list[Field], int | None]:
    """Return the fields with `:status` and Date, and the length of Content-Length.

    `date_line` is a line of HTTP/1.1. Raises ValueError if a field would break the head.
    """
    lines, length, has_date = [(b":status", b"%d" % status)], None, False
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
    if not has_date:
        lines.append((b"date", date_line.partition(b": ")[2].rstrip()))
    return lines, length
