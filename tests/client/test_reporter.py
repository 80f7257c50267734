"""The reports to a listener, and how often they come."""

import pytest
from harness.clock import StillClock

from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.spans import Spans
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.reporter import Progress, Reporter, SegmentProgress


class Listener(list[Progress]):
    """Collects all reports."""

    def __call__(self, progress: Progress) -> None:
        """Listen."""
        self.append(progress)


async def test_a_change_of_state_is_reported_at_once(still: StillClock) -> None:
    reports = Listener()
    reporter = Reporter(reports, Schedule(), lambda: "x")
    for state in ("waiting", "downloading", "downloading", "retrying", "downloading", "verifying", "finished"):
        reporter.state_changed(state)
    states = [each.state for each in reports]
    assert states == ["waiting", "downloading", "retrying", "downloading", "verifying", "finished"]


async def test_a_change_of_the_note_is_reported_at_once(still: StillClock) -> None:
    reports = Listener()
    reporter = Reporter(reports, Schedule(), lambda: "x")
    reporter.state_changed("retrying", "503")
    reporter.state_changed("retrying", "504")
    assert [each.note for each in reports] == ["503", "504"]


async def test_brief_notes_are_reported_ten_times_a_second_at_most(still: StillClock) -> None:
    reports = Listener()
    reporter = Reporter(reports, Schedule(), lambda: "x")
    for number in range(1000):
        still.now += 0.001
        reporter.state_changed("retrying", f"reset {number}", brief=True)
        reporter.state_changed("downloading")
        reporter.advanced()
    assert 9 <= len(reports) <= 10
    reporter.state_changed("retrying", "again in 8 s")
    assert reports[-1].note == "again in 8 s"


async def test_progress_is_reported_ten_times_a_second_at_most(still: StillClock) -> None:
    reports = Listener()
    reporter = Reporter(reports, Schedule(), lambda: "x")
    for _ in range(1000):
        still.now += 0.001
        reporter.advanced()
    assert 9 <= len(reports) <= 10


async def test_a_report_has_the_bytes_and_the_segments(still: StillClock) -> None:
    reports = Listener()
    schedule = Schedule(1, RemoteVersion(100, if_range='"a"'), Spans.of([(0, 30)]))
    schedule.take()
    Reporter(reports, schedule, lambda: "x").state_changed("downloading")
    assert reports == [Progress("downloading", "x", 100, 30, 30, (SegmentProgress(30, 30, 100),), 0.0, "")]


async def test_the_speed_is_smoothed(still: StillClock) -> None:
    reports = Listener()
    reporter = Reporter(reports, Schedule(), lambda: "x")

    def go(seconds: int, size: int) -> float:
        for _ in range(seconds * 5):
            still.now += 0.2
            reporter.received += size // 5
            reporter.advanced()
        return reports[-1].speed

    assert go(1, 1000) == pytest.approx(1000)
    assert 1000 < go(1, 3000) < 2500
    assert go(20, 3000) == pytest.approx(3000, rel=0.01)


async def test_a_listener_is_optional(still: StillClock) -> None:
    Reporter(None, Schedule(), lambda: "x").state_changed("finished")
