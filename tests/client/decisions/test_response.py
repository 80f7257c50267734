"""The classification of responses: RFC 9110 §14, §15.3.7 and §15.5.17."""

from contextlib import nullcontext

import pytest

from async_downloads.client.decisions.response import classify_response, refuse_tiny_part
from async_downloads.client.decisions.retries import TransientError
from async_downloads.client.decisions.verdict import (
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


def head(status: int, **fields: str) -> ResponseHead:
    """Return a response head. An underscore in a field's name is a hyphen."""
    return ResponseHead(status, {name.replace("_", "-"): value for name, value in fields.items()}, NOW)


def part(content_range: str, etag: str = '"a"', **fields: str) -> ResponseHead:
    """Return the head of a part of the known version."""
    return head(206, content_range=content_range, etag=etag, **fields)


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        pytest.param(ALL, {}, id="everything"),
        pytest.param(RangeRequest(0, 50, ranged=True), {"Range": "bytes=0-49"}, id="the first bytes"),
        pytest.param(REST, {"Range": "bytes=40-", "If-Range": '"a"'}, id="the rest of a version"),
        pytest.param(
            RangeRequest(4, 5, ranged=True, if_range=OLD), {"Range": "bytes=4-4", "If-Range": OLD}, id="one byte"
        ),
    ],
)
def test_a_request_has_the_fields_of_its_range(wanted: RangeRequest, fields: dict[str, str]) -> None:
    assert wanted.fields == fields


@pytest.mark.parametrize(
    ("wanted", "known", "response", "span"),
    [
        pytest.param(FIRST, None, part("bytes 0-49/100"), (0, 50), id="the first"),
        pytest.param(FIRST, None, part("bytes 0-19/100"), (0, 20), id="less than requested"),
        pytest.param(FIRST, None, part("bytes 0-99/100"), (0, 100), id="more than requested"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100"), (40, 100), id="the rest"),
        pytest.param(REST, KNOWN, part("bytes 40-99/*"), (40, 100), id="without a size"),
        pytest.param(REST, OPEN, part("bytes 40-99/100"), (40, 100), id="whose size becomes known"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_length="60"), (40, 100), id="with its length"),
        pytest.param(
            REST, KNOWN, part("bytes 40-99/100", content_length="+60"), (40, 100), id="with a malformed length"
        ),
        pytest.param(
            BY_DATE,
            DATED,
            head(206, content_range="bytes 40-99/100", last_modified=OLD),
            (40, 100),
            id="by its date",
        ),
        pytest.param(
            BY_DATE,
            DATED,
            head(206, content_range="bytes 40-99/100"),
            (40, 100),
            id="as If-Range named it by date",
        ),
    ],
)
def test_a_part_as_requested_is_accepted(
    wanted: RangeRequest, known: RemoteVersion | None, response: ResponseHead, span: tuple[int, int]
) -> None:
    verdict = classify_response(wanted, known, response)
    assert isinstance(verdict, Partial)
    assert (verdict.span, verdict.version.total) == (ByteRange(*span), 100)
    assert verdict.version.if_range == (known or KNOWN).if_range


def test_a_part_that_is_the_whole_file_needs_no_validator() -> None:
    verdict = classify_response(FIRST, None, head(206, content_range="bytes 0-9/10"))
    assert verdict == Partial(RemoteVersion(10), ByteRange(0, 10))
    assert verdict.length == 10


