"""RFC 9110 §5.6.7."""

from calendar import timegm
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from time import gmtime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.dates import format_date, known_date, parse_date, rfc3339

NOW = timegm((2024, 6, 15, 12, 0, 0))
FIRST, LAST = timegm((1, 1, 1, 0, 0, 0)), timegm((9999, 12, 31, 23, 59, 59))
moments = st.integers(FIRST, LAST)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", id="§5.6.7 IMF-fixdate"),
        pytest.param("Sunday, 06-Nov-94 08:49:37 GMT", id="§5.6.7 obsolete RFC 850 format"),
        pytest.param("Sun Nov  6 08:49:37 1994", id="§5.6.7 ANSI C's asctime() format"),
    ],
)
def test_each_of_the_three_forms_says_the_same_moment(value: str) -> None:
    assert parse_date(value, now=NOW) == timegm((1994, 11, 6, 8, 49, 37))


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        pytest.param("Tue, 15 Nov 1994 12:45:26 GMT", (1994, 11, 15, 12, 45, 26), id="§8.8.2 Last-Modified"),
        pytest.param("Sat, 29 Oct 1994 19:43:31 GMT", (1994, 10, 29, 19, 43, 31), id="§13.1.3 If-Modified-Since"),
        pytest.param("Thu Nov 16 08:49:37 1995", (1995, 11, 16, 8, 49, 37), id="§5.6.7 asctime-date with two digits"),
        pytest.param("Thu, 29 Feb 2024 00:00:00 GMT", (2024, 2, 29, 0, 0, 0), id="§5.6.7 leap day"),
        pytest.param("Sat, 31 Dec 2016 23:59:60 GMT", (2017, 1, 1, 0, 0, 0), id="§5.6.7 leap second"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", (9999, 12, 31, 23, 59, 59), id="§5.6.7 the last year"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 GMT", (1, 1, 1, 0, 0, 0), id="§5.6.7 the first year"),
    ],
)
def test_a_date_of_the_grammar_is_read(value: str, moment: tuple[int, ...]) -> None:
    assert parse_date(value, now=NOW) == timegm(moment)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(FIRST, "0001-01-01T00:00:00Z", id="§5.6 a year has four digits"),
        pytest.param(LAST, "9999-12-31T23:59:59Z", id="the last moment"),
        pytest.param(FIRST - 1, "?", id="before the first year"),
        pytest.param(LAST + 1, "?", id="a year of five digits"),
        pytest.param(10**30, "?", id="a moment that no clock has"),
    ],
)
def test_a_moment_is_written_as_rfc_3339_says(moment: int, text: str) -> None:
    assert rfc3339(moment) == text


@pytest.mark.parametrize(
    ("value", "year"),
    [
        pytest.param("Friday, 01-Mar-74 00:00:00 GMT", 2074, id="§5.6.7 just 50 years ahead"),
        pytest.param("Tuesday, 06-Nov-74 08:49:37 GMT", 1974, id="§5.6.7 more than 50 years ahead"),
    ],
)
def test_fifty_years_are_counted_to_the_day(value: str, year: int) -> None:
    moment = parse_date(value, now=timegm((2024, 3, 1, 0, 0, 0)))
    assert moment is not None
    assert gmtime(moment).tm_year == year


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="§5.6.7 nothing"),
        pytest.param("Sun, 06 Nov 0000 08:49:37 GMT", id="§5.6.7 year 0"),
        pytest.param("Fri, 31 Dec 9999 23:59:60 GMT", id="§5.6.7 beyond the last year"),
        pytest.param("Sun, 06 Nov 99999 08:49:37 GMT", id="§5.6.7 a year of five digits"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", id="§13.1.3 a list of dates"),
        pytest.param("Sun, 31 Feb 2021 08:49:37 GMT", id="§5.6.7 no such day"),
        pytest.param("Wed, 29 Feb 2023 08:49:37 GMT", id="§5.6.7 no leap day"),
        pytest.param("Sun, 06 Nov 1994 24:00:00 GMT", id="§5.6.7 hour 24"),
        pytest.param("Sun, 06 Nov 1994 08:60:37 GMT", id="§5.6.7 minute 60"),
        pytest.param("Sun, 06 Nov 1994 08:49:61 GMT", id="§5.6.7 second 61"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 UTC", id="§5.6.7 another zone"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 +0000", id="§5.6.7 an offset"),
        pytest.param("Sun, 06 Nov 1994 08:49:37", id="§5.6.7 no zone"),
        pytest.param("Sun, 6 Nov 1994 08:49:37 GMT", id="§5.6.7 a day of one digit"),
        pytest.param("sun, 06 nov 1994 08:49:37 gmt", id="§5.6.7 case-sensitive"),
        pytest.param("Sun,  06 Nov 1994 08:49:37 GMT", id="§5.6.7 additional whitespace"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT\n", id="§5.6.7 a line break after it"),
        pytest.param("Sun, \u0660\u0666 Nov 1994 08:49:37 GMT", id="§5.6.7 digits beyond ASCII"),
        pytest.param("Sun, 06-Nov-1994 08:49:37 GMT", id="§5.6.7 two forms mixed"),
        pytest.param("784111777", id="§5.6.7 a number"),
        pytest.param('"xyzzy"', id="§13.1.5 an entity tag"),
    ],
)
def test_any_other_value_is_no_date(value: str) -> None:
    assert parse_date(value, now=NOW) is None


