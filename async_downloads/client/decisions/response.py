"""Classify a response: which bytes of the file does it bring, if any? RFC 9110 §14 and §15.

    200, 203   the first version, or the same one   Full            the body starts at byte 0, whatever was requested
               another version                      VersionChanged
    206        as requested, of the same version    Partial
               of another version                   VersionChanged
               anything else                        UnusableRange   an error, not data
    416        for the byte after the last one      NothingLeft     no byte was missing
               otherwise                            UnusableRange   the whole file can still be requested
    other                                           ErrorStatus     to be retried, or final

Nothing here waits, sends or stores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from ...errors import BadResponse, BadStatus, FetchError
from ...semantics.dates import parse_retry_after
from ...semantics.ranges import ByteRange, ContentRange
from ...semantics.representation import Validators
from .retries import TransientError
from .version import RemoteVersion, content_coding

__all__ = [
    "ErrorStatus",
    "Full",
    "NothingLeft",
    "Partial",
    "RangeRequest",
    "ResponseHead",
    "UnusableRange",
    "Verdict",
    "VersionChanged",
    "classify_response",
]


# Too early, too many, too slow, or not now: RFC 9110 §15 with RFC 6585 and RFC 8470.
_TRANSIENT_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_RETRY_AFTER_SECONDS: Final = 120.0  # a longer Retry-After is cut to this
_NO_VALIDATORS: Final = Validators()


class RangeRequest(NamedTuple):
    """A request for the bytes from `start` to before `stop` (None: to the end); for the whole file if not `ranged`.

    `if_range` is the strong validator that If-Range carries.
    """

    start: int = 0
    stop: int | None = None
    ranged: bool = False
    if_range: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The header fields of the request."""
        if not self.ranged:
            return {}
        last = "" if self.stop is None else self.stop - 1
        fields = {"Range": f"bytes={self.start}-{last}"}
        return fields if self.if_range is None else {**fields, "If-Range": self.if_range}


class ResponseHead(NamedTuple):
    """The status and fields of a response, received at `now` in seconds since the epoch.

    `fields` is looked up by names in lower case.
    """

    status: int
    fields: Mapping[str, str]
    now: int


@dataclass(frozen=True, slots=True)
class Full:
    """The body is the whole version from byte 0. It has `length` bytes, or None if the server does not say."""

    version: RemoteVersion
    length: int | None


@dataclass(frozen=True, slots=True)
class Partial:
    """The body is the bytes `span` of the version. It starts where requested; its end may be earlier or later."""

    version: RemoteVersion
    span: ByteRange

    @property
    def length(self) -> int:
        """The number of bytes in the body."""
        return len(self.span)


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """The version ends just before the first requested byte."""

    version: RemoteVersion


@dataclass(frozen=True, slots=True)
class VersionChanged:
    """The server has another version now."""

    version: RemoteVersion


@dataclass(frozen=True, slots=True)
class UnusableRange:
    """The response to a range request cannot be used, for `reason`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """The response has an error status. `retry_after` is the server's wish in seconds, None if it has none."""

    error: FetchError
    retryable: bool = False
    retry_after: float | None = None

    @property
    def exception(self) -> FetchError | TransientError:
        """The exception to raise: TransientError if the request may be retried."""
        return TransientError(self.error, self.retry_after) if self.retryable else self.error


Verdict = Full | Partial | NothingLeft | VersionChanged | UnusableRange | ErrorStatus


def classify_response(request: RangeRequest, known: RemoteVersion | None, response: ResponseHead) -> Verdict:
    """Say what a response brings to a client that has bytes of the version `known`, or no bytes (None)."""
    match response.status:
        case 200 | 203:
            return _classify_full(known, response)
        case 206 if request.ranged:
            return _classify_partial(request, known, response)
        case 416 if request.ranged:
            return _classify_unsatisfied(request, known, response)
        case _:
            return _classify_error(response)


def _classify_full(known: RemoteVersion | None, response: ResponseHead) -> Verdict:
    length = _content_length(response)
    version = RemoteVersion.from_fields(response.fields, length, now=response.now)
    if known is not None and not known.strongly_matches(version):
        return VersionChanged(version)
    version = known.with_total(length) if known else version
    return Full(version, version.total if length is None else length)


def _classify_partial(request: RangeRequest, known: RemoteVersion | None, response: ResponseHead) -> Verdict:
    content_range = ContentRange.parse(response.fields.get("content-range", ""))
    if content_range is None or content_range.span is None:
        return UnusableRange("the part has no usable Content-Range")
    if reason := _malformed(request, content_range.span, response):
        return UnusableRange(reason)
    implied = _implied_validators(request, known)
    if implied.etag:  # a 206 always has the ETag (§15.3.7); only Last-Modified may be left out
        implied = _NO_VALIDATORS
    version = _version_of(response, content_range.size, implied=implied)
    return _compare_versions(known, version, content_range.span)


def _malformed(request: RangeRequest, span: ByteRange, response: ResponseHead) -> str | None:
    """Say what is wrong with a part, whichever version it belongs to; None if it is well formed."""
    if span.start != request.start:
        return f"the part starts at byte {span.start} instead of {request.start}"
    if content_coding(response.fields):
        return "the part has a content coding"
    if _content_length(response) not in {None, len(span)}:
        return "the part has another length than its Content-Length says"
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
    """Accept a first part only if other parts can be added to it, or if it is the whole file."""
    if version.if_range or span == ByteRange(0, total):
        return Partial(version, span)
    return UnusableRange("the server sends parts without a strong validator")


def _classify_unsatisfied(request: RangeRequest, known: RemoteVersion | None, response: ResponseHead) -> Verdict:
    content_range = ContentRange.parse(response.fields.get("content-range", ""))
    at_end = content_range == ContentRange(None, request.start) and request.stop is None
    implied = _implied_validators(request, known)
    if known and at_end and known.strongly_matches(_version_of(response, request.start, implied=implied)):
        return NothingLeft(known.with_total(request.start))
    return UnusableRange("the range cannot be satisfied")


def _implied_validators(request: RangeRequest, known: RemoteVersion | None) -> Validators:
    """Return the validators that the server found to match: those of If-Range, since it did not send a 200."""
    return known.validators if known and known.if_range and known.if_range == request.if_range else _NO_VALIDATORS


def _version_of(response: ResponseHead, total: int | None, *, implied: Validators) -> RemoteVersion:
    """Read the version of a response. If it names none, it is the version of the `implied` validators."""
    version = RemoteVersion.from_fields(response.fields, total, now=response.now)
    named = "etag" in response.fields or "last-modified" in response.fields
    return version if named else replace(version, validators=implied)


def _classify_error(response: ResponseHead) -> ErrorStatus:
    code = response.status
    if code in _TRANSIENT_STATUSES:
        seconds = parse_retry_after(response.fields.get("retry-after", ""), now=response.now)
        retry_after = None if seconds is None else min(seconds, _MAX_RETRY_AFTER_SECONDS)
        return ErrorStatus(BadStatus(code), retryable=True, retry_after=retry_after)
    if code < 400:
        return ErrorStatus(BadResponse(f"the server sent {code}, which does not fit the request"))
    return ErrorStatus(BadStatus(code))


def _content_length(response: ResponseHead) -> int | None:
    """Return the Content-Length; None if it is missing or not a number."""
    text = response.fields.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