@pytest.mark.parametrize(
    ("wanted", "known", "response"),
    [
        pytest.param(REST, KNOWN, part(""), id="no Content-Range"),
        pytest.param(REST, KNOWN, part("bytes 40-99"), id="malformed Content-Range"),
        pytest.param(REST, KNOWN, part("lines 40-99/100"), id="another unit"),
        pytest.param(REST, KNOWN, part("bytes */100"), id="unsatisfied"),
        pytest.param(REST, KNOWN, part("bytes 99-40/100"), id="backwards"),
        pytest.param(REST, KNOWN, part("bytes 41-99/100"), id="a later start"),
        pytest.param(REST, KNOWN, part("bytes 0-99/100"), id="an earlier start"),
        pytest.param(REST, KNOWN, part("bytes 40-100/*"), id="beyond the end"),
        pytest.param(REST, OPEN, part("bytes 40-99/*"), id="of unknown size"),
        pytest.param(FIRST, None, part("bytes 0-49/*"), id="the first, of unknown size"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_length="59"), id="with a Content-Length too short"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_length="61"), id="with a Content-Length too long"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_encoding="gzip"), id="coded"),
        pytest.param(
            REST, KNOWN, part("bytes 40-99/100", content_type="multipart/byteranges; boundary=x"), id="several parts"
        ),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", content_type="Multipart/X-ByteRanges"), id="an old name"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", etag=""), id="of no version"),
        pytest.param(REST, KNOWN, part("bytes 40-99/100", etag="", last_modified=OLD), id="a date for an ETag"),
        pytest.param(REST, DATED, head(206, content_range="bytes 40-99/100"), id="no date, and If-Range had an ETag"),
        pytest.param(BY_DATE, None, head(206, content_range="bytes 40-99/100"), id="no date, and nothing is known"),
        pytest.param(FIRST, None, part("bytes 0-49/100", etag='W/"a"'), id="the first, with a weak ETag"),
        pytest.param(FIRST, None, head(206, content_range="bytes 0-49/100"), id="the first, without a validator"),
        pytest.param(REST, KNOWN, head(416, content_range="bytes */100"), id="416"),
        pytest.param(FIRST, None, head(416, content_range="bytes */0"), id="416 for an empty file"),
        pytest.param(AT_END, OPEN, head(416, content_range="bytes */99"), id="416, fewer bytes than are held"),
        pytest.param(AT_END, OPEN, head(416, content_range="bytes */101"), id="416, more bytes than are held"),
        pytest.param(AT_END, OPEN, head(416), id="416 without a size"),
        pytest.param(AT_END, OPEN, head(416, content_range="bytes */100", etag='"b"'), id="416 of another version"),
        pytest.param(
            RangeRequest(100, None, ranged=True),
            OPEN,
            head(416, content_range="bytes */100"),
            id="416 without If-Range",
        ),
    ],
)
def test_an_unusable_response_to_a_range_is_rejected(
    wanted: RangeRequest, known: RemoteVersion | None, response: ResponseHead
) -> None:
    assert isinstance(classify_response(wanted, known, response), UnusableRange)


@pytest.mark.parametrize(
    ("known", "response"),
    [
        pytest.param(KNOWN, part("bytes 40-99/100", etag='"b"'), id="a part, another ETag"),
        pytest.param(KNOWN, part("bytes 40-99/100", etag='W/"a"'), id="a part, a weak ETag"),
        pytest.param(KNOWN, part("bytes 40-99/101"), id="a part, another size"),
        pytest.param(DATED, head(206, content_range="bytes 40-99/100", last_modified=DATE), id="a part, another date"),
        pytest.param(KNOWN, head(200, etag='"b"', content_length="100"), id="all, another ETag"),
        pytest.param(
            DATED, head(206, content_range="bytes 40-99/100", etag='"a"'), id="a part, an ETag where none was"
        ),
        pytest.param(KNOWN, head(200, etag='"a"', content_length="99"), id="all, another size"),
        pytest.param(KNOWN, head(200, etag='W/"a"', content_length="100"), id="all, a weak ETag"),
        pytest.param(KNOWN, head(200, etag='"a"', content_encoding="gzip"), id="all, coded"),
    ],
)
def test_a_changed_version_is_detected(known: RemoteVersion, response: ResponseHead) -> None:
    assert isinstance(classify_response(REST, known, response), VersionChanged)


@pytest.mark.parametrize(
    ("wanted", "known", "response", "verdict"),
    [
        pytest.param(ALL, None, head(200, etag='"a"', content_length="100"), Full(KNOWN, 100), id="as requested"),
        pytest.param(FIRST, None, head(200, etag='"a"', content_length="100"), Full(KNOWN, 100), id="for a range"),
        pytest.param(REST, KNOWN, head(200, etag='"a"', content_length="100"), Full(KNOWN, 100), id="for the rest"),
        pytest.param(ALL, OPEN, head(200, etag='"a"', content_length="100"), Full(KNOWN, 100), id="sized now"),
        pytest.param(
            RangeRequest(ranged=True), OPEN, head(200, etag='"a"'), Full(OPEN, None), id="all bytes are the range"
        ),
        pytest.param(ALL, KNOWN, head(200, etag='"a"'), Full(KNOWN, 100), id="without a length"),
        pytest.param(ALL, None, head(203), Full(RemoteVersion(), None), id="203 without any fields"),
        pytest.param(ALL, None, head(200, content_length="1" * 20), Full(RemoteVersion(), None), id="an absurd length"),
        pytest.param(
            ALL,
            None,
            head(200, etag='"a"', content_length="9", content_encoding="gzip"),
            Full(RemoteVersion(None, Validators(ETag("a")), None, "gzip"), 9),
            id="coded",
        ),
    ],
)
def test_a_full_response_is_accepted(
    wanted: RangeRequest, known: RemoteVersion | None, response: ResponseHead, verdict: Verdict
) -> None:
    assert classify_response(wanted, known, response) == verdict


