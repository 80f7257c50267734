"""RFC 9110 §13: every combination of the conditional fields, against a transcription of §13.2.2."""

from email.utils import parsedate_to_datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.dates import format_date
from async_downloads.semantics.etags import ANY, ETag
from async_downloads.semantics.preconditions import Outcome, Preconditions, if_range_holds
from async_downloads.semantics.representation import Validators

NOW = 1_000_000_000
MODIFIED = NOW - 3600
BEFORE, AT, AFTER = (format_date(MODIFIED + seconds) for seconds in (-1, 0, 1))

TAGS = (None, '"v1"', 'W/"v1"', '"v2"', '"v2", "v1"', 'W/"v2", W/"v1"', "*")
DATES = (None, BEFORE, AT, AFTER)
INVALID_TAGS = ("", ",", "v1", '"v1', "'v1'")
INVALID_DATES = (
    "",
    "yesterday",
    str(MODIFIED),
    f"{BEFORE}, {BEFORE}",
    "Fri, 31 Dec 99999 23:59:59 GMT",
    "Sat, 01 Jan 0000 00:00:00 GMT",
    "Fri, 30 Feb 2001 00:00:00 GMT",
)
TAG_FIELDS, DATE_FIELDS = ("if-match", "if-none-match"), ("if-unmodified-since", "if-modified-since")


def outcome(method: str, fields: dict[str, str], etag: str | None, last_modified: int | None) -> Outcome:
    current = Validators(ETag.parse(etag) if etag else None, last_modified)
    return Preconditions.parse(fields, now=NOW).evaluate(method, current)


def section_13_2_2(method: str, fields: dict[str, str], etag: str | None, last_modified: int | None) -> Outcome:
    """Do the steps of §13.2.2 literally, on the text of valid fields whose tags contain no comma."""
    safe = method in {"GET", "HEAD"}
    if "if-match" in fields:  # 1
        if not strong_match(fields["if-match"], etag):
            return Outcome.FAILED
    elif "if-unmodified-since" in fields and later(last_modified, fields["if-unmodified-since"]):  # 2
        return Outcome.FAILED
    if "if-none-match" in fields:  # 3
        if weak_match(fields["if-none-match"], etag):
            return Outcome.NOT_MODIFIED if safe else Outcome.FAILED
    elif safe and "if-modified-since" in fields and not later(last_modified, fields["if-modified-since"], unknown=True):
        return Outcome.NOT_MODIFIED  # 4
    return Outcome.PROCEED


def strong_match(value: str, etag: str | None) -> bool:
    return value == "*" or (etag is not None and not etag.startswith("W/") and etag in value.split(", "))


def weak_match(value: str, etag: str | None) -> bool:
    return value == "*" or (etag is not None and etag.removeprefix("W/") in value.replace("W/", "").split(", "))


def later(last_modified: int | None, date: str, *, unknown: bool = False) -> bool:
    return unknown if last_modified is None else last_modified > parsedate_to_datetime(date).timestamp()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("etag", "last_modified"),
    [
        pytest.param('"v1"', MODIFIED, id="a strong tag and a date"),
        pytest.param('W/"v1"', MODIFIED, id="a weak tag and a date"),
        pytest.param('"v1"', None, id="a strong tag alone"),
        pytest.param(None, MODIFIED, id="a date alone"),
        pytest.param(None, None, id="no validator"),
    ],
)
def test_every_combination_follows_the_steps_of_section_13_2_2(
    method: str, etag: str | None, last_modified: int | None
) -> None:
    names = ("if-match", "if-unmodified-since", "if-none-match", "if-modified-since")
    for values in product(TAGS, DATES, TAGS, DATES):
        fields = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        expected = section_13_2_2(method, fields, etag, last_modified)
        assert outcome(method, fields, etag, last_modified) is expected, fields


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        pytest.param("GET", {"if-none-match": '"v1"'}, Outcome.NOT_MODIFIED, id="§13.1.2 same tag, GET is 304"),
        pytest.param("POST", {"if-none-match": '"v1"'}, Outcome.FAILED, id="§13.1.2 same tag, POST is 412"),
        pytest.param("POST", {"if-none-match": "*"}, Outcome.FAILED, id="§13.1.2 create only, but it exists"),
        pytest.param("POST", {"if-match": '"v2"'}, Outcome.FAILED, id="§13.1.1 the lost update"),
        pytest.param("GET", {"if-match": 'W/"v1"'}, Outcome.FAILED, id="§13.1.1 a weak tag never satisfies If-Match"),
        pytest.param("GET", {"if-modified-since": AT}, Outcome.NOT_MODIFIED, id="§13.1.3 not modified since"),
        pytest.param("POST", {"if-modified-since": AT}, Outcome.PROCEED, id="§13.1.3 is for GET and HEAD"),
        pytest.param("GET", {"if-unmodified-since": BEFORE}, Outcome.FAILED, id="§13.1.4 modified since"),
        pytest.param(
            "GET",
            {"if-none-match": '"v2"', "if-modified-since": AFTER},
            Outcome.PROCEED,
            id="§13.1.3 If-None-Match masks",
        ),
        pytest.param(
            "GET", {"if-match": '"v1"', "if-unmodified-since": BEFORE}, Outcome.PROCEED, id="§13.1.4 If-Match masks"
        ),
        pytest.param(
            "GET", {"if-match": '"v2"', "if-none-match": '"v1"'}, Outcome.FAILED, id="§13.2.2 If-Match comes first"
        ),
        pytest.param("GET", {}, Outcome.PROCEED, id="§13.2.2 no condition"),
    ],
)
def test_conditions_are_evaluated_as_the_rfc_says(method: str, fields: dict[str, str], expected: Outcome) -> None:
    assert outcome(method, fields, '"v1"', MODIFIED) is expected


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(*row, id=f"§13.1.3, §13.1.4 {row[0]}: {row[1]}") for row in product(DATE_FIELDS, INVALID_DATES)],
)
def test_an_invalid_date_counts_as_absent(name: str, value: str) -> None:
    assert Preconditions.parse({name: value}, now=NOW) == Preconditions()


