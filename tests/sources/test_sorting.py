"""Long lists are sorted in runs, which is not visible in their order."""

from random import Random

import pytest

from async_downloads.sources.sorting import sorted_in_runs


@pytest.mark.parametrize("count", [0, 1, 2000, 2001, 7000])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_runs_are_merged_into_one_order(count: int, reverse: bool) -> None:
    numbers = Random(count).sample(range(100_000), count)
    assert list(sorted_in_runs(numbers, reverse=reverse)) == sorted(numbers, reverse=reverse)
