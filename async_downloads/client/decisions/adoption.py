"""Decide whether a server still has the version of a file that another program began to download.

Other programs store no validators. The server proves the version if it sends the same last bytes as the part has, and
if its Last-Modified is not later than the last write of the other program to the part.
"""

from typing import Final

from ...semantics.dates import format_date
from .response import classify_response
from .verdict import ErrorStatus, Partial, RangeRequest, ResponseHead
from .version import RemoteVersion

__all__ = ["OVERLAP_BYTES", "adoptable_version", "overlap_request"]


OVERLAP_BYTES: Final = 64 * 1024  # the last bytes of the part, which are requested again and compared


def overlap_request(size: int, modified: int) -> RangeRequest:
    """Return the request for the last bytes of a part of `size` bytes. `modified` is its time in seconds since 1970.

    A server with a newer version sends 412 (RFC 9110 §13.1.4).
    """
    return RangeRequest(max(size - OVERLAP_BYTES, 0), size, ranged=True, unmodified_since=format_date(modified))


def adoptable_version(request: RangeRequest, modified: int, head: ResponseHead) -> RemoteVersion | None:
    """Return the version of the part, provided that the body equals its last bytes; None if the part must not be used.

    Raises TransientError if the request may be repeated.
    """
    verdict = classify_response(request, None, head)
    if isinstance(verdict, ErrorStatus) and verdict.retryable:
        raise verdict.exception
    if not isinstance(verdict, Partial) or verdict.span.stop != request.stop or not verdict.version.resumable:
        return None
    remote = verdict.version.validators.last_modified
    return verdict.version if remote is not None and remote <= modified else None
