"""The next request, given what is known and held."""

import pytest

from async_downloads.client.decisions.retries import TransientError
from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.segment import MIB, Admission, segment_size
from async_downloads.client.decisions.spans import Spans
from async_downloads.client.decisions.verdict import Full, NothingLeft, Partial, RangeRequest
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Validators
from client.decisions.schedules import SIZE, STRONG, parts, take

UNSIZED = RemoteVersion(None, Validators(ETag("a")), '"a"')


def taken(schedule: Schedule) -> tuple[int, int | None, bool]:
    """Take a segment; return its start, its stop and whether it is ranged."""
    segment = take(schedule)
    return segment.start, segment.stop, segment.ranged


def test_one_connection_requests_the_whole_file() -> None:
    schedule = Schedule(1)
    assert schedule.request(take(schedule)) == RangeRequest()


def test_several_connections_first_request_all_bytes_and_wait() -> None:
    schedule = Schedule(4)
    assert schedule.request(take(schedule)) == RangeRequest(0, None, ranged=True)
    assert schedule.take() is None


def test_a_partial_response_lets_the_other_connections_start_at_the_end() -> None:
    schedule = Schedule(4)
    first = parts(schedule)
    size = segment_size(SIZE, 4)
    starts = [3 * size, 2 * size, size]
    for start in starts:
        assert schedule.request(take(schedule)) == RangeRequest(start, start + size, ranged=True, if_range='"a"')
    assert (schedule.running[0] is first, first.stop) == (True, size)


@pytest.mark.parametrize(
    ("total", "connections", "size"),
    [
        pytest.param(MIB, 4, MIB, id="no less than 1 MiB"),
        pytest.param(160 * MIB, 4, 40 * MIB, id="a share for each connection"),
        pytest.param(160 * MIB + 1, 4, 40 * MIB + 1, id="shares that make the whole"),
    ],
)
def test_a_segment_is_a_share_of_at_least_1_mib(total: int, connections: int, size: int) -> None:
    assert segment_size(total, connections) == size


def test_one_connection_requests_a_whole_gap() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, 10), (90 * MIB, SIZE)]))
    assert schedule.request(take(schedule)) == RangeRequest(10, 90 * MIB, ranged=True, if_range='"a"')


def test_the_rest_of_an_unknown_size_is_requested_without_an_end() -> None:
    schedule = Schedule(4, UNSIZED, Spans.of([(0, 10)]))
    assert schedule.request(take(schedule)) == RangeRequest(10, None, ranged=True, if_range='"a"')


def test_held_bytes_are_not_requested_again() -> None:
    schedule = Schedule(4, STRONG, Spans.of([(0, 50 * MIB)]))
    assert (schedule.resumed_from, schedule.total, schedule.complete) == (50 * MIB, SIZE, False)
    assert taken(schedule)[0] == 50 * MIB
    assert schedule.take() is None  # ranges are not proven yet


def test_nothing_of_a_complete_file_is_requested() -> None:
    schedule = Schedule(4, STRONG, Spans.of([(0, SIZE)]))
    assert schedule.complete
    assert schedule.take() is None


def test_the_largest_segment_is_split_when_no_gap_is_left() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(0, 40 * MIB)]))
    first = parts(schedule)
    second = take(schedule)
    assert [(segment.done, segment.stop) for segment in (first, second)] == [(40 * MIB, 70 * MIB), (70 * MIB, SIZE)]
    assert taken(schedule) == (55 * MIB, 70 * MIB, True)
    assert first.stop == 55 * MIB


def test_a_segment_goes_on_through_bytes_that_another_connection_did_not_get() -> None:
    schedule = Schedule(2)
    first, second = parts(schedule), take(schedule)
    assert (first.stop, second.start) == (SIZE // 2, SIZE // 2)
    schedule.release(second)
    assert schedule.extend(first)
    assert first.stop == SIZE
    assert not schedule.extend(first)


def test_a_segment_takes_the_bytes_of_a_connection_without_a_response() -> None:
    schedule = Schedule(2)
    first, second = parts(schedule), take(schedule)
    assert schedule.extend(first)
    assert (first.stop, second.stop) == (SIZE, second.start)
    assert schedule.apply(second, Partial(STRONG, ByteRange(second.start, SIZE))) is Admission.RETRY


def test_a_segment_does_not_take_bytes_that_another_connection_brings() -> None:
    schedule = Schedule(2)
    first, second = parts(schedule), take(schedule)
    schedule.apply(second, Partial(STRONG, ByteRange(second.start, SIZE)))
    assert not schedule.extend(first)
    assert first.stop == second.start


def test_a_segment_without_a_known_end_cannot_go_on() -> None:
    schedule = Schedule(1)
    segment = take(schedule)
    schedule.apply(segment, Full(RemoteVersion(), None))
    assert not schedule.extend(segment)


def test_small_held_spans_are_fetched_again_with_the_gaps_around_them() -> None:
    small, large = 64 * 1024 - 1, 64 * 1024
    schedule = Schedule(1, STRONG, Spans.of([(10, 10 + small), (MIB, MIB + large)]))
    assert taken(schedule) == (0, MIB, True)


def test_a_part_without_validators_is_one_stream() -> None:
    schedule = Schedule(4)
    parts(schedule, RemoteVersion(SIZE))
    assert schedule.take() is None


def test_a_segment_that_received_more_than_its_half_is_done() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(0, 80 * MIB)]))
    first, second = parts(schedule), take(schedule)
    schedule.wrote(first, first.done, first.left + MIB)
    assert first.left == 0
    assert taken(schedule)[0] == second.stop


