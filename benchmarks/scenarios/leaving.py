"""Clients that leave in the middle of a body: what work goes on after that."""

import time
from collections.abc import Iterator

from benchmarks.load.crowd import Crowd
from benchmarks.load.messages import request
from benchmarks.proc import Meter, descriptors
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_large
from benchmarks.settings import Settings
from benchmarks.tree import LARGE

__all__ = ["SCENARIO"]

HOLD = 0.5  # seconds of reading before they go
GRACE = 1.0  # seconds in which a server may clean up
WINDOW = 0.3  # in which it should have nothing left to do


def cases(settings: Settings) -> tuple[str]:
    """Name the only case."""
    return (f"clients={settings.leaving_clients}",)


def measure(bench: Bench) -> Iterator[Measurement]:
    """Let a crowd begin to read, and go."""
    check_large(bench)
    time.sleep(0.1)  # the check's own connection is gone after this
    settings, session = bench.settings, bench.running.session
    idle = descriptors(session)
    with Crowd(bench.port, request(LARGE), count=settings.leaving_clients, pace=settings.pace) as crowd:
        crowd.start(settings.start_limit)
        crowd.read(HOLD)
        started, meter = crowd.started, Meter(session)
    time.sleep(GRACE)
    first, later = meter.stop(), Meter(session)
    left = descriptors(session) - idle
    time.sleep(WINDOW)
    metrics = {
        "started": started,
        "cpu_ms_first_second": first.server * 1000,
        "server_percent": later.stop().server_percent,
        "descriptors_left": left,
    }
    yield Measurement(*cases(settings), metrics)


COLUMNS = ("started", "cpu_ms_first_second", "server_percent", "descriptors_left")
SCENARIO = Scenario("leaving", "Clients that left a second ago", COLUMNS, measure, cases)
