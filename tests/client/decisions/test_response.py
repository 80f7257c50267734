"""What an answer is worth: RFC 9110 §14, §15.3.7 and §15.5.17."""

import pytest

from async_downloads.client.decisions.response import (
    ErrorStatus,
    Full,
    NothingLeft,
    Partial,
    RangeRequest,
    ResponseHead,
    UnusableRange,
    Verdict,
    VersionChanged,
    classify_response,
)
from async_downloads.client.decisions.retries import TransientError
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.errors import BadResponse, BadStatus
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Validators

NOW = 1_700_000_000
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
OLD = "Tue, 14 Nov 2023 21:00:00 GMT"

KNOWN = RemoteVersion(100, Validators(ETag("a")), '"a"')
OPEN = RemoteVersion(None, Validators(ETag("a")), '"a"')
DATED = RemoteVersion.from_fields({"last-modified": OLD, "date": DATE}, 100, now=NOW)

FIRST = RangeRequest(0, 50, ranged=True)
REST = RangeRequest(40, None, ranged=True, if_range='"a"')
BY_DATE = RangeRequest(40, None, ranged=True, if_range=OLD)
AT_END = RangeRequest(100, None, ranged=True, if_range='"a"')
ALL = RangeRequest()


def answer(status: int, **fields: str) -> ResponseHead:
    """An answer; an underscore in a field's name is a hyphen."""
    return ResponseHead(status, {name.replace("_", "-"): value for name, value in fields.items()}, NOW)


def part(content_range: str, etag: str = '"a"', **fields: str) -> ResponseHead:
    """A part of the version that is known."""
    return answer(206, content_range=content_range, etag=etag, **fields)


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        pytest.param(ALL, {}, id="everything"),
        pytest.param(RangeRequest(0, 50, ranged=True), {"Range": "bytes=0-49"}, id="the first bytes"),
        pytest.param(REST, {"Range": "bytes=40-", "If-Range": '"a"'}, id="the rest of a version"),
        pytest.param(
            RangeRequest(4, 5, ranged=True, if_range=OLD), {"Range": "bytes=4-4", "If-Range": OLD}, id="one byte"
        ),
    ],
)
def test_a_request_asks_in_fields(asked: RangeRequest, fields: dict[str, str]) -> None:
    assert asked.fields == fields


@pytest.mark.parametrize(
    ("asked", "known", "came", "span"),
    [
        pytest.param(FIRST, None, part("bytes 0-49/100"), (0, 50), id="the first"),
        pytest.param(FIRST, None, part("bytes 0-19/100"), (0, 20), id="less than asked"),
        pytest.param(FIRST, None, part("bytes 0-99/100"), (0, 100), id="more than asked"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100"), (40, 100), id="the rest"),
        pytest.param(REST, KNOWN, part("bytes 40-99/*"), (40, 100), id="of a size it does not tell"),
        pytest.param(REST, OPEN, part("bytes 40-99/100"), (40, 100), id="whose size becomes known"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_length="60"), (40, 100), id="with its length"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_length="+60"), (40, 100), id="with no length at all"),
        pytest.param(
            BY_DATE,
            DATED,
            answer(206, content_range="bytes 40-99/100", last_modified=OLD),
            (40, 100),
            id="by its date",
        ),
        pytest.param(
            BY_DATE,
            DATED,
            answer(206, content_range="bytes 40-99/100"),
            (40, 100),
            id="as asked by its date",
        ),
    ],
)
def test_a_part_that_is_as_asked_is_taken(
    asked: RangeRequest, known: RemoteVersion | None, came: ResponseHead, span: tuple[int, int]
) -> None:
    verdict = classify_response(asked, known, came)
    assert isinstance(verdict, Partial)
    assert (verdict.span, verdict.version.total) == (ByteRange(*span), 100)
    assert verdict.version.if_range == (known or KNOWN).if_range


