"""Retry-After: RFC 9110 §10.2.3."""

import re
from typing import Final

from ..semantics.dates import parse_date

__all__ = ["parse_retry_after"]

_DELAY = re.compile(r"0*([0-9]+)")
_DIGITS: Final = 12  # a delay of more is as good as for ever; `int` takes quadratic time over many thousands


def parse_retry_after(value: str, *, now: int) -> float | None:
    """Read how many seconds from `now` to wait, 0 for a moment that has passed; None when it is malformed.

    >>> parse_retry_after("120", now=0), parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=15)
    (120.0, 45.0)
    """
    if delay := _DELAY.fullmatch(value):
        return float(int(delay[1][: _DIGITS + 1]))
    moment = parse_date(value, now=now)
    return None if moment is None else float(max(moment - now, 0))
