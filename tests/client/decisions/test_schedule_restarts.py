"""Schedules that start over: ranges do not work, validators are missing, versions change."""

import pytest

from async_downloads.client.decisions.retries import TransientError
from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.segment import MIB, Admission
from async_downloads.client.decisions.spans import NOTHING, Spans
from async_downloads.client.decisions.verdict import Full, Partial, RangeRequest, UnusableRange, VersionChanged
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.errors import RemoteChanged
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Validators
from client.decisions.schedules import SIZE, STRONG, parts, take

WEAK = RemoteVersion(SIZE, Validators(ETag("a", weak=True)))


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
    schedule.restart(WEAK)
    assert (schedule.version, schedule.held, schedule.resumed_from, schedule.ranges_proven) == (None, NOTHING, 0, False)
    assert schedule.request(take(schedule)) == RangeRequest(0, None, ranged=True)


def test_a_sixth_replacement_raises() -> None:
    schedule = Schedule(1)
    for _ in range(5):
        schedule.restart(STRONG)
    with pytest.raises(RemoteChanged, match="replaced 6 times"):
        schedule.restart(STRONG)


DATE = 1_600_000_000
NODE_A = RemoteVersion(SIZE, Validators(ETag("a"), DATE), '"a"')
NODE_B = RemoteVersion(SIZE, Validators(ETag("b"), DATE), '"b"')


UNSIZED = RemoteVersion(None, Validators(ETag("b")), '"b"')


def replace(schedule: Schedule, version: RemoteVersion) -> None:
    """Let the only connection find another version, and start over."""
    segment = take(schedule)
    assert schedule.apply(segment, VersionChanged(version)) is Admission.RESTART
    schedule.release(segment)
    schedule.restart(version)


def test_an_etag_that_comes_back_leads_to_one_stream() -> None:
    schedule = Schedule(4, NODE_A, Spans.of([(0, MIB)]))
    replace(schedule, NODE_B)
    parts(schedule, NODE_A)
    assert schedule.take() is None


def test_a_change_back_to_an_earlier_etag_leads_to_one_stream() -> None:
    schedule = Schedule(4, NODE_A, Spans.of([(0, MIB)]))
    replace(schedule, NODE_B)
    schedule.release(parts(schedule, NODE_B))
    replace(schedule, NODE_A)
    assert schedule.request(take(schedule)) == RangeRequest()


def test_a_date_that_comes_back_leads_to_one_stream() -> None:
    one, two = (RemoteVersion(SIZE, Validators(None, DATE + after), "a date") for after in (0, 1))
    schedule = Schedule(4, one, Spans.of([(0, MIB)]))
    replace(schedule, two)
    schedule.release(parts(schedule, two))
    replace(schedule, one)
    assert schedule.request(take(schedule)) == RangeRequest()


def test_a_body_of_unknown_length_must_not_be_far_shorter_than_the_file_that_it_replaces() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, MIB)]))
    replace(schedule, UNSIZED)
    segment = take(schedule)
    schedule.apply(segment, Full(UNSIZED, None))
    schedule.wrote(segment, 0, SIZE // 10 - 1)
    with pytest.raises(TransientError, match="in place of a longer file"):
        schedule.body_ended(segment)
    schedule.wrote(segment, 0, SIZE // 10 + 1)
    schedule.body_ended(segment)
    assert schedule.total == SIZE // 10 + 1


def test_one_stream_is_resumed_from_the_server_that_began_it() -> None:
    schedule = Schedule(4, NODE_A, Spans.of([(0, MIB)]))
    replace(schedule, NODE_B)
    segment = parts(schedule, NODE_A)
    schedule.wrote(segment, 0, MIB)
    schedule.release(segment)
    segment = take(schedule)
    assert schedule.request(segment) == RangeRequest(MIB, SIZE, ranged=True, if_range='"a"')
    assert schedule.apply(segment, VersionChanged(NODE_B)) is Admission.END_WORKER
    schedule.apply(segment, Partial(NODE_A, ByteRange(MIB, SIZE)))
    assert schedule.take() is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(RemoteVersion(SIZE + 1, NODE_A.validators, '"a"'), id="another size"),
        pytest.param(RemoteVersion(SIZE, Validators(ETag("a"), DATE + 1), '"a"'), id="another date"),
        pytest.param(RemoteVersion(SIZE, Validators(None, DATE)), id="no ETag"),
    ],
)
def test_another_size_or_date_is_a_change_of_the_file(other: RemoteVersion) -> None:
    schedule = Schedule(4, NODE_A, Spans.of([(0, MIB)]))
    replace(schedule, NODE_B)
    schedule.release(parts(schedule, NODE_B))
    replace(schedule, other)
    assert schedule.request(take(schedule)).ranged


def test_another_etag_on_a_further_connection_ends_only_that_one() -> None:
    schedule = Schedule(4)
    first = parts(schedule, NODE_A)
    further = take(schedule)
    assert schedule.apply(further, VersionChanged(NODE_B)) is Admission.END_WORKER
    schedule.release(further)
    assert schedule.running == [first]


def test_a_new_file_ends_all_connections() -> None:
    schedule = Schedule(4)
    parts(schedule, NODE_A)
    changed = VersionChanged(RemoteVersion(SIZE - 1, NODE_B.validators, '"b"'))
    assert schedule.apply(take(schedule), changed) is Admission.RESTART


def test_a_range_that_no_other_could_replace_leads_to_a_full_request_at_once() -> None:
    schedule = Schedule(1, STRONG, Spans.of([(0, MIB)]))
    segment = take(schedule)
    assert schedule.apply(segment, UnusableRange("a part with status 200", final=True)) is Admission.RETRY
    schedule.release(segment)
    assert schedule.request(take(schedule)) == RangeRequest()


def test_a_refused_range_leads_to_a_full_request_once() -> None:
    schedule = Schedule(4)
    segment = take(schedule)
    assert schedule.ask_plainly(segment)
    schedule.release(segment)
    segment = take(schedule)
    assert schedule.request(segment) == RangeRequest()
    assert not schedule.ask_plainly(segment)


def test_after_another_version_the_bytes_of_an_earlier_part_count() -> None:
    schedule, other = Schedule(4, STRONG, Spans.of([(0, MIB)])), RemoteVersion(9, Validators(ETag("b")), '"b"')
    schedule.restart(other)
    schedule.resume(other, Spans.of([(0, 5)]))
    assert schedule.resumed_from == 5
    assert schedule.request(take(schedule)) == RangeRequest(5, 9, ranged=True, if_range='"b"')


def test_when_two_servers_send_versions_in_turns_no_earlier_part_counts() -> None:
    schedule = Schedule(4, STRONG, Spans.of([(0, MIB)]))
    schedule.restart(STRONG)
    schedule.restart(STRONG)
    schedule.resume(STRONG, Spans.of([(0, 5)]))
    assert (schedule.held, schedule.resumed_from) == (NOTHING, 0)