def test_a_part_that_is_all_of_it_needs_no_validator() -> None:
    verdict = classify_response(FIRST, None, answer(206, content_range="bytes 0-9/10"))
    assert verdict == Partial(RemoteVersion(10), ByteRange(0, 10))


@pytest.mark.parametrize(
    ("asked", "known", "came"),
    [
        pytest.param(REST, KNOWN, part(""), id="no Content-Range"),
        pytest.param(REST, KNOWN, part("bytes 40-99"), id="malformed Content-Range"),
        pytest.param(REST, KNOWN, part("lines 40-99/100"), id="another unit"),
        pytest.param(REST, KNOWN, part("bytes */100"), id="unsatisfied"),
        pytest.param(REST, KNOWN, part("bytes 99-40/100"), id="backwards"),
        pytest.param(REST, KNOWN, part("bytes 41-99/100"), id="a later start"),
        pytest.param(REST, KNOWN, part("bytes 0-99/100"), id="an earlier start"),
        pytest.param(REST, KNOWN, part("bytes 40-100/*"), id="beyond the end"),
        pytest.param(REST, OPEN, part("bytes 40-99/*"), id="of nobody knows how much"),
        pytest.param(FIRST, None, part("bytes 0-49/*"), id="the first, of nobody knows how much"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_length="59"), id="shorter than it says"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_length="61"), id="longer than it says"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_encoding="gzip"), id="coded"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", etag=""), id="of no version"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", etag="", last_modified=OLD), id="a date for an ETag"),
        pytest.param(REST, DATED, answer(206, content_range="bytes 40-99/100"), id="no date, and asked with another"),
        pytest.param(BY_DATE, None, answer(206, content_range="bytes 40-99/100"), id="no date, and nothing is known"),
        pytest.param(FIRST, None, part("bytes 0-49/100", etag='W/"a"'), id="the first, with a weak ETag"),
        pytest.param(FIRST, None, answer(206, content_range="bytes 0-49/100"), id="the first, without a validator"),
        pytest.param(REST, KNOWN, answer(416, content_range="bytes */100"), id="416"),
        pytest.param(FIRST, None, answer(416, content_range="bytes */0"), id="416 for an empty file"),
        pytest.param(AT_END, OPEN, answer(416, content_range="bytes */99"), id="416, fewer bytes than are held"),
        pytest.param(AT_END, OPEN, answer(416, content_range="bytes */101"), id="416, more bytes than are held"),
        pytest.param(AT_END, OPEN, answer(416), id="416 that tells no size"),
        pytest.param(AT_END, OPEN, answer(416, content_range="bytes */100", etag='"b"'), id="416 of another version"),
        pytest.param(
            RangeRequest(100, None, ranged=True),
            OPEN,
            answer(416, content_range="bytes */100"),
            id="416 without If-Range",
        ),
    ],
)
def test_what_is_no_answer_to_a_range_is_not_taken(
    asked: RangeRequest, known: RemoteVersion | None, came: ResponseHead
) -> None:
    assert isinstance(classify_response(asked, known, came), UnusableRange)


@pytest.mark.parametrize(
    ("known", "came"),
    [
        pytest.param(KNOWN, part("bytes 40-99/100", etag='"b"'), id="a part, another ETag"),
        pytest.param(KNOWN, part("bytes 40-99/100", etag='W/"a"'), id="a part, a weak ETag"),
        pytest.param(KNOWN, part("bytes 40-99/101"), id="a part, another size"),
        pytest.param(
            DATED, answer(206, content_range="bytes 40-99/100", last_modified=DATE), id="a part, another date"
        ),
        pytest.param(KNOWN, answer(200, etag='"b"', content_length="100"), id="all, another ETag"),
        pytest.param(DATED, answer(206, content_range="bytes 40-99/100", etag='"a"'), id="a part, an ETag at last"),
        pytest.param(KNOWN, answer(200, etag='"a"', content_length="99"), id="all, another size"),
        pytest.param(KNOWN, answer(200, etag='W/"a"', content_length="100"), id="all, a weak ETag"),
        pytest.param(KNOWN, answer(200, content_length="100"), id="all, of no version"),
        pytest.param(KNOWN, answer(200, etag='"a"', content_encoding="gzip"), id="all, coded"),
    ],
)
def test_another_version_is_never_mixed_in(known: RemoteVersion, came: ResponseHead) -> None:
    assert isinstance(classify_response(REST, known, came), VersionChanged)


