"""The judge of answers: what was asked, what is known, and what came make one verdict. RFC 9110 §14 and §15.

    200   the same version, or the first      Whole      from the first byte, whatever was asked
          another one                         Changed
    206   as asked, of the same version       Part
          of another version                  Changed
          anything else                       UnusableRange      an error, not data
    416   for what is after the last byte     End        nothing was missing
          otherwise                           UnusableRange      the whole may still be asked for
    other                                     Refused    to be tried again, or not

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
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT: Final = 120.0  # seconds; who is told to wait for longer asks again all the same
_NONE: Final = Validators()


class RangeRequest(NamedTuple):
    """What a request asks for: the bytes from `start` to before `stop`, or with `ranged` False all of them."""

    start: int = 0
    stop: int | None = None
    ranged: bool = False
    if_range: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The fields that ask for it."""
        if not self.ranged:
            return {}
        last = "" if self.stop is None else self.stop - 1
        asked = {"Range": f"bytes={self.start}-{last}"}
        return asked if self.if_range is None else {**asked, "If-Range": self.if_range}


class ResponseHead(NamedTuple):
    """The head of an answer. `fields` is asked for names in lower case; `now` is in seconds since the epoch."""

    status: int
    fields: Mapping[str, str]
    now: int


@dataclass(frozen=True, slots=True)
class Full:
    """The body is all of the version, from its first byte; it has `length` bytes, if that is told."""

    version: RemoteVersion
    length: int | None


@dataclass(frozen=True, slots=True)
class Partial:
    """The body is this part of the version. It begins where it was asked to, and may end before that or after."""

    version: RemoteVersion
    span: ByteRange

    @property
    def length(self) -> int:
        """How many bytes the body has."""
        return len(self.span)


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """There is no more of the version than what is before the byte that was asked for."""

    version: RemoteVersion


@dataclass(frozen=True, slots=True)
class VersionChanged:
    """There is another version now."""

    version: RemoteVersion


@dataclass(frozen=True, slots=True)
class UnusableRange:
    """A range was asked for, and this is no answer to that."""

    reason: str


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """There are no bytes. It may be tried `again`, `after` so many seconds if the server says so."""

    error: FetchError
    again: bool = False
    after: float | None = None

    @property
    def exception(self) -> FetchError | TransientError:
        """What to raise for it."""
        return TransientError(self.error, self.after) if self.again else self.error


Verdict = Full | Partial | NothingLeft | VersionChanged | UnusableRange | ErrorStatus


def classify_response(asked: RangeRequest, known: RemoteVersion | None, answer: ResponseHead) -> Verdict:
    """Return what an answer is worth to somebody who has bytes of the version that is `known`, or none."""
    match answer.status:
        case 200 | 203:
            return _judge_whole(known, answer)
        case 206 if asked.ranged:
            return _judge_part(asked, known, answer)
        case 416 if asked.ranged:
            return _judge_end(asked, known, answer)
        case _:
            return _judge_refusal(answer)


def _judge_whole(known: RemoteVersion | None, answer: ResponseHead) -> Verdict:
    length = _length(answer)
    version = RemoteVersion.from_fields(answer.fields, length, now=answer.now)
    if known is not None and not known.strongly_matches(version):
        return VersionChanged(version)
    version = known.with_total(length) if known else version
    return Full(version, version.total if length is None else length)


def _judge_part(asked: RangeRequest, known: RemoteVersion | None, answer: ResponseHead) -> Verdict:
    came = ContentRange.parse(answer.fields.get("content-range", ""))
    if came is None or came.span is None:
        return UnusableRange("no usable Content-Range")
    if reason := _misfit(asked, came.span, answer):
        return UnusableRange(reason)
    tacit = _asked_about(asked, known)
    version = _version(answer, came.size, tacit=_NONE if tacit.etag else tacit)  # an ETag is told again (§15.3.7)
    return _judge_version(known, version, came.span)


def _misfit(asked: RangeRequest, span: ByteRange, answer: ResponseHead) -> str | None:
    """Say what is wrong with the form of a part, whatever version it is of."""
    if span.start != asked.start:
        return f"a part that begins at byte {span.start} instead of {asked.start}"
    if content_coding(answer.fields):
        return "a part of coded bytes"
    if _length(answer) not in {None, len(span)}:
        return "a part of another length than its Content-Length"
    return None


def _judge_version(known: RemoteVersion | None, version: RemoteVersion, span: ByteRange) -> Verdict:
    total = version.total if known is None or known.total is None else known.total
    if total is None:
        return UnusableRange("a part of nobody knows how much")
    if span.stop > total:
        return UnusableRange("a part that ends after the end")
    if known is None:
        whole = span == ByteRange(0, total)
        return (
            Partial(version, span) if version.if_range or whole else UnusableRange("parts without a strong validator")
        )
    if known.strongly_matches(version):
        return Partial(known.with_total(total), span)
    told = version.validators.etag or (not known.validators.etag and version.validators.last_modified is not None)
    return VersionChanged(version) if told else UnusableRange("a part that does not say of which version it is")


def _judge_end(asked: RangeRequest, known: RemoteVersion | None, answer: ResponseHead) -> Verdict:
    came = ContentRange.parse(answer.fields.get("content-range", ""))
    after_all = came is not None and came.span is None and asked.start == came.size and asked.stop is None
    if known and after_all and known.strongly_matches(_version(answer, asked.start, tacit=_asked_about(asked, known))):
        return NothingLeft(known.with_total(asked.start))
    return UnusableRange("the range cannot be satisfied")


def _asked_about(asked: RangeRequest, known: RemoteVersion | None) -> Validators:
    """Return what the server compared before it answered anything but 200: that of the version, by If-Range."""
    return known.validators if known and known.if_range and known.if_range == asked.if_range else _NONE


def _version(answer: ResponseHead, total: int | None, *, tacit: Validators) -> RemoteVersion:
    """Read which version an answer is of; one that says nothing is of the `tacit` one."""
    version = RemoteVersion.from_fields(answer.fields, total, now=answer.now)
    told = "etag" in answer.fields or "last-modified" in answer.fields
    return version if told else replace(version, validators=tacit)


def _judge_refusal(answer: ResponseHead) -> ErrorStatus:
    code = answer.status
    if code in _PASSING:
        after = parse_retry_after(answer.fields.get("retry-after", ""), now=answer.now)
        return ErrorStatus(BadStatus(code), again=True, after=None if after is None else min(after, _LONGEST_WAIT))
    if code < 400:
        return ErrorStatus(BadResponse(f"the server answers {code} to a plain request"))
    return ErrorStatus(BadStatus(code))


def _length(answer: ResponseHead) -> int | None:
    """Return the Content-Length; None when it is not told, or is not a number."""
    text = answer.fields.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
