"""Small cached files on keep-alive connections."""

from collections.abc import Iterator

from benchmarks.load.exchange import Tally, exchange
from benchmarks.load.messages import request
from benchmarks.load.wrk import Summary, installed, wrk
from benchmarks.proc import Meter
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_file, spent_metrics
from benchmarks.settings import KIB, Settings
from benchmarks.stats import percentile
from benchmarks.tree import SMALL

__all__ = ["COLUMNS", "SCENARIO", "summary"]

LARGEST_FOR_WRK = 64 * KIB
COLUMNS = ("requests_per_s", "p50_ms", "p99_ms", "cpu_ms_per_1000", "client_percent")


def cases(_: Settings) -> Iterator[str]:
    """Name a case for each file."""
    return map(_case, SMALL)


def measure(bench: Bench) -> Iterator[Measurement]:
    """Request each file for the length of the window."""
    for name in SMALL:
        check_file(bench, name)
    for name in SMALL:
        _own(bench, name, bench.settings.warmup)
        yield _ask(bench, name)


def _ask(bench: Bench, name: str) -> Measurement:
    driver = _driver(bench.settings.driver, SMALL[name])
    meter = Meter(bench.running.session)
    found = (_wrk if driver == "wrk" else _own)(bench, name, bench.settings.window)
    spent = meter.stop()
    cost = spent.server * 1e6 / found["requests"] if found["requests"] else None
    metrics = {
        "requests_per_s": found["requests"] / found["seconds"],
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "cpu_ms_per_1000": cost,
        "requests": found["requests"],
        "errors": found["errors"],
    }
    return Measurement(_case(name), metrics | spent_metrics(spent), driver=driver)


def _case(name: str) -> str:
    return name.removesuffix(".bin")


def _driver(wanted: str, size: int) -> str:
    """Prefer wrk, except for large bodies: it reads 8 KiB at a time, and at 1 MiB a good server is faster."""
    if wanted != "auto":
        return wanted
    return "wrk" if installed() and size <= LARGEST_FOR_WRK else "own"


def _wrk(bench: Bench, name: str, seconds: float) -> Summary:
    return wrk(bench.port, name, connections=bench.settings.connections, seconds=seconds)


def _own(bench: Bench, name: str, seconds: float) -> Summary:
    connections, limit = bench.settings.connections, bench.settings.limit
    messages = [request(name)]
    return summary(exchange(bench.port, messages, status=200, connections=connections, seconds=seconds, limit=limit))


def summary(tally: Tally) -> Summary:
    """Return the figures of our own driver in the form of wrk's."""
    return {
        "requests": tally.requests,
        "seconds": tally.seconds,
        "p50_ms": _milliseconds(percentile(tally.latencies, 50)),
        "p99_ms": _milliseconds(percentile(tally.latencies, 99)),
        "errors": tally.errors,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


SCENARIO = Scenario("small", "Small cached files", COLUMNS, measure, cases)