@pytest.mark.parametrize(
    ("asked", "known", "came", "verdict"),
    [
        pytest.param(ALL, None, answer(200, etag='"a"', content_length="100"), Full(KNOWN, 100), id="as was asked"),
        pytest.param(FIRST, None, answer(200, etag='"a"', content_length="100"), Full(KNOWN, 100), id="for a range"),
        pytest.param(REST, KNOWN, answer(200, etag='"a"', content_length="100"), Full(KNOWN, 100), id="for the rest"),
        pytest.param(REST, OPEN, answer(200, etag='"a"', content_length="100"), Full(KNOWN, 100), id="sized now"),
        pytest.param(REST, KNOWN, answer(200, etag='"a"'), Full(KNOWN, 100), id="of a length it does not tell"),
        pytest.param(ALL, None, answer(203), Full(RemoteVersion(), None), id="203, about which nothing is known"),
        pytest.param(
            ALL, None, answer(200, content_length="1" * 20), Full(RemoteVersion(), None), id="an absurd length"
        ),
        pytest.param(
            ALL,
            None,
            answer(200, etag='"a"', content_length="9", content_encoding="gzip"),
            Full(RemoteVersion(None, Validators(ETag("a")), None, "gzip"), 9),
            id="coded",
        ),
    ],
)
def test_all_of_the_version_is_taken_from_its_first_byte(
    asked: RangeRequest, known: RemoteVersion | None, came: ResponseHead, verdict: Verdict
) -> None:
    assert classify_response(asked, known, came) == verdict


@pytest.mark.parametrize(
    ("asked", "known", "came"),
    [
        pytest.param(AT_END, OPEN, answer(416, content_range="bytes */100"), id="which says no more"),
        pytest.param(AT_END, OPEN, answer(416, content_range="bytes */100", etag='"a"'), id="which says the version"),
    ],
)
def test_after_the_last_byte_there_is_the_end(asked: RangeRequest, known: RemoteVersion, came: ResponseHead) -> None:
    assert classify_response(asked, known, came) == NothingLeft(KNOWN)


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    ("retry_after", "after"),
    [
        pytest.param("", None, id="silent"),
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("Tue, 14 Nov 2023 22:13:30 GMT", 10.0, id="a date"),
        pytest.param("120", 120.0, id="the longest"),
        pytest.param("3600", 120.0, id="an hour is cut to two minutes"),
        pytest.param("soon", None, id="malformed"),
    ],
)
def test_what_may_pass_is_tried_again(code: int, retry_after: str, after: float | None) -> None:
    verdict = classify_response(REST, KNOWN, answer(code, retry_after=retry_after))
    assert isinstance(verdict, ErrorStatus)
    assert (verdict.retryable, verdict.retry_after) == (True, after)
    assert isinstance(verdict.exception, TransientError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, BadStatus) for code in (400, 401, 403, 404, 407, 410, 412, 451, 501, 505)),
        *((code, BadResponse) for code in (204, 205, 300, 304, 305)),
    ],
)
def test_what_does_not_pass_is_final(code: int, kind: type[Exception]) -> None:
    verdict = classify_response(REST, KNOWN, answer(code))
    assert isinstance(verdict, ErrorStatus)
    assert (verdict.retryable, type(verdict.exception)) == (False, kind)


@pytest.mark.parametrize("code", [206, 416])
def test_a_part_that_nobody_asked_for_is_final(code: int) -> None:
    verdict = classify_response(ALL, None, answer(code, content_range="bytes 0-49/100"))
    assert isinstance(verdict, ErrorStatus)
    assert not verdict.retryable
