"""Fixtures of the tests of field parsers: the settings of Hypothesis, and the field values of an attacker."""

import pytest
from hypothesis import settings

# Hypothesis has no deadline, since pytest limits the time of each test. It uses the same examples on every run, so that
# a failure comes from the change under test.
settings.register_profile("laws", deadline=None, derandomize=True)
settings.load_profile("laws")

_LENGTH = 500_000
_HOSTILE = {
    "spaces": ("", " ", ""),
    "spaces inside": ("a", " ", "b"),
    "spaces after a range unit": ("bytes=", " ", "x"),
    "spaces after a tag": ('"a"', " ", "x"),
    "tabs": ("", "\t", "x"),
    "commas": ("", ",", ""),
    "commas and spaces": ("", " ,", "x"),
    "empty ranges": ("bytes=", " ,", ""),
    "ranges": ("bytes=", "0-0,", ""),
    "dashes": ("bytes=", "-", ""),
    "quotes": ("", '"', ""),
    "open quote": ('"', "a", ""),
    "open quotes": ("", '"a,', ""),
    "tags": ("", '"",', "x"),
    "weak marks": ("", "W/", ""),
    "digits": ("", "9", ""),
    "zeros": ("bytes=", "0", "-1"),
    "digits of a position": ("bytes=", "9", "-"),
    "digits of a suffix": ("bytes=-", "9", ""),
    "digits of a size": ("bytes 0-9/", "9", ""),
    "digits of a year": ("Sun, 06 Nov ", "9", " 08:49:37 GMT"),
    "dates": ("", "Sun, 06 Nov 1994 08:49:37 GMT, ", ""),
    "letters": ("", "a", " "),
    "semicolons": ("a", ";", ""),
    "codings": ("", "a;q=0.5,", ""),
    "weights": ("a", ";q=1", ""),
    "backslashes": ("", "\\", '"'),
    "line breaks": ("", "\r\n", ""),
    "percents": ("", "%", ""),
}


@pytest.fixture(params=list(_HOSTILE.values()), ids=list(_HOSTILE))
def hostile(request: pytest.FixtureRequest) -> str:
    """A field value of half a million characters; quadratic work on it takes longer than a test may."""
    before, unit, after = request.param
    return f"{before}{unit * (_LENGTH // len(unit))}{after}"
