"""The same large content from different sources: the speed and the cost of each."""

import time
from collections.abc import Iterator

from benchmarks.load.downloads import download
from benchmarks.load.messages import fetch, request
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_large
from benchmarks.scenarios.large import fetch_large
from benchmarks.scenarios.ranges import ask_random_ranges
from benchmarks.stats import percentile
from benchmarks.tree import LARGE

__all__ = ["SCENARIO", "first_bytes"]

CASE = "1 client, then ranges"
ATTEMPTS = 20
PAUSE = 0.02  # seconds in which a server notices that a client has left


def measure(bench: Bench) -> Iterator[Measurement]:
    """Fetch the whole content, its first byte, and random parts."""
    check_large(bench)
    download(bench.port, [LARGE], deadline=time.monotonic() + bench.settings.window)
    whole = fetch_large(bench, 1)
    first = first_bytes(bench, LARGE)
    parts = ask_random_ranges(bench)
    metrics = {
        "first_byte_ms": percentile(first, 50),
        "ranges_per_s": parts.metrics.get("requests_per_s"),
        "ranges_cpu_ms_per_1000": parts.metrics.get("cpu_ms_per_1000"),
        "errors": parts.metrics.get("errors"),
    }
    busiest = max(whole.metrics["client_percent"] or 0.0, parts.metrics.get("client_percent") or 0.0)
    notes = "; ".join(note for note in (whole.note, parts.note) if note)
    yield Measurement(CASE, {**whole.metrics, **metrics, "client_percent": busiest}, notes)


def first_bytes(bench: Bench, name: str) -> list[float | None]:
    """Return the milliseconds from opening a connection to the first byte of the body, several times."""
    return [_first_byte(bench, name) for _ in range(ATTEMPTS)]


def _first_byte(bench: Bench, name: str) -> float:
    time.sleep(PAUSE)
    begin = time.perf_counter()
    fetch(bench.port, request(name), wanted=1)
    return (time.perf_counter() - begin) * 1000


COLUMNS = ("mb_per_s", "cpu_ms_per_gb", "first_byte_ms", "ranges_per_s", "ranges_cpu_ms_per_1000", "client_percent")
SCENARIO = Scenario(
    "sources",
    "The large file from different sources, and random 64 KiB of it",
    COLUMNS,
    measure,
    lambda _: (CASE,),
)
