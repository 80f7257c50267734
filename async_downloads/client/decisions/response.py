"""Classify a response: which bytes of the file does its body have, if any? RFC 9110 §14 and §15.

    200, 203   the first version, or the same one   Full            the body starts at byte 0, whatever was requested
               another version                      VersionChanged
               a page in place of the file          ErrorStatus     to be retried; the held bytes are kept
               with a Content-Range                 as 206, if it fits the request
               as long as the requested part, or    UnusableRange   it may be that part
               of unknown length
    206        as requested, of the same version    Partial
               of another version                   VersionChanged
               anything else                        UnusableRange   an error, not data
               although no range was requested      as 200          a server may label every response so
    416        for the byte after the last one      NothingLeft     no byte was missing
               otherwise                            UnusableRange   the whole file can still be requested
    202        with Retry-After                     ErrorStatus     the server still prepares the file
    other                                           ErrorStatus     to be retried, or final

Nothing here waits, sends or stores.
"""

from dataclasses import replace
from typing import Final

from ...errors import BadResponse, BadStatus
from ...semantics.dates import parse_retry_after
from ...semantics.ranges import ByteRange, ContentRange
from ...semantics.representation import NO_VALIDATORS, Validators
from .retries import TransientError
from .verdict import (
    ErrorStatus,
    Full,
    NothingLeft,
    Partial,
    RangeRequest,
    ResponseHead,
    UnusableRange,
    Verdict,
    VersionChanged,
)
from .version import RemoteVersion, content_coding, is_far_smaller

__all__ = ["classify_response", "refuse_tiny_part"]


# Statuses with which the same request may succeed later: RFC 9110 §15, RFC 6585 and RFC 8470. Some are not in a
# standard: 509 means too much traffic, and 529 too much load. With 520 to 530, 598 and 599, a proxy cannot reach the
# server.
_TRANSIENT_STATUSES: Final = frozenset(
    {408, 425, 429, 500, 502, 503, 504, 509, *range(520, 525), 527, 529, 530, 598, 599}
)
# With these statuses, some servers and firewalls refuse a request only because of a field like Range or
# Want-Repr-Digest. The excluded statuses have other causes: credentials, a missing file, or the time of the request.
_FIELD_REFUSALS: Final = frozenset({204, *range(400, 500), 500, 501, 505}) - {
    401,
    402,
    404,
    407,
    408,
    410,
    425,
    429,
    451,
}
_MIN_PART_BYTES: Final = 16 * 1024  # a download in smaller parts, for example of one byte, might never end
_MIN_PART_SHARE: Final = 8


def classify_response(
    request: RangeRequest, known: RemoteVersion | None, response: ResponseHead, *, earlier: RemoteVersion | None = None
) -> Verdict:
    """Classify a response for a client that has bytes of the version `known`, or no bytes (None).

    `earlier` is the version of an earlier response, even if its bytes are no longer held.
    """
    match response.status:
        case 206 if request.ranged:
            return _classify_partial(request, known, response)
        case 200 | 203 | 206 if "content-range" in response.fields:
            return _classify_labelled(request, known, response, earlier=known or earlier)
        case 200 | 203 | 206:
            return _classify_full(request, known, response, earlier=known or earlier)
        case 416 if request.ranged:
            return _classify_unsatisfied(request, known, response)
        case _:
            return _classify_error(response)


def _classify_labelled(
    request: RangeRequest, known: RemoteVersion | None, response: ResponseHead, *, earlier: RemoteVersion | None
) -> Verdict:
    """Classify a 200 with a Content-Range, which should be a 206, or a 206 although no range was requested."""
    content_range, length = _content_range(response), _content_length(response)
    if _is_whole(content_range, length) or (content_range is None and not request.ranged):
        return _classify_full(request, known, response, earlier=earlier)
    if not request.ranged:
        error = BadResponse("the server sent a part, and not the whole file")
        return ErrorStatus(error, retryable=response.status != 206)
    verdict = _classify_partial(request, known, response)
    return verdict if isinstance(verdict, Partial) else UnusableRange("a part with status 200", final=True)


def _is_whole(content_range: ContentRange | None, length: int | None) -> bool:
    """Return whether a Content-Range names all bytes of a file, and the body has as many."""
    span, size = (content_range.span, content_range.size) if content_range else (None, None)
    return span is not None and span.start == 0 and span.stop == size and length in {None, size}


def _classify_full(
    request: RangeRequest, known: RemoteVersion | None, response: ResponseHead, *, earlier: RemoteVersion | None
) -> Verdict:
    length = _content_length(response)
    version = RemoteVersion.from_fields(response.fields, length, now=response.now)
    if earlier is None and request.ranged and length == 0:
        return UnusableRange("an empty body", final=True)  # some servers send it for every range
    if _may_be_part(request, known, length):
        return UnusableRange("the body may be a part or the whole file", final=True)
    if earlier and (reason := _substitution(earlier, version, length)):
        return ErrorStatus(BadResponse(reason), retryable=True)
    if known is not None and not known.strongly_matches(version):
        return VersionChanged(version)
    if known and request.ranged and (request.start, request.stop) != (0, None) and None in {length, known.total}:
        return UnusableRange("the body may be a part or the whole file", final=True)
    version = known.with_total(length) if known else version
    return Full(version, version.total if length is None else length)


def _may_be_part(request: RangeRequest, known: RemoteVersion | None, length: int | None) -> bool:
    """Return whether a body without a Content-Range is as long as the requested part, and not as long as the file."""
    if not request.ranged or known is None or known.total is None or length == known.total:
        return False
    return length == (known.total if request.stop is None else request.stop) - request.start


