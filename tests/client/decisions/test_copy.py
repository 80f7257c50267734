"""Whether another server's response brings bytes of the file that a download has begun."""

from dataclasses import replace

import pytest

from async_downloads.client.decisions.copy import classify_copy
from async_downloads.client.decisions.verdict import ErrorStatus, Partial, RangeRequest, ResponseHead, UnusableRange
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Validators

NOW = 1_700_000_000
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
OLD = "Mon, 13 Nov 2023 22:13:20 GMT"
NEW = "Tue, 14 Nov 2023 22:13:00 GMT"
PART = {"date": DATE, "content-range": "bytes 40-99/100"}
REST = RangeRequest(40, 100, ranged=True)


def _named(fields: dict[str, str]) -> dict[str, str]:
    """Return fields with hyphens in their names."""
    return {name.replace("_", "-"): value for name, value in fields.items()}


def _head(_status: int = 206, /, **fields: str) -> ResponseHead:
    return ResponseHead(_status, {**(PART if _status == 206 else {"date": DATE}), **_named(fields)}, NOW)


def _version(_total: int | None = 100, /, **fields: str) -> RemoteVersion:
    return RemoteVersion.from_fields({"date": DATE, **_named(fields)}, _total, now=NOW)


@pytest.mark.parametrize(
    ("wanted", "fields", "same"),
    [
        pytest.param({"etag": '"a"'}, {"etag": '"a"'}, True, id="one tag"),
        pytest.param({"etag": '"a"'}, {"etag": '"b"'}, False, id="other tags"),
        pytest.param({"etag": '"a"'}, {"last_modified": OLD}, False, id="a tag and a date"),
        pytest.param({"etag": 'W/"a"', "last_modified": NEW}, {"etag": '"a"'}, False, id="a weak tag"),
        pytest.param({"last_modified": OLD}, {"last_modified": OLD}, True, id="one old date"),
        pytest.param({"last_modified": OLD, "etag": '"a"'}, {"last_modified": OLD, "etag": '"b"'}, True, id="both"),
        pytest.param({"last_modified": NEW, "etag": '"a"'}, {"last_modified": NEW, "etag": '"b"'}, False, id="new"),
    ],
)
def test_two_files_are_the_same_by_strong_validators(
    wanted: dict[str, str], fields: dict[str, str], same: bool
) -> None:
    verdict = classify_copy(REST, None, _version(**wanted), _head(**fields), verified=False)
    assert isinstance(verdict, Partial if same else UnusableRange)


def test_a_digest_makes_the_size_enough() -> None:
    verdict = classify_copy(REST, None, _version(etag='"a"'), _head(etag='"b"'), verified=True)
    assert isinstance(verdict, Partial)
    assert verdict.version.validators == Validators(ETag("b"))
    assert verdict.span == ByteRange(40, 100)


@pytest.mark.parametrize("total", [None, 99, 101])
def test_files_of_other_sizes_are_other_files(total: int | None) -> None:
    verdict = classify_copy(REST, None, _version(total, etag='"a"'), _head(etag='"a"'), verified=True)
    assert verdict == UnusableRange(f"its file has 100 bytes, not {total}")


@pytest.mark.parametrize(
    ("response", "known", "reason"),
    [
        pytest.param(_head(200, etag='"a"', content_length="100"), None, "it sends no parts", id="the whole file"),
        pytest.param(_head(etag='"b"'), _version(etag='"a"'), "its file is different or was replaced", id="replaced"),
        pytest.param(_head(), None, "the server sends parts without a strong validator", id="no validator"),
        pytest.param(_head(416, content_range="bytes */100"), None, "the range cannot be satisfied", id="no such part"),
    ],
)
def test_a_response_that_brings_no_such_part_says_why(
    response: ResponseHead, known: RemoteVersion | None, reason: str
) -> None:
    assert classify_copy(REST, known, _version(etag='"a"'), response, verified=True) == UnusableRange(reason)


def test_a_file_that_ends_before_the_part_is_another_one() -> None:
    at_end = RangeRequest(100, None, ranged=True)
    response = _head(416, content_range="bytes */100", etag='"a"')
    verdict = classify_copy(at_end, _version(etag='"a"'), _version(etag='"a"'), response, verified=True)
    assert verdict == UnusableRange("its file ends before the requested part")


def test_an_error_stays_an_error() -> None:
    verdict = classify_copy(REST, None, _version(etag='"a"'), _head(404), verified=True)
    assert isinstance(verdict, ErrorStatus)


def test_a_coded_file_is_no_copy() -> None:
    version = _version(etag='"a"')
    assert version.is_copied_by(version)
    assert not version.is_copied_by(replace(version, coding="gzip"))
    assert not replace(version, total=None).is_copied_by(replace(version, total=None))
