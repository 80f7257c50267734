"""Turns of a plan: ranges that do not work, validators that are missing, versions that go."""

import pytest

from async_downloads.client.decisions.response import Asked, Changed, Part, Unfit, Whole
from async_downloads.client.decisions.schedule import FIRST, MIB, Outcome, Piece, Plan
from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.decisions.version import Version
from async_downloads.errors import RemoteChanged
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Validators

SIZE = 100 * MIB
STRONG = Version(SIZE, Validators(ETag("a")), '"a"')
WEAK = Version(SIZE, Validators(ETag("a", weak=True)))


def take(plan: Plan) -> Piece:
    """Take a piece, which there is to be."""
    piece = plan.take()
    assert piece
    return piece


def parts(plan: Plan, version: Version = STRONG) -> Piece:
    """Have the first request answered with a part, so that ranges are proven; return its piece."""
    piece = take(plan)
    stop = piece.stop or SIZE
    assert plan.admit(piece, Part(version, ByteRange(piece.done, stop))) is Outcome.STORE
    return piece


def test_the_whole_for_the_first_range_is_taken_as_one_stream() -> None:
    plan = Plan(4)
    piece = take(plan)
    assert plan.admit(piece, Whole(STRONG, SIZE)) is Outcome.STORE
    assert (piece.start, piece.stop, piece.ranged) == (0, SIZE, False)
    assert plan.take() is None


def test_the_whole_for_the_rest_is_taken_from_the_start_though_nothing_is_forgotten() -> None:
    plan = Plan(1, STRONG, Spans.of([(0, 10)]))
    piece = take(plan)
    assert plan.admit(piece, Whole(STRONG, SIZE)) is Outcome.STORE
    assert (piece.done, piece.stop, plan.held.size, plan.resumed_from) == (0, SIZE, 10, 0)


def test_where_ranges_were_proven_the_whole_is_asked_for_after_three_strikes() -> None:
    plan = Plan(2, STRONG, Spans.of([(0, MIB)]))
    plan.release(parts(plan))
    for _ in range(3):
        piece = take(plan)
        assert plan.ask(piece).ranged
        assert plan.admit(piece, Whole(STRONG, SIZE)) is Outcome.STRIKE
        plan.release(piece)
    assert not plan.ask(take(plan)).fields
    assert plan.take() is None


def test_a_part_makes_strikes_forgotten() -> None:
    plan = Plan(1, STRONG, Spans.of([(0, MIB)]))
    for _ in range(2):
        for _ in range(2):
            piece = take(plan)
            plan.admit(piece, Unfit("odd"))
            plan.release(piece)
        plan.release(parts(plan))
    assert plan.ask(take(plan)).ranged


def test_after_a_whole_that_did_not_come_whole_a_range_is_tried_once_more() -> None:
    plan = Plan(1, STRONG, Spans.of([(0, MIB)]))
    for ranged in (True, True, True, False, True, False):
        piece = take(plan)
        assert piece.ranged is ranged
        plan.admit(piece, Unfit("odd") if ranged else Whole(STRONG, SIZE))
        plan.release(piece)


def test_a_server_that_cannot_do_the_first_range_is_asked_for_the_whole_at_once() -> None:
    plan = Plan(4)
    piece = take(plan)
    assert plan.admit(piece, Unfit("416")) is Outcome.STRIKE
    plan.release(piece)
    assert plan.ask(take(plan)) == Asked()


def test_while_others_fetch_nobody_asks_for_the_whole() -> None:
    plan = Plan(2, STRONG, Spans.of([(0, MIB)]))
    parts(plan)
    for _ in range(3):
        piece = take(plan)
        plan.admit(piece, Unfit("odd"))
        plan.release(piece)
    assert plan.take() is None


def test_without_a_strong_validator_nothing_outlives_its_connection() -> None:
    plan = Plan(1)
    piece = take(plan)
    plan.admit(piece, Whole(WEAK, SIZE))
    plan.wrote(piece, 0, MIB)
    plan.release(piece)
    assert (plan.version, plan.held) == (None, NOTHING)
    assert plan.ask(take(plan)) == Asked()


def test_without_a_strong_validator_what_is_complete_stays() -> None:
    plan = Plan(1)
    piece = take(plan)
    plan.admit(piece, Whole(WEAK, SIZE))
    plan.wrote(piece, 0, SIZE)
    plan.ended(piece)
    plan.release(piece)
    assert plan.complete


def test_another_version_makes_all_begin_again() -> None:
    plan = Plan(4, STRONG, Spans.of([(0, MIB)]))
    piece = take(plan)
    assert plan.admit(piece, Changed(WEAK)) is Outcome.RESTART
    plan.release(piece)
    plan.restart()
    assert (plan.version, plan.held, plan.resumed_from, plan.proven) == (None, NOTHING, 0, False)
    assert plan.ask(take(plan)) == Asked(0, FIRST, ranged=True)


def test_five_other_versions_are_put_up_with_and_no_more() -> None:
    plan = Plan(1)
    for _ in range(5):
        plan.restart()
    with pytest.raises(RemoteChanged, match="replaced 6 times"):
        plan.restart()
