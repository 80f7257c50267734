"""Clients that leave in the middle of a body: the work that the server still does after that."""

import time
from collections.abc import Iterator

from benchmarks.load.crowd import Crowd
from benchmarks.load.messages import request
from benchmarks.proc import Meter, descriptors
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_large
from benchmarks.settings import Settings
from benchmarks.tree import LARGE

__all__ = ["SCENARIO"]

HOLD = 0.5  # seconds for which the clients read before they leave
GRACE = 1.0  # seconds in which the server may clean up
WINDOW = 0.3  # seconds after that, in which the server should be idle


def cases(settings: Settings) -> tuple[str]:
    """Name the only case."""
    return (f"clients={settings.leaving_clients}",)


def measure(bench: Bench) -> Iterator[Measurement]:
    """Let a crowd start to read, then close all connections."""
    check_large(bench)
    time.sleep(0.1)  # after this the server has closed the connection of the check
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
