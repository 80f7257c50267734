"""The identifier that other programs have given to a request, so that their logs can be compared with ours.

It is the field `X-Request-ID`, which proxies set, or else the trace id of `traceparent` (W3C Trace Context §3.2). If
there is none, no identifier is made here, because no other log would contain it.
"""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["request_id"]


# The characters of UUIDs, ULIDs, Base64 and the identifiers of common proxies. None of them can forge a part of a line.
_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z._:/+=@~-]{1,128}")
_TRACE_PARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


def request_id(fields: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the identifier of a request; None if it has none, or if it is longer than 128 bytes or malformed."""
    trace = None
    for name, value in fields:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode()
        if name == b"traceparent" and (parsed := _TRACE_PARENT.fullmatch(value)):
            trace = parsed[1].decode()
    return trace
