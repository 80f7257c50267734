"""A crowd of slow clients: the cost of each, and whether other clients still get a response."""

import time
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.load.crowd import Crowd
from benchmarks.load.messages import request
from benchmarks.proc import Meter, exhausted_descriptors, pss_bytes, tcp_shortages, upstream_connections
from benchmarks.scenarios.base import (
    Bench,
    Measurement,
    Scenario,
    check_file,
    check_large,
    probe_metrics,
    spent_metrics,
)
from benchmarks.settings import KIB, Settings
from benchmarks.tree import LARGE, PROBE

__all__ = ["SCENARIO", "read_slowly"]

CALM = 30.0  # per cent of a core
CALM_SECONDS = 1.0
LOOKS = 20  # at the connections of the server to its object store
FEWEST = 50  # connections; with fewer the server's own memory changes, about 1 MB, would dominate the figure


def parts(settings: Settings) -> Iterator[Settings]:
    """Yield a part for each size of crowd: a fresh server does not hold memory of an earlier crowd."""
    for count in settings.slow_clients:
        yield replace(settings, slow_clients=(count,))


def cases(settings: Settings) -> Iterator[str]:
    """Name a case for each size of crowd."""
    return (_case(count) for count in settings.slow_clients)


def measure(bench: Bench) -> Iterator[Measurement]:
    """Let each crowd read the large file at its pace.

    A server that needs more descriptors than a process may have here gets no figures: the limit is not the server's.
    """
    check_file(bench, PROBE)
    check_large(bench)
    for count in bench.settings.slow_clients:
        yield read_slowly(bench, count)


def read_slowly(bench: Bench, count: int, *, upstream: int | None = None) -> Measurement:
    """Measure one crowd; with `upstream`, a port, also how many connections the server has to it, at most."""
    settings, session = bench.settings, bench.running.session
    idle, shortages = pss_bytes(session), tcp_shortages()
    with Crowd(bench.port, request(LARGE), count=count, pace=settings.pace) as crowd:
        crowd.start(settings.start_limit)
        settling = _settle(bench, crowd)
        with bench.probe() as probe:
            before, meter = crowd.received, Meter(session)
            connections = _read(crowd, settings.slow_window, session, upstream)
            spent, received = meter.stop(), crowd.received - before
            memory, started = pss_bytes(session) - idle, crowd.started
            probed = probe.finish()
            limit, note = exhausted_descriptors(session), _shortages(shortages)
    if limit:
        return Measurement(_case(count), note=f"needs more than {limit:,.0f} descriptors, the limit here")
    metrics = {
        "started": started,
        "settle_s": settling,
        "kb_per_connection": memory / KIB / started if started >= FEWEST else None,
        "kb_per_s_each": received / KIB / spent.seconds / started if started else None,
    } | ({} if upstream is None else {"upstream_connections": connections})
    return Measurement(_case(count), metrics | spent_metrics(spent) | probe_metrics(probed), note)


def _read(crowd: Crowd, seconds: float, session: int, upstream: int | None) -> int:
    """Read for `seconds`, and return the most connections to the port that were seen."""
    if upstream is None:
        crowd.read(seconds)
        return 0
    most = 0
    for _ in range(LOOKS):
        crowd.read(seconds / LOOKS)
        most = max(most, upstream_connections(session, upstream))
    return most


def _case(count: int) -> str:
    return f"clients={count}"


def _shortages(before: int) -> str:
    """Return a note if the crowd needed more memory for TCP than the kernel has."""
    return "the kernel ran short of memory for TCP" if tcp_shortages() > before else ""


def _settle(bench: Bench, crowd: Crowd) -> float:
    """Read until the server is calm: at first it fills the socket buffers of every client at full speed."""
    begin = time.perf_counter()
    calm = False
    while not calm and time.perf_counter() < begin + bench.settings.settle:
        meter = Meter(bench.running.session)
        crowd.read(min(CALM_SECONDS, bench.settings.settle))
        calm = meter.stop().server_percent < CALM
    return time.perf_counter() - begin


COLUMNS = (
    "started",
    "probe_p50_ms",
    "probe_p99_ms",
    "undisturbed_p99_ms",
    "standstill_ms",
    "probe_timeouts",
    "kb_per_connection",
    "server_percent",
)
SCENARIO = Scenario("slow", "Slow clients at 16 KB/s, and a probe meanwhile", COLUMNS, measure, cases, parts=parts)
