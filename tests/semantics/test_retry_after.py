"""RFC 9110 §10.2.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.dates import format_date, parse_retry_after

NOW = 946684799  # Fri, 31 Dec 1999 23:59:59 GMT
moments = st.integers(0, 2**32)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("Fri, 31 Dec 1999 23:59:59 GMT", 0, id="§10.2.3 a date, which is now"),
        pytest.param("120", 120, id="§10.2.3 120 seconds"),
        pytest.param("0", 0, id="at once"),
        pytest.param("007", 7, id="zeros"),
        pytest.param("Sat, 01 Jan 2000 00:01:00 GMT", 61, id="a date to come"),
        pytest.param("Sunday, 06-Nov-94 08:49:37 GMT", 0, id="§5.6.7 a date of another form, long ago"),
        pytest.param("9" * 100_000, 10**13 - 1, id="as good as for ever"),
        pytest.param("", None, id="nothing"),
        pytest.param("-1", None, id="no delay is negative"),
        pytest.param("1.5", None, id="nor a fraction"),
        pytest.param("٣", None, id="digits are ASCII"),
        pytest.param("soon", None, id="a word"),
        pytest.param("120 s", None, id="a unit"),
    ],
)
def test_a_value_is_read_as(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


@given(st.integers(0, 10**12))
def test_a_delay_is_read_back(seconds: int) -> None:
    assert parse_retry_after(str(seconds), now=NOW) == seconds


@given(moments, moments)
def test_a_date_is_the_time_until_then(now: int, moment: int) -> None:
    assert parse_retry_after(format_date(moment), now=now) == max(moment - now, 0)
