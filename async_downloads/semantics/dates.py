"""HTTP dates (RFC 9110 §5.6.7), and the form of dates in JSON and on pages (RFC 3339).

A moment is an `int`, in whole seconds since the epoch (UTC), because a field has no fractions of a second.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["format_date", "known_date", "parse_date", "parse_retry_after", "rfc3339"]


# Moments that programs write into files to make archives and images reproducible. Many versions of a file share one.
_PLACEHOLDERS: Final = {
    499162500,  # 1985-10-26 08:15:00, npm
    1153704088,  # 2006-07-24 01:21:28, Cargo
    1262304000,  # 2010-01-01 00:00:00, Bazel
}
# Midnights of some time zone: 1980-01-01 is the first day of ZIP and FAT, and Gradle writes 1980-02-01. A date of zeros
# becomes 1979-11-30 or 1999-11-30. The clock of a device without a battery starts at 2000-01-01.
_PLACEHOLDER_DAYS: Final = (315532800, 318211200, 312768000, 943920000, 946684800)
_FIRST_SECOND: Final = 365 * 86400  # of 1971: programs that count from the epoch write small numbers
_FAT_SECONDS: Final = 2  # FAT keeps no odd seconds, so programs round up
_TIME_ZONE_SECONDS: Final = 14 * 3600
_DELAY = re.compile(r"0*([0-9]+)")
_DIGITS: Final = 12  # a longer delay means for ever; `int` takes quadratic time for many thousands of digits


def parse_retry_after(value: str, *, now: int) -> float | None:
    """Return how many seconds from `now` to wait, 0 if the moment has passed; None if the value is malformed.

    >>> parse_retry_after("120", now=0), parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=15)
    (120.0, 45.0)
    """
    if delay := _DELAY.fullmatch(value):
        return float(int(delay[1][: _DIGITS + 1]))
    moment = parse_date(value, now=now)
    return None if moment is None else float(max(moment - now, 0))


def known_date(moment: int) -> int | None:
    """Return the moment, or None if programs write it when they do not know the time.

    Such moments are those before 1971, among them the epoch in any time zone, midnight of 1980-01-01, and others that
    programs write into every file to make archives and images reproducible.

    >>> known_date(1), known_date(315532800), known_date(784111777)
    (None, None, 784111777)
    """
    if moment < _FIRST_SECOND or moment in _PLACEHOLDERS:
        return None
    midnights = (moment % 900 <= _FAT_SECONDS and abs(moment - day) <= _TIME_ZONE_SECONDS for day in _PLACEHOLDER_DAYS)
    return None if any(midnights) else moment


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = 253402300800  # the first moment whose year has five digits
_FIFTY_YEARS = 50 * 31556952  # seconds in the calendar's average year
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?:{'|'.join(_DAYS)}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT",  # IMF-fixdate
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT",
        rf"(?:{'|'.join(_DAYS)}) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_CLOCK} (?P<year>[0-9]{{4}})",  # asctime
    )
)


@lru_cache(maxsize=1024)
def format_date(moment: int) -> str:
    """Write a moment of the years 1 to 9999 as IMF-fixdate, the only form that senders may use.

    >>> format_date(784111777)
    'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    date = _EPOCH + timedelta(seconds=moment)
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1]
    return f"{day}, {date.day:02} {month} {date.year:04} {date.hour:02}:{date.minute:02}:{date.second:02} GMT"


def rfc3339(moment: int) -> str:
    """Write a moment as RFC 3339 says, in UTC; "?" if the year has more than four digits.

    >>> rfc3339(0)
    '1970-01-01T00:00:00Z'
    """
    try:
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return "?"


def parse_date(value: str, *, now: int) -> int | None:
    """Read a moment in any of the three forms; return None for anything else.

    A two-digit year belongs to the century of `now`, or to the one before if it would be over 50 years ahead.
    """
    for form in _FORMS:
        if found := form.fullmatch(value):
            return _moment(found, now)
    return None


def _moment(found: re.Match[str], now: int) -> int | None:
    year, leap = int(found["year"]), found["second"] == "60"
    month, second = _MONTHS.index(found["month"]) + 1, 59 if leap else int(found["second"])
    rest = (month, int(found["day"]), int(found["hour"]), int(found["minute"]), second)
    try:
        if len(found["year"]) == 4:
            moment = _seconds(datetime(year, *rest, tzinfo=UTC)) + leap
            return moment if moment < _END else None
        moment = _seconds(datetime(_century(now) + year, *rest, tzinfo=UTC)) + leap
        too_far = moment - now > _FIFTY_YEARS
        return _seconds(datetime(_century(now) - 100 + year, *rest, tzinfo=UTC)) + leap if too_far else moment
    except ValueError:  # the month has no such day, or the day no such time
        return None


def _seconds(date: datetime) -> int:
    return (date - _EPOCH) // timedelta(seconds=1)


def _century(now: int) -> int:
    return (_EPOCH + timedelta(seconds=now)).year // 100 * 100