@pytest.mark.parametrize(
    ("digits", "year"),
    [
        pytest.param("24", 2024, id="§5.6.7 this year"),
        pytest.param("73", 2073, id="§5.6.7 49 years ahead"),
        pytest.param("75", 1975, id="§5.6.7 51 years ahead is past"),
        pytest.param("99", 1999, id="§5.6.7 the last century"),
        pytest.param("00", 2000, id="§5.6.7 the turn of the century"),
    ],
)
def test_two_digits_mean_no_year_more_than_fifty_years_ahead(digits: str, year: int) -> None:
    weekday = datetime(year, 11, 6, tzinfo=UTC).strftime("%A")
    assert parse_date(f"{weekday}, 06-Nov-{digits} 08:49:37 GMT", now=NOW) == timegm((year, 11, 6, 8, 49, 37))


@given(moments)
def test_a_written_date_is_read_back(moment: int) -> None:
    assert parse_date(format_date(moment), now=NOW) == moment


@given(moments)
def test_a_date_is_written_as_the_standard_library_writes_it(moment: int) -> None:
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)
    assert format_date(moment) == format_datetime(date, usegmt=True)


@given(st.integers(timegm((1000, 1, 1, 0, 0, 0)), LAST))
def test_the_standard_library_reads_a_written_date(moment: int) -> None:
    assert parsedate_to_datetime(format_date(moment)).timestamp() == moment


@given(moments)
def test_the_asctime_form_is_read_as_the_standard_library_writes_it(moment: int) -> None:
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)
    assert parse_date(date.ctime(), now=NOW) == moment


@given(st.text() | st.from_regex(r"(Sun|Sunday),? [0-9]{2}[ -]Nov[ -][0-9]{2,5} [0-9:]{8} GMT"), moments)
def test_no_text_raises(value: str, now: int) -> None:
    parse_date(value, now=now)


def test_work_grows_no_faster_than_the_field(hostile: str) -> None:
    assert parse_date(hostile, now=NOW) is None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        pytest.param("Thu, 01 Jan 1970 00:00:00 GMT", False, id="the epoch"),
        pytest.param("Thu, 01 Jan 1970 00:00:01 GMT", False, id="a second after the epoch"),
        pytest.param("Thu, 01 Jan 1970 05:30:00 GMT", False, id="the epoch in another time zone"),
        pytest.param("Thu, 31 Dec 1970 23:59:59 GMT", False, id="a small number of seconds"),
        pytest.param("Fri, 01 Jan 1971 00:00:00 GMT", True, id="1971"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 GMT", False, id="the year 1"),
        pytest.param("Tue, 01 Jan 1980 00:00:00 GMT", False, id="the first day of ZIP"),
        pytest.param("Mon, 31 Dec 1979 23:00:00 GMT", False, id="the first day of ZIP in another time zone"),
        pytest.param("Tue, 01 Jan 1980 00:00:02 GMT", False, id="the first even second of ZIP"),
        pytest.param("Fri, 30 Nov 1979 00:00:00 GMT", False, id="a date of zeros in ZIP"),
        pytest.param("Tue, 30 Nov 1999 00:00:00 GMT", False, id="a date of zeros"),
        pytest.param("Sat, 01 Jan 2000 00:00:00 GMT", False, id="a device without a battery"),
        pytest.param("Sat, 01 Jan 2000 00:01:00 GMT", True, id="a minute after the year 2000 began"),
        pytest.param("Tue, 01 Jan 1980 00:01:00 GMT", True, id="a minute after the first day of ZIP began"),
        pytest.param("Thu, 03 Jan 1980 00:00:00 GMT", True, id="midnight of another day"),
        pytest.param("Sat, 26 Oct 1985 08:15:00 GMT", False, id="npm"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", True, id="a date"),
    ],
)
def test_a_placeholder_is_no_known_date(text: str, known: bool) -> None:
    moment = parse_date(text, now=0)
    assert moment is not None
    assert known_date(moment) == (moment if known else None)