@pytest.mark.parametrize(
    ("wanted", "known", "response"),
    [
        pytest.param(REST, KNOWN, head(200, etag='"a"'), id="its length is unknown"),
        pytest.param(REST, OPEN, head(200, etag='"a"', content_length="60"), id="the size of the file is unknown"),
        pytest.param(REST, OPEN, head(200, etag='"a"'), id="both are unknown"),
        pytest.param(
            RangeRequest(0, 9, ranged=True), KNOWN, head(200, etag='"a"'), id="the first bytes were requested"
        ),
    ],
)
def test_a_200_that_may_be_the_requested_part_is_not_used(
    wanted: RangeRequest, known: RemoteVersion, response: ResponseHead
) -> None:
    assert classify_response(wanted, known, response) == UnusableRange(
        "the body may be a part or the whole file", final=True
    )


@pytest.mark.parametrize(
    ("wanted", "known", "response"),
    [
        pytest.param(AT_END, OPEN, head(416, content_range="bytes */100"), id="without validators"),
        pytest.param(AT_END, OPEN, head(416, content_range="bytes */100", etag='"a"'), id="with the ETag"),
    ],
)
def test_a_416_after_the_last_byte_means_nothing_left(
    wanted: RangeRequest, known: RemoteVersion, response: ResponseHead
) -> None:
    assert classify_response(wanted, known, response) == NothingLeft(KNOWN)


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504, 509, 520, 521, 522, 523, 524, 527, 530])
@pytest.mark.parametrize(
    ("retry_after", "after"),
    [
        pytest.param("", None, id="silent"),
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("Tue, 14 Nov 2023 22:13:30 GMT", 10.0, id="a date"),
        pytest.param("120", 120.0, id="the longest"),
        pytest.param("3600", 3600.0, id="an hour"),
        pytest.param("soon", None, id="malformed"),
    ],
)
def test_a_transient_status_is_retryable(code: int, retry_after: str, after: float | None) -> None:
    verdict = classify_response(REST, KNOWN, head(code, retry_after=retry_after))
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
def test_any_other_status_is_final(code: int, kind: type[Exception]) -> None:
    verdict = classify_response(REST, KNOWN, head(code))
    assert isinstance(verdict, ErrorStatus)
    assert (verdict.retryable, type(verdict.exception)) == (False, kind)


@pytest.mark.parametrize("code", [206, 416])
def test_a_part_that_was_not_requested_is_final(code: int) -> None:
    verdict = classify_response(ALL, None, head(code, content_range="bytes 0-49/100"))
    assert isinstance(verdict, ErrorStatus)
    assert not verdict.retryable


@pytest.mark.parametrize("fields", [{}, {"content_range": "bytes 0-99/100"}])
def test_a_206_with_the_whole_file_is_the_file_although_no_range_was_requested(fields: dict[str, str]) -> None:
    verdict = classify_response(ALL, None, head(206, content_length="100", etag='"a"', **fields))
    assert isinstance(verdict, Full)
    assert verdict.length == 100


def test_a_202_with_a_retry_after_is_no_failure() -> None:
    verdict = classify_response(ALL, None, head(202, retry_after="10"))
    assert isinstance(verdict, ErrorStatus)
    assert (verdict.retryable, verdict.pending, verdict.retry_after) == (True, True, 10.0)


def test_a_202_without_a_retry_after_is_final() -> None:
    verdict = classify_response(ALL, None, head(202))
    assert isinstance(verdict, ErrorStatus)
    assert not verdict.retryable


def test_an_empty_body_is_no_file_until_it_came_without_a_range() -> None:
    empty = head(200, etag='"a"', content_length="0")
    assert classify_response(FIRST, None, empty) == UnusableRange("an empty body", final=True)
    assert isinstance(classify_response(ALL, None, empty), Full)


@pytest.mark.parametrize(("code", "crashed"), [(502, True), (503, False)])
def test_a_bad_gateway_may_be_a_crash_of_the_server_behind_it(code: int, crashed: bool) -> None:
    verdict = classify_response(FIRST, None, head(code))
    assert isinstance(verdict, ErrorStatus)
    assert isinstance(verdict.exception, TransientError)
    assert verdict.exception.crashed is crashed


