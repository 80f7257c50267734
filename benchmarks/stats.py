"""Medians and percentiles; a probe that timed out ranks behind every one that was answered."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Spread", "percentile", "spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of the rounds, and the range they lie in."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return the median and range of the values that are there."""
    known = [value for value in values if value is not None]
    return Spread(median(known), min(known), max(known)) if known else None


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
