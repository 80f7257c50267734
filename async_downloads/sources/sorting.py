"""Sort long lists without a long stop of the event loop: no other thread runs while Python sorts a list."""

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any, Final, TypeVar

__all__ = ["sorted_in_runs"]


T = TypeVar("T", bound=Any)
_RUN: Final = 2_000  # items that are sorted in one step, which takes about 2 ms


def sorted_in_runs(items: Sequence[T], *, reverse: bool = False) -> Iterator[T]:
    """Yield the items in order. Between two runs, other threads can run."""
    runs = (items[start : start + _RUN] for start in range(0, len(items), _RUN))
    return merge(*(sorted(run, reverse=reverse) for run in runs), reverse=reverse)
