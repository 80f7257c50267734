"""Schedules that start over: ranges do not work, validators are missing, versions change."""

import pytest

from async_downloads.client.decisions.response import Full, Partial, RangeRequest, UnusableRange, VersionChanged
from async_downloads.client.decisions.schedule import FIRST_REQUEST_BYTES, MIB, Admission, Schedule, Segment
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
    """Take a segment; there must be one."""
    segment = schedule.take()
    assert segment
    return segment


def parts(schedule: Schedule, version: RemoteVersion = STRONG) -> Segment:
    """Apply a part as the first response, which proves ranges; return its segment."""
    segment = take(schedule)
    stop = segment.stop or SIZE
    assert schedule.apply(segment, Partial(version, ByteRange(segment.done, stop))) is Admission.STORE
    return segment


def test_a_full_response_to_the_first_range_is_one_stream() -> None:
    schedule = Schedule(4)
    segment = take(schedule)
    assert schedule.apply(segment, Full(STRONG, SIZE)) is Admission.STORE
    assert (segment.start, segment.stop, segment.ranged) == (0, SIZE, False)
    assert schedule.take() is None


def test_a_full_response_to_a_later_range_keeps_the_held_bytes() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, 10)]))
    segment = take(schedule)
    assert schedule.apply(segment, Full(STRONG, SIZE)) is Admission.STORE
    assert (segment.done, segment.stop, schedule.held.size, schedule.resumed_from) == (0, SIZE, 10, 0)


def test_three_unusable_responses_lead_to_a_full_request() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(0, MIB)]))
    schedule.release(parts(schedule))
    for _ in range(3):
        segment = take(schedule)
        assert schedule.request(segment).ranged
        assert schedule.apply(segment, Full(STRONG, SIZE)) is Admission.RETRY
        schedule.release(segment)
    assert not schedule.request(take(schedule)).fields
    assert schedule.take() is None


def test_a_part_resets_the_unusable_responses() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, MIB)]))
    for _ in range(2):
        for _ in range(2):
            segment = take(schedule)
            schedule.apply(segment, UnusableRange("odd"))
            schedule.release(segment)
        schedule.release(parts(schedule))
    assert schedule.request(take(schedule)).ranged


def test_a_range_is_tried_again_after_an_incomplete_stream() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, MIB)]))
    for ranged in (True, True, True, False, True, False):
        segment = take(schedule)
        assert segment.ranged is ranged
        schedule.apply(segment, UnusableRange("odd") if ranged else Full(STRONG, SIZE))
        schedule.release(segment)


def test_an_unusable_first_range_leads_to_a_full_request_at_once() -> None:
    schedule = Schedule(4)
    segment = take(schedule)
    assert schedule.apply(segment, UnusableRange("416")) is Admission.RETRY
    schedule.release(segment)
    assert schedule.request(take(schedule)) == RangeRequest()


def test_no_full_request_starts_while_segments_are_running() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(0, MIB)]))
    parts(schedule)
    for _ in range(3):
        segment = take(schedule)
        schedule.apply(segment, UnusableRange("odd"))
        schedule.release(segment)
    assert schedule.take() is None


def test_without_a_strong_validator_the_bytes_are_forgotten_on_release() -> None:
    schedule = Schedule(1)
    segment = take(schedule)
    schedule.apply(segment, Full(WEAK, SIZE))
    schedule.wrote(segment, 0, MIB)
    schedule.release(segment)
    assert (schedule.version, schedule.held) == (None, NOTHING)
    assert schedule.request(take(schedule)) == RangeRequest()


def test_a_complete_file_without_a_strong_validator_is_kept() -> None:
    schedule = Schedule(1)
    segment = take(schedule)
    schedule.apply(segment, Full(WEAK, SIZE))
    schedule.wrote(segment, 0, SIZE)
    schedule.body_ended(segment)
    schedule.release(segment)
    assert schedule.complete


def test_a_changed_version_restarts_the_schedule() -> None:
    schedule = Schedule(4, STRONG, Spans.of([(0, MIB)]))
    segment = take(schedule)
    assert schedule.apply(segment, VersionChanged(WEAK)) is Admission.RESTART
    schedule.release(segment)
    schedule.restart()
    assert (schedule.version, schedule.held, schedule.resumed_from, schedule.ranges_proven) == (None, NOTHING, 0, False)
    assert schedule.request(take(schedule)) == RangeRequest(0, FIRST_REQUEST_BYTES, ranged=True)


def test_a_sixth_replacement_raises() -> None:
    schedule = Schedule(1)
    for _ in range(5):
        schedule.restart()
    with pytest.raises(RemoteChanged, match="replaced 6 times"):
        schedule.restart()
