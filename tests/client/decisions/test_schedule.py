"""What to ask for next, from what is known and held."""

import pytest

from async_downloads.client.decisions.response import Asked, End, Part, Whole
from async_downloads.client.decisions.retries import Setback
from async_downloads.client.decisions.schedule import FIRST, MIB, Outcome, Piece, Plan, piece_size
from async_downloads.client.decisions.spans import Spans
from async_downloads.client.decisions.version import Version
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Validators

SIZE = 100 * MIB
STRONG = Version(SIZE, Validators(ETag("a")), '"a"')
UNSIZED = Version(None, Validators(ETag("a")), '"a"')


def take(plan: Plan) -> Piece:
    """Take a piece, which there is to be."""
    piece = plan.take()
    assert piece
    return piece


def taken(plan: Plan) -> tuple[int, int | None, bool]:
    """Take a piece and say which."""
    piece = take(plan)
    return piece.start, piece.stop, piece.ranged


def parts(plan: Plan, version: Version = STRONG) -> Piece:
    """Have the first request answered with a part, so that ranges are proven; return its piece."""
    piece = take(plan)
    stop = piece.stop or SIZE
    assert plan.admit(piece, Part(version, ByteRange(piece.done, stop))) is Outcome.STORE
    return piece


def test_one_connection_asks_for_the_whole_file() -> None:
    plan = Plan(1)
    assert plan.ask(take(plan)) == Asked()


def test_several_ask_for_the_first_bytes_and_wait_for_the_answer() -> None:
    plan = Plan(4)
    assert plan.ask(take(plan)) == Asked(0, FIRST, ranged=True)
    assert plan.take() is None


def test_an_answer_with_a_part_lets_the_others_begin() -> None:
    plan = Plan(4)
    first = parts(plan)
    size = piece_size(SIZE, 4)
    assert taken(plan) == (FIRST, FIRST + size, True)
    assert plan.ask(take(plan)) == Asked(FIRST + size, FIRST + 2 * size, ranged=True, if_range='"a"')
    assert plan.running[0] is first


@pytest.mark.parametrize(
    ("total", "connections", "size"),
    [
        pytest.param(MIB, 4, MIB, id="no less than 1 MiB"),
        pytest.param(160 * MIB, 4, 40 * MIB, id="a share for each connection"),
        pytest.param(160 * MIB + 1, 4, 40 * MIB + 1, id="shares that make the whole"),
    ],
)
def test_a_piece_is_a_share_and_not_small(total: int, connections: int, size: int) -> None:
    assert piece_size(total, connections) == size


def test_one_connection_asks_for_a_gap_at_once() -> None:
    plan = Plan(1, STRONG, Spans.of([(0, 10), (90 * MIB, SIZE)]))
    assert plan.ask(take(plan)) == Asked(10, 90 * MIB, ranged=True, if_range='"a"')


def test_of_an_unknown_size_the_rest_is_asked_for_without_an_end() -> None:
    plan = Plan(4, UNSIZED, Spans.of([(0, 10)]))
    assert plan.ask(take(plan)) == Asked(10, None, ranged=True, if_range='"a"')


def test_what_was_held_is_not_asked_for_again() -> None:
    plan = Plan(4, STRONG, Spans.of([(0, 50 * MIB)]))
    assert (plan.resumed_from, plan.total, plan.complete) == (50 * MIB, SIZE, False)
    assert taken(plan)[0] == 50 * MIB
    assert plan.take() is None  # before ranges are proven, as for a first request


def test_of_a_complete_file_nothing_is_asked_for() -> None:
    plan = Plan(4, STRONG, Spans.of([(0, SIZE)]))
    assert plan.complete
    assert plan.take() is None


def test_the_largest_piece_is_split_when_nothing_else_is_left() -> None:
    plan = Plan(2, STRONG, Spans.of([(0, 40 * MIB)]))
    first = parts(plan)
    second = take(plan)
    assert [(piece.done, piece.stop) for piece in (first, second)] == [(40 * MIB, 90 * MIB), (90 * MIB, SIZE)]
    assert taken(plan) == (65 * MIB, 90 * MIB, True)
    assert first.stop == 65 * MIB


def test_a_piece_that_came_further_than_it_was_to_is_over() -> None:
    plan = Plan(2, STRONG, Spans.of([(0, 80 * MIB)]))
    first, second = parts(plan), take(plan)
    plan.wrote(first, first.done, first.left + MIB)
    assert first.left == 0
    assert taken(plan)[0] == second.stop


def test_a_piece_that_is_nearly_done_is_not_split() -> None:
    plan = Plan(2, STRONG, Spans.of([(0, SIZE - 4 * MIB)]))
    assert parts(plan).left == 4 * MIB
    assert plan.take() is None


def test_what_was_not_fetched_of_a_piece_goes_back() -> None:
    plan = Plan(2, STRONG, Spans.of([(0, 96 * MIB)]))
    piece = parts(plan)
    plan.wrote(piece, 96 * MIB, MIB)
    plan.release(piece)
    assert taken(plan) == (97 * MIB, SIZE, True)


def test_a_part_that_is_shorter_than_asked_leaves_the_rest() -> None:
    plan = Plan(1, STRONG, Spans.of([(0, 10)]))
    piece = take(plan)
    plan.admit(piece, Part(STRONG, ByteRange(10, 20)))
    assert piece.stop == 20


def test_a_part_that_is_longer_than_asked_is_cut() -> None:
    plan = Plan(4)
    piece = take(plan)
    plan.admit(piece, Part(STRONG, ByteRange(0, SIZE)))
    assert piece.stop == FIRST


def test_the_end_of_a_part_is_that_of_a_piece_without_an_end() -> None:
    plan = Plan(1, UNSIZED, Spans.of([(0, 10)]))
    piece = take(plan)
    plan.admit(piece, Part(STRONG, ByteRange(10, 20)))
    assert (piece.stop, plan.total) == (20, SIZE)


def test_of_an_unknown_size_the_end_of_the_body_is_the_size() -> None:
    plan = Plan(1)
    piece = take(plan)
    plan.admit(piece, Whole(Version(), None))
    plan.wrote(piece, 0, 7)
    plan.ended(piece)
    plan.release(piece)
    assert (plan.total, plan.complete) == (7, True)


def test_an_end_before_what_is_held_is_none() -> None:
    plan = Plan(1, UNSIZED, Spans.of([(0, 10)]))
    piece = take(plan)
    plan.admit(piece, Whole(UNSIZED, None))
    plan.wrote(piece, 0, 7)
    with pytest.raises(Setback, match="after 7 of 10 bytes or more"):
        plan.ended(piece)


def test_where_nothing_was_missing_all_is_held() -> None:
    plan = Plan(1, UNSIZED, Spans.of([(0, 10)]))
    piece = take(plan)
    assert plan.admit(piece, End(UNSIZED.sized(10))) is Outcome.END
    plan.release(piece)
    assert plan.complete


def test_an_empty_file_is_complete_when_its_body_has_ended() -> None:
    plan = Plan(1)
    piece = take(plan)
    plan.admit(piece, Whole(Version(0), 0))
    plan.ended(piece)
    plan.release(piece)
    assert plan.complete