@pytest.mark.parametrize(
    ("code", "refuses"),
    [
        *((code, True) for code in (204, 400, 403, 405, 406, 409, 411, 412, 415, 417, 422, 431, 500, 501, 505)),
        *((code, False) for code in (205, 401, 404, 407, 410, 429, 451, 503)),
    ],
)
def test_some_errors_may_be_about_an_unusual_field(code: int, refuses: bool) -> None:
    verdict = classify_response(REST, KNOWN, head(code))
    assert isinstance(verdict, ErrorStatus)
    assert verdict.refuses_fields is refuses


@pytest.mark.parametrize(
    ("wanted", "known", "response"),
    [
        pytest.param(REST, KNOWN, head(200, content_range="bytes 0-9/100", etag='"a"'), id="another part"),
        pytest.param(REST, KNOWN, head(200, content_range="bytes 40-99/200", etag='"a"'), id="another size"),
        pytest.param(REST, KNOWN, head(200, content_range="bytes 40-99/100", etag='"b"'), id="another version"),
        pytest.param(REST, KNOWN, head(200, content_range="bytes 40-", etag='"a"'), id="malformed"),
        pytest.param(REST, KNOWN, head(200, content_range="bytes 0-99/100", content_length="60"), id="another length"),
        pytest.param(REST, KNOWN, head(200, content_length="60", etag='"a"'), id="as long as the rest"),
        pytest.param(
            RangeRequest(40, 50, ranged=True), KNOWN, head(200, content_length="10"), id="as long as the part"
        ),
    ],
)
def test_a_200_that_may_be_a_part_is_final_for_ranges(
    wanted: RangeRequest, known: RemoteVersion, response: ResponseHead
) -> None:
    verdict = classify_response(wanted, known, response)
    assert isinstance(verdict, UnusableRange)
    assert verdict.final


def test_a_200_with_the_requested_part_is_a_part() -> None:
    verdict = classify_response(REST, KNOWN, head(200, content_range="bytes 40-99/100", etag='"a"'))
    assert verdict == Partial(KNOWN, ByteRange(40, 100))


@pytest.mark.parametrize("wanted", [ALL, REST])
def test_a_200_whose_content_range_is_the_whole_file_is_full(wanted: RangeRequest) -> None:
    fields = {"content_range": "bytes 0-99/100", "content_length": "100", "etag": '"a"'}
    assert classify_response(wanted, KNOWN, head(200, **fields)) == Full(KNOWN, 100)


def test_a_malformed_content_range_in_a_full_response_is_ignored() -> None:
    fields = {"content_range": "all", "content_length": "100", "etag": '"a"'}
    assert classify_response(ALL, None, head(200, **fields)) == Full(KNOWN, 100)


def test_a_part_in_place_of_the_whole_file_is_requested_again() -> None:
    verdict = classify_response(ALL, None, head(200, content_range="bytes 0-9/100", content_length="10"))
    assert isinstance(verdict, ErrorStatus)
    assert verdict.retryable


HTML = {"content_type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("earlier", "response"),
    [
        pytest.param(KNOWN, head(200, content_length="100"), id="no ETag"),
        pytest.param(KNOWN, head(200, content_length="100", last_modified=OLD), id="a date in place of the ETag"),
        pytest.param(DATED, head(200, content_length="100"), id="no date"),
        pytest.param(KNOWN, head(200, content_length="0", etag='"b"'), id="empty"),
        pytest.param(OPEN, head(200, content_length="0", etag='"b"'), id="empty, and the size was unknown"),
        pytest.param(KNOWN, head(200, content_length="9", etag='"b"'), id="far smaller"),
        pytest.param(KNOWN, head(200, content_length="100", etag='"b"', **HTML), id="a page of the same size"),
        pytest.param(KNOWN, head(200, etag='"b"', content_type="application/xhtml+xml"), id="a page of unknown size"),
        pytest.param(
            KNOWN, head(200, etag='"b"', content_encoding="gzip", content_length="9", **HTML), id="a coded page"
        ),
    ],
)
@pytest.mark.parametrize("held", [True, False])
def test_a_page_in_place_of_the_file_is_a_failure(earlier: RemoteVersion, response: ResponseHead, held: bool) -> None:
    wanted, known = (REST, earlier) if held else (ALL, None)
    verdict = classify_response(wanted, known, response, earlier=earlier)
    assert isinstance(verdict, ErrorStatus)
    assert (verdict.retryable, verdict.error.exit_code) == (True, 7)


PAGE = RemoteVersion(100, Validators(ETag("a")), '"a"', is_html=True)


