"""The microbenchmarks time the cases that they name, and the hostile fields have the longest allowed length."""

import pytest

from async_downloads.semantics.etags import parse_etags
from async_downloads.semantics.ranges import parse_range
from benchmarks.micro.cases import CASES, LENGTHS, LIMIT, PLANS, Case

HOSTILE = [case for case in CASES if " KiB, " in case.name]


@pytest.mark.parametrize(
    ("name", "status", "pieces"),
    [
        pytest.param("plain GET", 200, 1, id="plain"),
        pytest.param("If-None-Match, the same", 304, 0, id="not modified"),
        pytest.param("one range", 206, 1, id="one range"),
        pytest.param("eight ranges", 206, 17, id="eight ranges, a head before each and an end"),
        pytest.param("If-Range, the same", 206, 1, id="if-range holds"),
        pytest.param("If-Range, another", 200, 1, id="if-range does not hold"),
    ],
)
def test_a_plan_fits_its_name(name: str, status: int, pieces: int) -> None:
    planned = PLANS[name]()
    assert (planned.status, len(planned.pieces)) == (status, pieces)


def test_every_plan_is_timed_once() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert {f"plan: {name}" for name in PLANS} <= set(names)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in HOSTILE])
def test_a_hostile_field_has_the_longest_allowed_length(case: Case) -> None:
    assert any(length - 4 < len(case.field) <= length for length in LENGTHS)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.field])
def test_a_case_parses_its_field(case: Case) -> None:
    read = parse_range(case.field, limit=LIMIT) if case.name.startswith("Range") else parse_etags(case.field)
    assert case.call() == read
