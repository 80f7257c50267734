"""Large directories, listed by four clients while another client fetches a small file."""

from collections.abc import Iterator

import httpx

from benchmarks.load.wrk import installed, wrk
from benchmarks.proc import Meter
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_file, probe_metrics, spent_metrics
from benchmarks.settings import KIB, BenchmarkError, Settings
from benchmarks.tree import PROBE, entry, listed

__all__ = ["SCENARIO"]

CLIENTS = 4
LIMIT = 30  # seconds that one page may take


def cases(settings: Settings) -> Iterator[str]:
    """Name a case for each size of directory."""
    return map(_case, settings.listed)


def measure(bench: Bench) -> Iterator[Measurement]:
    """List each directory for the length of the window."""
    check_file(bench, PROBE)
    for count in bench.settings.listed:
        if installed():
            yield _list(bench, count)
        else:
            yield Measurement(_case(count), note="wrk is not installed", driver="")


def _list(bench: Bench, count: int) -> Measurement:
    length, note = _page(bench, count)
    with bench.probe() as probe:
        meter = Meter(bench.running.session)
        found = wrk(bench.port, f"{listed(count)}/", connections=CLIENTS, seconds=bench.settings.window, timeout=LIMIT)
        spent = meter.stop()
        probed = probe.finish()
    metrics = {
        "requests_per_s": found["requests"] / found["seconds"],
        "p50_ms": found["p50_ms"],
        "page_kb": length / KIB,
        "errors": found["errors"],
    }
    return Measurement(_case(count), metrics | spent_metrics(spent) | probe_metrics(probed), note, "wrk")


def _page(bench: Bench, count: int) -> tuple[int, str]:
    """Return the length of the page in bytes, and a note if it does not name every entry."""
    page = httpx.get(f"http://{bench.running.address}/{listed(count)}/", timeout=LIMIT)
    found = sum(f">{entry(number)}<" in page.text for number in range(count))
    if page.status_code != 200 or not found:
        raise BenchmarkError(f"{listed(count)}: status {page.status_code}, without the names of the entries")
    return len(page.content), "" if found == count else f"the page names {found:,} of the entries"


def _case(count: int) -> str:
    return f"entries={count}"


COLUMNS = (
    "requests_per_s",
    "p50_ms",
    "page_kb",
    "probe_p50_ms",
    "probe_p99_ms",
    "undisturbed_p99_ms",
    "probe_timeouts",
    "server_percent",
)
SCENARIO = Scenario(
    "listing", "Large directories listed by four clients, and a probe meanwhile", COLUMNS, measure, cases
)