def _substitution(earlier: RemoteVersion, version: RemoteVersion, length: int | None) -> str | None:
    """Return why a body is not a version of the file but, for example, a login page; None if it may be a version."""
    old, new = earlier.validators, version.validators
    if version.is_html and not earlier.is_html:
        return "the server sent an HTML page in place of the file"
    if length == 0 and earlier.total != 0:
        return "the server sent an empty file in place of the file"
    if (old.etag and not new.etag) or (old.last_modified is not None and new == NO_VALIDATORS):
        return "the server sent a body without the validators that the file had"
    if length is not None and not version.coding and is_far_smaller(length, [earlier]):
        return f"the server sent {length} bytes in place of {earlier.total}"
    return None


def _classify_partial(request: RangeRequest, known: RemoteVersion | None, response: ResponseHead) -> Verdict:
    content_range = _content_range(response)
    if content_range is None or content_range.span is None:
        return UnusableRange("the part has no usable Content-Range")
    if reason := _malformed(request, content_range.span, response):
        return UnusableRange(reason)
    implied = _implied_validators(request, known)
    if implied.etag:  # a 206 always has the ETag (§15.3.7); only Last-Modified may be left out
        implied = NO_VALIDATORS
    version = _version_of(response, content_range.size, implied=implied)
    return _compare_versions(known, version, content_range.span)


def _malformed(request: RangeRequest, span: ByteRange, response: ResponseHead) -> str | None:
    """Return the fault of a part, whatever its version; None if the part is well formed."""
    if span.start != request.start:
        return f"the part starts at byte {span.start} instead of {request.start}"
    if content_coding(response.fields):
        return "the part has a content coding"
    if "byteranges" in response.fields.get("content-type", "").partition(";")[0].lower():
        return "the body is multipart"
    if _content_length(response) not in {None, len(span)}:
        return "the Content-Length of the part does not fit its Content-Range"
    return None


def _compare_versions(known: RemoteVersion | None, version: RemoteVersion, span: ByteRange) -> Verdict:
    total = version.total if known is None or known.total is None else known.total
    if total is None:
        return UnusableRange("the size of the whole file is unknown")
    if span.stop > total:
        return UnusableRange("the part ends after the end of the file")
    if known is None:
        return _first_part(version, span, total)
    if known.strongly_matches(version):
        return Partial(known.with_total(total), span)
    validators = version.validators
    named = validators.etag or (not known.validators.etag and validators.last_modified is not None)
    return VersionChanged(version) if named else UnusableRange("the part does not say which version it belongs to")


def _first_part(version: RemoteVersion, span: ByteRange, total: int) -> Verdict:
    """Accept a first part only if it can be combined with other parts, or if it is the whole file."""
    if version.resumable or span == ByteRange(0, total):
        return Partial(version, span)
    return UnusableRange("the server sends parts without a strong validator")


def _classify_unsatisfied(request: RangeRequest, known: RemoteVersion | None, response: ResponseHead) -> Verdict:
    content_range = _content_range(response)
    at_end = content_range == ContentRange(None, request.start) and request.stop is None
    implied = _implied_validators(request, known)
    if known and at_end and known.strongly_matches(_version_of(response, request.start, implied=implied)):
        return NothingLeft(known.with_total(request.start))
    return UnusableRange("the range cannot be satisfied")


def refuse_tiny_part(request: RangeRequest, verdict: Full | Partial) -> None:
    """Raise TransientError if a stored part is much shorter than requested, because that counts as a failure."""
    if not isinstance(verdict, Partial):
        return
    stops = [stop for stop in (request.stop, verdict.version.total) if stop is not None]
    missing = min(stops, default=verdict.span.stop) - verdict.span.stop
    requested = verdict.length + missing
    if verdict.length < min(_MIN_PART_BYTES, requested // _MIN_PART_SHARE):
        raise TransientError(BadResponse(f"the server sent only {verdict.length} of {requested} requested bytes"))


def _implied_validators(request: RangeRequest, known: RemoteVersion | None) -> Validators:
    """Return the validators of If-Range. They match the server's version, because the server did not send a 200."""
    return known.validators if known and known.if_range and known.if_range == request.if_range else NO_VALIDATORS


def _version_of(response: ResponseHead, total: int | None, *, implied: Validators) -> RemoteVersion:
    """Read the version of a response. A response without validators has the `implied` ones."""
    version = RemoteVersion.from_fields(response.fields, total, now=response.now)
    named = "etag" in response.fields or "last-modified" in response.fields
    return version if named else replace(version, validators=implied)


def _classify_error(response: ResponseHead) -> ErrorStatus:
    code, refuses_fields = response.status, response.status in _FIELD_REFUSALS
    retry_after = parse_retry_after(response.fields.get("retry-after", ""), now=response.now)
    if code in _TRANSIENT_STATUSES:
        return ErrorStatus(BadStatus(code), retryable=True, retry_after=retry_after, refuses_fields=refuses_fields)
    if code == 202 and retry_after is not None:
        error = BadResponse("the server is still preparing the file (202)")
        return ErrorStatus(error, retryable=True, retry_after=retry_after, pending=True)
    if code < 400:
        error = BadResponse(f"{BadStatus(code)}, which does not fit the request")
        return ErrorStatus(error, refuses_fields=refuses_fields)
    return ErrorStatus(BadStatus(code), refuses_fields=refuses_fields)


def _content_range(response: ResponseHead) -> ContentRange | None:
    return ContentRange.parse(response.fields.get("content-range", ""))


def _content_length(response: ResponseHead) -> int | None:
    """Return the Content-Length; None if it is missing, not a number or overridden (RFC 9112 §6.3)."""
    if "transfer-encoding" in response.fields:
        return None
    text = response.fields.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
