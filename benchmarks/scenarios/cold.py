"""Files that are not in the page cache, read at the same time: do other clients wait for the disk?"""

import time
from collections.abc import Iterator

from benchmarks.load.downloads import download
from benchmarks.proc import Meter
from benchmarks.scenarios.base import (
    Bench,
    Measurement,
    Scenario,
    check_file,
    check_large,
    probe_metrics,
    spent_metrics,
)
from benchmarks.tree import PROBE, evict

__all__ = ["SCENARIO"]


def measure(bench: Bench) -> Iterator[Measurement]:
    """Evict the files and fetch all of them, each on its own connection."""
    check_file(bench, PROBE)
    check_large(bench)  # not a cold file: pages that sendfile has put into a socket cannot be evicted
    names = bench.tree.cold
    case = f"files={len(names)}"
    if not names:
        yield Measurement(case, note="no room for the files")
    elif False in [evict(bench.tree.directory / name) for name in names]:  # a list, so that each file is evicted
        yield Measurement(case, note="the files stay in the page cache")
    else:
        yield _fetch(bench, case)


def _fetch(bench: Bench, case: str) -> Measurement:
    with bench.probe() as probe:
        meter = Meter(bench.running.session)
        downloads = download(bench.port, bench.tree.cold, deadline=time.monotonic() + bench.settings.limit)
        spent = meter.stop()
        probed = probe.finish()
    received = sum(each.received for each in downloads)
    metrics = {
        "mb_per_s": received / 1e6 / spent.seconds,
        "cpu_ms_per_gb": spent.server * 1e12 / received if received else None,
        "bytes": received,
        "seconds": spent.seconds,
    }
    complete = sum(each.complete for each in downloads)
    note = "" if complete == len(downloads) else f"{complete} files finished within the limit"
    return Measurement(case, metrics | spent_metrics(spent) | probe_metrics(probed), note)


COLUMNS = (
    "mb_per_s",
    "cpu_ms_per_gb",
    "probe_p50_ms",
    "probe_p99_ms",
    "undisturbed_p99_ms",
    "standstill_ms",
    "probe_timeouts",
)
SCENARIO = Scenario("cold", "Cold files read at once, and a probe meanwhile", COLUMNS, measure)
