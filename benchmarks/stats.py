"""Medians and percentiles; a request without a response ranks behind all others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Spread", "percentile", "spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of the rounds, and the range they lie in."""

    median: float
    low: float
    high: float


def spread(known: Sequence[float], *, silent: int = 0) -> Spread | None:
    """Return the median of the rounds, and the range of those known; None when it falls on a silent one.

    >>> spread([3.0, 5.0], silent=1)
    Spread(median=5.0, low=3.0, high=5.0)
    >>> spread([498.0], silent=3)
    """
    middle = median([*known, *[math.inf] * silent] or [math.inf])
    return None if math.isinf(middle) else Spread(middle, min(known), max(known))


def percentile(values: Sequence[float | None], share: float) -> float | None:
    """Return the nearest-rank percentile; None when it falls on a missing value or on nothing.

    >>> percentile([3.0, 1.0, 2.0], 50), percentile([1.0, None], 99)
    (2.0, None)
    """
    ranked = sorted(math.inf if value is None else value for value in values)
    if not ranked:
        return None
    found = ranked[max(0, math.ceil(len(ranked) * share / 100) - 1)]
    return None if math.isinf(found) else found
