"""Decide whether the response of another server has bytes of the file that a download has begun.

The bytes of two servers are combined only if both files have the same size, and one of these is true:

    a digest of the whole file is known   it is verified at the end
    both have the same strong ETag
    both have the same Last-Modified      and both dates are old enough to be strong (RFC 9110 §8.8.2.2)
"""

from .response import classify_response
from .verdict import ErrorStatus, Full, Partial, RangeRequest, ResponseHead, UnusableRange, VersionChanged
from .version import RemoteVersion

__all__ = ["classify_copy"]


def classify_copy(
    request: RangeRequest,
    known: RemoteVersion | None,
    wanted: RemoteVersion,
    response: ResponseHead,
    *,
    verified: bool,
) -> Partial | ErrorStatus | UnusableRange:
    """Classify the response of another server in a download of the version `wanted`.

    `known` is the version in that server's earlier responses; None if this is its first response. `verified` says that
    a digest of the whole file is known.
    """
    match classify_response(request, known, response):
        case Partial(version) as part:
            if version.total is None or version.total != wanted.total:
                return UnusableRange(f"its file has {version.total} bytes, not {wanted.total}")
            return part if verified or wanted.is_copied_by(version) else UnusableRange("its file may be different")
        case ErrorStatus() | UnusableRange() as verdict:
            return verdict
        case VersionChanged():
            return UnusableRange("its file is different or was replaced")
        case Full():
            return UnusableRange("it sends no parts")
        case _:
            return UnusableRange("its file ends before the requested part")
