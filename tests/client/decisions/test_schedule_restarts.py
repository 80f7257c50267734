"""Turns of a schedule: ranges that do not work, validators that are missing, versions that go."""

import pytest

from async_downloads.client.decisions.response import Full, Partial, RangeRequest, UnusableRange, VersionChanged
from async_downloads.client.decisions.schedule import FIRST_REQUEST_BYTES, MIB, Outcome, Schedule, Segment
from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.errors import RemoteChanged
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Validators

SIZE = 100 * MIB
STRONG = RemoteVersion(SIZE, Validators(ETag("a")), '"a"')
WEAK = RemoteVersion(SIZE, Validators(ETag("a", weak=True)))


def take(schedule: Schedule) -> Segment:
    """Take a segment, which there is to be."""
    segment = schedule.take()
    assert segment
    return segment


def parts(schedule: Schedule, version: RemoteVersion = STRONG) -> Segment:
    """Have the first request answered with a part, so that ranges are proven; return its segment."""
    segment = take(schedule)
    stop = segment.stop or SIZE
    assert schedule.apply(segment, Partial(version, ByteRange(segment.done, stop))) is Outcome.STORE
    return segment


def test_the_whole_for_the_first_range_is_taken_as_one_stream() -> None:
    schedule = Schedule(4)
    segment = take(schedule)
    assert schedule.apply(segment, Full(STRONG, SIZE)) is Outcome.STORE
    assert (segment.start, segment.stop, segment.ranged) == (0, SIZE, False)
    assert schedule.take() is None


def test_the_whole_for_the_rest_is_taken_from_the_start_though_nothing_is_forgotten() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, 10)]))
    segment = take(schedule)
    assert schedule.apply(segment, Full(STRONG, SIZE)) is Outcome.STORE
    assert (segment.done, segment.stop, schedule.held.size, schedule.resumed_from) == (0, SIZE, 10, 0)


def test_where_ranges_were_proven_the_whole_is_asked_for_after_three_strikes() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(0, MIB)]))
    schedule.release(parts(schedule))
    for _ in range(3):
        segment = take(schedule)
        assert schedule.request(segment).ranged
        assert schedule.apply(segment, Full(STRONG, SIZE)) is Outcome.RETRY
        schedule.release(segment)
    assert not schedule.request(take(schedule)).fields
    assert schedule.take() is None


def test_a_part_makes_strikes_forgotten() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, MIB)]))
    for _ in range(2):
        for _ in range(2):
            segment = take(schedule)
            schedule.apply(segment, UnusableRange("odd"))
            schedule.release(segment)
        schedule.release(parts(schedule))
    assert schedule.request(take(schedule)).ranged


def test_after_a_whole_that_did_not_come_whole_a_range_is_tried_once_more() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, MIB)]))
    for ranged in (True, True, True, False, True, False):
        segment = take(schedule)
        assert segment.ranged is ranged
        schedule.apply(segment, UnusableRange("odd") if ranged else Full(STRONG, SIZE))
        schedule.release(segment)


def test_a_server_that_cannot_do_the_first_range_is_asked_for_the_whole_at_once() -> None:
    schedule = Schedule(4)
    segment = take(schedule)
    assert schedule.apply(segment, UnusableRange("416")) is Outcome.RETRY
    schedule.release(segment)
    assert schedule.request(take(schedule)) == RangeRequest()


def test_while_others_fetch_nobody_asks_for_the_whole() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(0, MIB)]))
    parts(schedule)
    for _ in range(3):
        segment = take(schedule)
        schedule.apply(segment, UnusableRange("odd"))
        schedule.release(segment)
    assert schedule.take() is None


def test_without_a_strong_validator_nothing_outlives_its_connection() -> None:
    schedule = Schedule(1)
    segment = take(schedule)
    schedule.apply(segment, Full(WEAK, SIZE))
    schedule.wrote(segment, 0, MIB)
    schedule.release(segment)
    assert (schedule.version, schedule.held) == (None, NOTHING)
    assert schedule.request(take(schedule)) == RangeRequest()


def test_without_a_strong_validator_what_is_complete_stays() -> None:
    schedule = Schedule(1)
    segment = take(schedule)
    schedule.apply(segment, Full(WEAK, SIZE))
    schedule.wrote(segment, 0, SIZE)
    schedule.body_ended(segment)
    schedule.release(segment)
    assert schedule.complete


def test_another_version_makes_all_begin_again() -> None:
    schedule = Schedule(4, STRONG, Spans.of([(0, MIB)]))
    segment = take(schedule)
    assert schedule.apply(segment, VersionChanged(WEAK)) is Outcome.RESTART
    schedule.release(segment)
    schedule.restart()
    assert (schedule.version, schedule.held, schedule.resumed_from, schedule.ranges_proven) == (None, NOTHING, 0, False)
    assert schedule.request(take(schedule)) == RangeRequest(0, FIRST_REQUEST_BYTES, ranged=True)


def test_five_other_versions_are_put_up_with_and_no_more() -> None:
    schedule = Schedule(1)
    for _ in range(5):
        schedule.restart()
    with pytest.raises(RemoteChanged, match="replaced 6 times"):
        schedule.restart()