@pytest.mark.parametrize("value", INVALID_TAGS)
def test_an_if_match_without_a_tag_fails(value: str) -> None:
    assert outcome("GET", {"if-match": value}, '"v1"', MODIFIED) is Outcome.FAILED


@pytest.mark.parametrize("value", INVALID_TAGS)
def test_an_if_none_match_without_a_tag_matches_nothing(value: str) -> None:
    assert outcome("GET", {"if-none-match": value}, '"v1"', MODIFIED) is Outcome.PROCEED


@pytest.mark.parametrize("value", ['"v1", x', 'x, "v1"', '"v0", x y, "v1"', '"v1", "x'])
def test_the_good_tags_of_a_list_count(value: str) -> None:
    assert outcome("GET", {"if-match": value}, '"v1"', MODIFIED) is Outcome.PROCEED
    assert outcome("GET", {"if-none-match": value}, '"v1"', MODIFIED) is Outcome.NOT_MODIFIED
    assert outcome("GET", {"if-match": value}, '"v2"', MODIFIED) is Outcome.FAILED


def test_an_if_none_match_without_a_tag_masks_the_date() -> None:
    fields = {"if-none-match": "v1", "if-modified-since": AT}
    assert outcome("GET", fields, '"v1"', MODIFIED) is Outcome.PROCEED  # §13.1.3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("if-modified-since", Outcome.NOT_MODIFIED, id="§13.1.3 modified before the year 9999"),
        pytest.param("if-unmodified-since", Outcome.PROCEED, id="§13.1.4 unmodified until the year 9999"),
    ],
)
def test_the_last_second_of_the_year_9999_is_a_date(name: str, expected: Outcome) -> None:
    assert outcome("GET", {name: "Fri, 31 Dec 9999 23:59:59 GMT"}, None, MODIFIED) is expected


@pytest.mark.parametrize(
    ("value", "etag", "holds"),
    [
        pytest.param('"v1"', '"v1"', True, id="§13.1.5 the strong tag"),
        pytest.param('"v2"', '"v1"', False, id="§13.1.5 another tag"),
        pytest.param('W/"v1"', '"v1"', False, id="§13.1.5 a weak tag for a strong one"),
        pytest.param('"v1"', 'W/"v1"', False, id="§13.1.5 a strong tag for a weak one"),
        pytest.param('W/"v1"', 'W/"v1"', False, id="§13.1.5 two weak tags"),
        pytest.param('"v1"', None, False, id="§13.1.5 no tag to compare with"),
        pytest.param('"v1", "v2"', '"v1"', False, id="§13.1.5 a list of tags"),
        pytest.param("*", '"v1"', False, id="§13.1.5 any is not a validator"),
        pytest.param(AT, '"v1"', True, id="§13.1.5 the exact date"),
        pytest.param(AT, 'W/"v1"', False, id="§8.8.2.2 the exact date beside a weak tag"),
        pytest.param(AT, None, True, id="§13.1.5 the exact date without a tag"),
        pytest.param(BEFORE, '"v1"', False, id="§13.1.5 an earlier date"),
        pytest.param(AFTER, '"v1"', False, id="§13.1.5 a later date"),
        pytest.param(f"{AT}, {AT}", '"v1"', False, id="§13.1.5 a list of dates"),
        pytest.param("", '"v1"', False, id="§13.1.5 nothing"),
        pytest.param("Sun Sep  9 00:46:40 2001", '"v1"', True, id="§5.6.7 the exact date in another form"),
    ],
)
def test_if_range_holds_only_for_the_same_bytes(value: str, etag: str | None, *, holds: bool) -> None:
    current = Validators(ETag.parse(etag) if etag else None, MODIFIED)
    assert if_range_holds(value, current, now=NOW) is holds


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        pytest.param(MODIFIED, False, id="§8.8.2.2 it may change once more this second"),
        pytest.param(MODIFIED + 1, True, id="§8.8.2.2 the second is over"),
    ],
)
def test_a_date_is_strong_once_its_second_is_over(now: int, *, holds: bool) -> None:
    assert if_range_holds(AT, Validators(last_modified=MODIFIED), now=now) is holds


def test_no_date_holds_for_a_representation_without_one() -> None:
    assert not if_range_holds(AT, Validators(ETag("v1")), now=NOW)


def test_the_fields_are_read_by_their_names() -> None:
    fields = {"if-match": '"a"', "if-unmodified-since": BEFORE, "if-none-match": "*", "if-modified-since": AFTER}
    assert Preconditions.parse(fields, now=NOW) == Preconditions((ETag("a"),), MODIFIED - 1, ANY, MODIFIED + 1)


@given(st.dictionaries(st.sampled_from(TAG_FIELDS + DATE_FIELDS), st.text()), st.text(), st.integers(0, 2 * NOW))
def test_no_text_raises(fields: dict[str, str], condition: str, now: int) -> None:
    Preconditions.parse(fields, now=now)
    if_range_holds(condition, Validators(ETag("v1"), MODIFIED), now=now)


def test_work_grows_no_faster_than_the_field(hostile: str) -> None:
    assert not if_range_holds(hostile, Validators(ETag("v1"), MODIFIED), now=NOW)