@pytest.mark.parametrize(
    ("earlier", "response"),
    [
        pytest.param(PAGE, head(200, content_length="100", etag='"b"', **HTML), id="a page that was one before"),
        pytest.param(KNOWN, head(200, content_length="10", etag='"b"'), id="a tenth of the size"),
        pytest.param(DATED, head(200, content_length="100", etag='"b"'), id="an ETag where a date was"),
        pytest.param(KNOWN, head(200, content_length="9", etag='"b"', content_encoding="gzip"), id="small, but coded"),
        pytest.param(RemoteVersion(0), head(200, content_length="0"), id="empty as before"),
    ],
)
def test_a_new_version_is_no_failure(earlier: RemoteVersion, response: ResponseHead) -> None:
    assert isinstance(classify_response(REST, earlier, response), VersionChanged)


BY_WEAK = RangeRequest(40, None, ranged=True, unmodified_since=OLD)
WEAK = RemoteVersion(100, Validators(ETag("a", weak=True), DATED.validators.last_modified), old_date=OLD)


def test_a_weak_etag_is_resumed_with_the_old_date() -> None:
    assert RangeRequest.for_part(WEAK, 40) == BY_WEAK
    assert BY_WEAK.fields == {"Range": "bytes=40-", "If-Unmodified-Since": OLD}


@pytest.mark.parametrize(
    ("etag", "date", "size", "verdict"),
    [
        pytest.param('W/"a"', OLD, 100, Partial, id="the same"),
        pytest.param("a", OLD, 100, Partial, id="without quotes"),
        pytest.param('"a"', OLD, 100, Partial, id="strong"),
        pytest.param('W/"b"', OLD, 100, VersionChanged, id="another ETag"),
        pytest.param('W/"a"', DATE, 100, VersionChanged, id="another date"),
        pytest.param('W/"a"', OLD, 101, VersionChanged, id="another size"),
    ],
)
def test_a_part_with_a_weak_etag_needs_the_same_date_and_size(
    etag: str, date: str, size: int, verdict: type[Verdict]
) -> None:
    fields = {"content_range": f"bytes 40-99/{size}", "etag": etag, "last_modified": date}
    assert isinstance(classify_response(BY_WEAK, WEAK, head(206, **fields)), verdict)


@pytest.mark.parametrize(
    ("request_", "span", "total", "tiny"),
    [
        pytest.param(RangeRequest(0, None, ranged=True), (0, 1), 10**6, True, id="a byte of many"),
        pytest.param(RangeRequest(9, 10**6, ranged=True), (9, 1009), 10**7, True, id="a few bytes"),
        pytest.param(RangeRequest(0, None, ranged=True), (0, 16384), 10**6, False, id="16 KiB"),
        pytest.param(RangeRequest(0, 400, ranged=True), (0, 50), 10**6, False, id="an eighth of a few bytes"),
        pytest.param(RangeRequest(0, 9, ranged=True), (0, 9), 10**6, False, id="as requested"),
        pytest.param(RangeRequest(0, 9, ranged=True), (0, 99), 10**6, False, id="more than requested"),
        pytest.param(RangeRequest(99, None, ranged=True), (99, 100), 100, False, id="the last byte"),
        pytest.param(RangeRequest(0, None, ranged=True), (0, 9), None, False, id="of a file of unknown size"),
    ],
)
def test_a_part_that_is_far_shorter_than_requested_is_a_failure(
    request_: RangeRequest, span: tuple[int, int], total: int | None, tiny: bool
) -> None:
    with pytest.raises(TransientError, match="requested bytes") if tiny else nullcontext():
        refuse_tiny_part(request_, Partial(RemoteVersion(total), ByteRange(*span)))


def test_a_whole_file_may_be_tiny() -> None:
    refuse_tiny_part(RangeRequest(0, None, ranged=True), Full(RemoteVersion(1), 1))


@pytest.mark.parametrize(
    ("wanted", "response"),
    [
        pytest.param(ALL, head(200, content_length="5", transfer_encoding="chunked"), id="the whole file"),
        pytest.param(
            REST, part("bytes 40-99/100", content_length="5", transfer_encoding="chunked"), id="a part of the file"
        ),
    ],
)
def test_a_length_beside_chunks_does_not_count(wanted: RangeRequest, response: ResponseHead) -> None:
    verdict = classify_response(wanted, KNOWN if wanted is REST else None, response)
    assert (isinstance(verdict, Full) and verdict.length is None) or verdict == Partial(KNOWN, ByteRange(40, 100))
