"""What a listener is told, and how often."""

import pytest
from harness.clock import StillClock

from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.spans import Spans
from async_downloads.client.decisions.version import RemoteVersion
from async_downloads.client.reporter import Progress, Reporter, SegmentProgress


class Listener(list[Progress]):
    """Remembers all it is told."""

    def __call__(self, progress: Progress) -> None:
        """Listen."""
        self.append(progress)


async def test_a_change_of_state_is_told_at_once(still: StillClock) -> None:
    heard = Listener()
    reporter = Reporter(heard, Schedule(), lambda: "x")
    for state in ("waiting", "downloading", "downloading", "retrying", "downloading", "verifying", "finished"):
        reporter.state_changed(state)
    states = [each.state for each in heard]
    assert states == ["waiting", "downloading", "retrying", "downloading", "verifying", "finished"]


async def test_so_is_another_note(still: StillClock) -> None:
    heard = Listener()
    reporter = Reporter(heard, Schedule(), lambda: "x")
    reporter.state_changed("retrying", "503")
    reporter.state_changed("retrying", "504")
    assert [each.note for each in heard] == ["503", "504"]


async def test_of_notes_that_are_over_at_once_ten_a_second_are_told(still: StillClock) -> None:
    heard = Listener()
    reporter = Reporter(heard, Schedule(), lambda: "x")
    for number in range(1000):
        still.now += 0.001
        reporter.state_changed("retrying", f"reset {number}", brief=True)
        reporter.state_changed("downloading")
        reporter.advanced()
    assert 9 <= len(heard) <= 10
    reporter.state_changed("retrying", "again in 8 s")
    assert heard[-1].note == "again in 8 s"


async def test_all_else_is_told_ten_times_a_second(still: StillClock) -> None:
    heard = Listener()
    reporter = Reporter(heard, Schedule(), lambda: "x")
    for _ in range(1000):
        still.now += 0.001
        reporter.advanced()
    assert 9 <= len(heard) <= 10


async def test_it_is_told_how_far_it_is(still: StillClock) -> None:
    heard = Listener()
    schedule = Schedule(1, RemoteVersion(100, if_range='"a"'), Spans.of([(0, 30)]))
    schedule.take()
    Reporter(heard, schedule, lambda: "x").state_changed("downloading")
    assert heard == [Progress("downloading", "x", 100, 30, 30, (SegmentProgress(30, 30, 100),), 0.0, "")]


async def test_the_speed_follows_what_comes_with_some_delay(still: StillClock) -> None:
    heard = Listener()
    reporter = Reporter(heard, Schedule(), lambda: "x")

    def go(seconds: int, size: int) -> float:
        for _ in range(seconds * 5):
            still.now += 0.2
            reporter.received += size // 5
            reporter.advanced()
        return heard[-1].speed

    assert go(1, 1000) == pytest.approx(1000)
    assert 1000 < go(1, 3000) < 2500
    assert go(20, 3000) == pytest.approx(3000, rel=0.01)


async def test_nobody_need_listen(still: StillClock) -> None:
    Reporter(None, Schedule(), lambda: "x").state_changed("finished")