def test_a_segment_counts_bytes_before_they_are_written() -> None:
    segment = take(Schedule(2, STRONG, Spans.of([(0, 80 * MIB)])))
    assert segment.received_count == 0
    segment.received = 81 * MIB
    assert (segment.received_count, segment.done) == (MIB, 80 * MIB)


def test_a_nearly_done_segment_is_not_split() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(0, SIZE - 4 * MIB)]))
    assert parts(schedule).left == 4 * MIB
    assert schedule.take() is None


def test_the_rest_of_a_released_segment_is_taken_again() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(0, 96 * MIB)]))
    segment = parts(schedule)
    schedule.wrote(segment, 96 * MIB, MIB)
    schedule.release(segment)
    assert taken(schedule) == (97 * MIB, SIZE, True)


def test_a_short_part_shortens_the_segment() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, 10)]))
    segment = take(schedule)
    schedule.apply(segment, Partial(STRONG, ByteRange(10, 20)))
    assert segment.stop == 20


def test_a_long_part_does_not_extend_the_segment() -> None:
    schedule = Schedule(2, STRONG, Spans.of([(MIB, SIZE)]))
    segment = take(schedule)
    schedule.apply(segment, Partial(STRONG, ByteRange(0, SIZE)))
    assert segment.stop == MIB


def test_a_part_ends_a_segment_without_an_end() -> None:
    schedule = Schedule(1, UNSIZED, Spans.of([(0, 10)]))
    segment = take(schedule)
    schedule.apply(segment, Partial(STRONG, ByteRange(10, 20)))
    assert (segment.stop, schedule.total) == (20, SIZE)


def test_the_end_of_the_body_is_the_unknown_size() -> None:
    schedule = Schedule(1)
    segment = take(schedule)
    schedule.apply(segment, Full(RemoteVersion(), None))
    schedule.wrote(segment, 0, 7)
    schedule.body_ended(segment)
    schedule.release(segment)
    assert (schedule.total, schedule.complete) == (7, True)


def test_a_body_that_ends_before_the_held_bytes_is_broken() -> None:
    schedule = Schedule(1, UNSIZED, Spans.of([(0, 10)]))
    segment = take(schedule)
    schedule.apply(segment, Full(UNSIZED, None))
    schedule.wrote(segment, 0, 7)
    with pytest.raises(TransientError, match="after 7 of at least 10 bytes"):
        schedule.body_ended(segment)


def test_nothing_left_completes_the_download() -> None:
    schedule = Schedule(1, UNSIZED, Spans.of([(0, 10)]))
    segment = take(schedule)
    assert schedule.apply(segment, NothingLeft(UNSIZED.with_total(10))) is Admission.END
    schedule.release(segment)
    assert schedule.complete


def test_an_empty_file_is_complete_at_the_end_of_its_body() -> None:
    schedule = Schedule(1)
    segment = take(schedule)
    schedule.apply(segment, Full(RemoteVersion(0), 0))
    schedule.body_ended(segment)
    schedule.release(segment)
    assert schedule.complete


def test_bytes_the_disk_lost_are_requested_again() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, 50 * MIB)]))
    schedule.keep_only(Spans.of([(0, 20 * MIB)]))
    assert schedule.held == Spans.of([(0, 20 * MIB)])
    assert taken(schedule) == (20 * MIB, SIZE, True)


def test_bytes_of_several_responses_are_combined_only_with_ranges() -> None:
    assert not Schedule(4).combines
    schedule = Schedule(4)
    parts(schedule)
    assert schedule.combines
    assert Schedule(4, schedule.version, Spans.of([(0, 9)])).combines
    assert not Schedule(4, schedule.version).combines
