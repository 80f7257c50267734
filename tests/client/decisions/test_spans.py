"""The set of byte positions that are held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.client.decisions.spans import NOTHING, Spans

SIZE = 40


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    """Any span of a small file, also empty ones."""
    start = draw(st.integers(0, SIZE))
    return start, draw(st.integers(start, SIZE))


def positions(held: Spans) -> set[int]:
    """Return every position in the set."""
    return {at for start, stop in held.spans for at in range(start, stop)}


@pytest.mark.parametrize(
    ("added", "left"),
    [
        pytest.param([(0, 5), (10, 15)], ((0, 5), (10, 15)), id="apart"),
        pytest.param([(10, 15), (0, 5)], ((0, 5), (10, 15)), id="the later first"),
        pytest.param([(0, 5), (5, 9)], ((0, 9),), id="touching"),
        pytest.param([(5, 9), (0, 5)], ((0, 9),), id="touching from below"),
        pytest.param([(0, 6), (4, 9)], ((0, 9),), id="overlapping"),
        pytest.param([(0, 9), (2, 3)], ((0, 9),), id="inside"),
        pytest.param([(2, 3), (0, 9)], ((0, 9),), id="around"),
        pytest.param([(0, 2), (4, 6), (8, 9), (1, 8)], ((0, 9),), id="across several"),
        pytest.param([(0, 2), (4, 4)], ((0, 2),), id="an empty one"),
    ],
)
def test_spans_that_overlap_or_touch_are_merged(
    added: list[tuple[int, int]], left: tuple[tuple[int, int], ...]
) -> None:
    assert Spans.of(added).spans == left


@pytest.mark.parametrize("span", [(-1, 3), (4, 3)], ids=["before the start", "backwards"])
def test_a_malformed_span_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not a span"):
        NOTHING.add(*span)


@pytest.mark.parametrize(
    ("stop", "missing"),
    [
        pytest.param(20, [(0, 3), (6, 9), (12, 20)], id="beyond the last"),
        pytest.param(12, [(0, 3), (6, 9)], id="at its end"),
        pytest.param(10, [(0, 3), (6, 9)], id="inside the last"),
        pytest.param(8, [(0, 3), (6, 8)], id="in a gap"),
        pytest.param(6, [(0, 3)], id="at the end of a span"),
        pytest.param(2, [(0, 2)], id="before the first"),
        pytest.param(0, [], id="nothing"),
    ],
)
def test_the_missing_spans_lie_between(stop: int, missing: list[tuple[int, int]]) -> None:
    assert list(Spans.of([(3, 6), (9, 12)]).missing(stop)) == missing


@pytest.mark.parametrize(
    ("stop", "bridge", "first"),
    [
        pytest.param(20, 3, (0, 3), id="a span of the set is large"),
        pytest.param(20, 4, (0, 20), id="all spans of the set are small"),
        pytest.param(8, 4, (0, 8), id="up to a limit"),
        pytest.param(0, 4, None, id="nothing"),
    ],
)
def test_the_first_missing_span_continues_over_small_spans(
    stop: int, bridge: int, first: tuple[int, int] | None
) -> None:
    assert Spans.of([(3, 6), (9, 12)]).first_missing(stop, bridge=bridge) == first


def test_an_empty_set_has_no_positions() -> None:
    assert (NOTHING.size, NOTHING.end, list(NOTHING.missing(3))) == (0, 0, [(0, 3)])


@given(st.lists(spans()))
def test_a_set_of_spans_is_the_set_of_its_positions(added: list[tuple[int, int]]) -> None:
    held = Spans.of(added)
    assert positions(held) == {at for start, stop in added for at in range(start, stop)}
    assert held.size == len(positions(held))
    assert held.end == max(positions(held), default=-1) + 1


@given(st.lists(spans()))
def test_spans_ascend_and_never_touch(added: list[tuple[int, int]]) -> None:
    edges = [edge for span in Spans.of(added).spans for edge in span]
    assert edges == sorted(set(edges))


@given(st.lists(spans()), st.integers(0, SIZE))
def test_held_and_missing_positions_partition_the_file(added: list[tuple[int, int]], stop: int) -> None:
    held = Spans.of(added)
    missing = Spans.of(held.missing(stop))
    assert positions(missing) == set(range(stop)) - positions(held)


@pytest.mark.parametrize(
    ("stop", "left"),
    [(0, ()), (3, ()), (5, ((3, 5),)), (6, ((3, 6),)), (10, ((3, 6), (9, 10))), (40, ((3, 6), (9, 12)))],
)
def test_positions_after_a_limit_can_be_dropped(stop: int, left: tuple[tuple[int, int], ...]) -> None:
    assert Spans.of([(3, 6), (9, 12)]).until(stop).spans == left


def test_a_malformed_span_among_others_is_refused() -> None:
    with pytest.raises(ValueError, match="not a span"):
        Spans.of([(0, 1), (-1, 3)])


def test_an_empty_span_adds_nothing() -> None:
    assert NOTHING.add(4, 4) is NOTHING
