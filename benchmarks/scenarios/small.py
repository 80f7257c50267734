"""Small cached files, and short ranges, on keep-alive connections."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from benchmarks.load.exchange import Tally, exchange
from benchmarks.load.messages import fetch, request
from benchmarks.load.wrk import Summary, installed, wrk
from benchmarks.proc import Meter
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_file, spent_metrics
from benchmarks.settings import KIB, MIB, Settings
from benchmarks.stats import percentile
from benchmarks.tree import SMALL

__all__ = ["COLUMNS", "SCENARIO", "summary"]

LARGEST_FOR_WRK = 64 * KIB
RANGE = 10_000  # bytes
RANGES = 512  # distinct requests, sent in turn
SEED = 9110  # the same ranges for every server and round
COLUMNS = ("requests_per_s", "p50_ms", "p99_ms", "cpu_ms_per_1000", "client_percent")


@dataclass(frozen=True, slots=True)
class Case:
    """Requests that are sent in turn, and the status and the length of each response."""

    name: str
    file: str
    length: int
    status: int = 200
    ranges: tuple[str, ...] = ()

    @property
    def messages(self) -> list[bytes]:
        """Return the requests."""
        return [request(self.file, range=each) for each in self.ranges] or [request(self.file)]


def _ranges() -> tuple[str, ...]:
    """Return ranges at random offsets of the file of 1 MiB."""
    place = random.Random(SEED)
    starts = [place.randrange(MIB - RANGE) for _ in range(RANGES)]
    return tuple(f"bytes={start}-{start + RANGE - 1}" for start in starts)


CASES = (
    *(Case(name.removesuffix(".bin"), name, size) for name, size in SMALL.items()),
    Case("10 KB of 1m", "1m.bin", RANGE, 206, _ranges()),
)


def cases(_: Settings) -> Iterator[str]:
    """Name a case for each file, and one for the ranges."""
    return (case.name for case in CASES)


def measure(bench: Bench) -> Iterator[Measurement]:
    """Send the requests of each case for the length of the window."""
    for name in SMALL:
        check_file(bench, name)
    for case in CASES:
        head = fetch(bench.port, case.messages[0]).head
        if (head.status, head.length) == (case.status, case.length):
            _own(bench, case, bench.settings.warmup)
            yield _ask(bench, case)
        else:
            yield Measurement(case.name, note=f"status {head.status} with Content-Length {head.length}")


def _ask(bench: Bench, case: Case) -> Measurement:
    driver = _driver(bench.settings.driver, case.length)
    meter = Meter(bench.running.session)
    found = (_wrk if driver == "wrk" else _own)(bench, case, bench.settings.window)
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
    return Measurement(case.name, metrics | spent_metrics(spent), driver=driver)


def _driver(wanted: str, size: int) -> str:
    """Prefer wrk, except for large bodies: it reads 8 KiB at a time, and at 1 MiB a good server is faster."""
    if wanted != "auto":
        return wanted
    return "wrk" if installed() and size <= LARGEST_FOR_WRK else "own"


def _wrk(bench: Bench, case: Case, seconds: float) -> Summary:
    messages = case.messages if case.ranges else ()  # a script costs wrk time
    return wrk(bench.port, case.file, connections=bench.settings.connections, seconds=seconds, messages=messages)


def _own(bench: Bench, case: Case, seconds: float) -> Summary:
    count, limit = bench.settings.connections, bench.settings.limit
    ask = partial(exchange, bench.port, case.messages, status=case.status, connections=count, limit=limit)
    return summary(ask(seconds=seconds))


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


SCENARIO = Scenario("small", "Small cached files, and short ranges", COLUMNS, measure, cases)
