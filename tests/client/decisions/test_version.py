"""Whether two responses have the same version: RFC 9110 §8.8 and §13.1.5."""

import pytest

from async_downloads.client.decisions.version import UNKNOWN, RemoteVersion, content_coding, url_hash
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.representation import Validators

NOW = 1_700_000_000
OLD = "Tue, 14 Nov 2023 21:00:00 GMT"
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


def version(total: int | None = 9, /, **fields: str) -> RemoteVersion:
    """Return the version of a response with these fields. An underscore is a hyphen."""
    return RemoteVersion.from_fields({name.replace("_", "-"): value for name, value in fields.items()}, total, now=NOW)


@pytest.mark.parametrize(
    ("fields", "if_range"),
    [
        pytest.param({"etag": '"a"'}, '"a"', id="a strong ETag"),
        pytest.param({"etag": '"a"', "last_modified": OLD, "date": DATE}, '"a"', id="an ETag and a date"),
        pytest.param({"last_modified": OLD, "date": DATE}, OLD, id="a date that is old"),
        pytest.param({"etag": 'W/"a"'}, None, id="a weak ETag"),
        pytest.param({"etag": 'W/"a"', "last_modified": OLD, "date": DATE}, None, id="a weak ETag forbids the date"),
        pytest.param({"etag": "a", "last_modified": OLD, "date": DATE}, None, id="a malformed ETag forbids the date"),
        pytest.param({"last_modified": OLD}, None, id="a date without a Date field"),
        pytest.param({"last_modified": "yesterday", "date": DATE}, None, id="a malformed date"),
        pytest.param({"last_modified": DATE, "date": DATE}, None, id="changed this second"),
        pytest.param(
            {"last_modified": "Tue, 14 Nov 2023 22:12:21 GMT", "date": DATE}, None, id="changed 59 seconds ago"
        ),
        pytest.param(
            {"last_modified": "Tue, 14 Nov 2023 22:12:20 GMT", "date": DATE},
            "Tue, 14 Nov 2023 22:12:20 GMT",
            id="changed a minute ago",
        ),
        pytest.param({"etag": '"a"', "content_encoding": "gzip"}, None, id="coded"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_only_a_strong_validator_goes_into_if_range(fields: dict[str, str], if_range: str | None) -> None:
    assert version(**fields).if_range == if_range


TAGGED = version(etag='"a"', last_modified=OLD, date=DATE)
DATED = version(last_modified=OLD, date=DATE)


@pytest.mark.parametrize(
    ("held", "other", "same"),
    [
        pytest.param(TAGGED, version(etag='"a"'), True, id="the same ETag"),
        pytest.param(TAGGED, version(None, etag='"a"'), True, id="of unknown size"),
        pytest.param(version(None, etag='"a"'), TAGGED, True, id="whose size becomes known"),
        pytest.param(TAGGED, version(8, etag='"a"'), False, id="another size"),
        pytest.param(TAGGED, version(etag='"b"', last_modified=OLD), False, id="another ETag, the same date"),
        pytest.param(TAGGED, version(etag='W/"a"'), False, id="a weak ETag"),
        pytest.param(TAGGED, version(last_modified=OLD, date=DATE), False, id="a date instead of the ETag"),
        pytest.param(TAGGED, version(etag='"a"', content_encoding="gzip"), False, id="coded"),
        pytest.param(TAGGED, version(), False, id="no validator"),
        pytest.param(DATED, version(last_modified=OLD), True, id="the same date"),
        pytest.param(DATED, version(last_modified=DATE), False, id="another date"),
        pytest.param(DATED, version(), False, id="no date"),
        pytest.param(version(), version(), False, id="no validators at all"),
        pytest.param(version(etag='W/"a"'), version(etag='W/"a"'), False, id="the same weak ETag"),
    ],
)
def test_bytes_are_combined_only_from_the_same_version(held: RemoteVersion, other: RemoteVersion, same: bool) -> None:
    assert held.strongly_matches(other) is same


@pytest.mark.parametrize(
    ("held", "other", "alike"),
    [
        pytest.param(version(etag='W/"a"'), version(etag='W/"a"'), True, id="the same weak ETag"),
        pytest.param(version(etag='"a"'), version(None, etag='"a"'), True, id="the same ETag, of unknown size"),
        pytest.param(version(etag='W/"a"'), version(8, etag='W/"a"'), False, id="another size"),
        pytest.param(version(etag='"a"'), version(etag='"b"'), False, id="another ETag"),
        pytest.param(version(etag='"a"'), version(etag='"a"', content_encoding="br"), False, id="coded"),
        pytest.param(RemoteVersion(9, Validators(None, NOW)), version(last_modified=DATE), True, id="date and size"),
        pytest.param(
            RemoteVersion(9, Validators(None, NOW)), version(None, last_modified=DATE), False, id="a date alone"
        ),
        pytest.param(RemoteVersion(9), version(), False, id="a size alone"),
    ],
)
def test_a_whole_file_can_replace_an_equivalent_version(held: RemoteVersion, other: RemoteVersion, alike: bool) -> None:
    assert held.weakly_matches(other) is alike


def test_a_known_size_is_kept() -> None:
    assert (UNKNOWN.with_total(3).total, TAGGED.with_total(3).total) == (3, 9)


def test_weak_validators_are_kept() -> None:
    assert version(etag='W/"a"').validators == Validators(ETag("a", weak=True))


@pytest.mark.parametrize(
    ("value", "coding"), [("", None), ("identity", None), (" Identity ", None), ("GZIP", "gzip"), ("br", "br")]
)
def test_identity_is_not_a_coding(value: str, coding: str | None) -> None:
    assert content_coding({"content-encoding": value}) == coding


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("http://u:p@h/a?b#c", "http://h/a?b", True, id="without name, password and fragment"),
        pytest.param("http://h/a?b", "http://h/a?c", False, id="another query"),
        pytest.param("http://h/a", "https://h/a", False, id="another scheme"),
        pytest.param("http://h/\ud800", "http://h/", False, id="a lone surrogate"),
    ],
)
def test_a_hash_identifies_a_url(one: str, other: str, same: bool) -> None:
    assert (url_hash(one) == url_hash(other)) is same
    assert len(url_hash(one)) == 64


@pytest.mark.parametrize(
    ("fields", "total", "date"),
    [
        pytest.param({"etag": 'W/"a"', "last_modified": OLD, "date": DATE}, 9, OLD, id="a weak ETag and an old date"),
        pytest.param({"etag": "0x8DC", "last_modified": OLD, "date": DATE}, 9, OLD, id="an ETag without quotes"),
        pytest.param({"etag": 'W/"a"', "last_modified": OLD, "date": DATE}, None, None, id="of unknown size"),
        pytest.param({"etag": 'W/"a"', "last_modified": DATE, "date": DATE}, 9, None, id="a date of this second"),
        pytest.param({"etag": '"a', "last_modified": OLD, "date": DATE}, 9, None, id="an ETag with one quote"),
        pytest.param({"etag": '"a"', "last_modified": OLD, "date": DATE}, 9, None, id="a strong ETag"),
        pytest.param({"last_modified": OLD, "date": DATE}, 9, None, id="no ETag"),
    ],
)
def test_a_weak_etag_needs_an_old_date_and_a_size(fields: dict[str, str], total: int | None, date: str | None) -> None:
    assert version(total, **fields).unmodified_since == date


@pytest.mark.parametrize(
    "date", ["Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Tue, 01 Jan 1980 00:00:00 GMT"]
)
def test_a_placeholder_is_no_validator(date: str) -> None:
    assert version(last_modified=date, date=DATE) == RemoteVersion(9)
    assert not version(etag='W/"a"', last_modified=date, date=DATE).resumable


def test_an_etag_that_is_weak_on_one_server_is_the_same_with_an_old_date() -> None:
    strong = version(etag='"a"', last_modified=OLD, date=DATE)
    weak = version(etag='W/"a"', last_modified=OLD, date=DATE)
    assert (strong.strongly_matches(weak), weak.strongly_matches(strong)) == (True, True)
