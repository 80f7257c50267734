"""One large cached file: the speed, and the CPU time of the server per gigabyte."""

import time
from collections.abc import Iterator

from benchmarks.load.downloads import download
from benchmarks.proc import Meter
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_large, spent_metrics
from benchmarks.settings import Settings
from benchmarks.tree import LARGE

__all__ = ["SCENARIO", "fetch_large"]


def cases(settings: Settings) -> Iterator[str]:
    """Name a case for each number of clients."""
    return (_case(clients) for clients in settings.clients)


def measure(bench: Bench) -> Iterator[Measurement]:
    """Fetch the file with each number of clients."""
    check_large(bench)
    download(bench.port, [LARGE], deadline=time.monotonic() + bench.settings.window)
    for clients in bench.settings.clients:
        yield fetch_large(bench, clients)


def fetch_large(bench: Bench, clients: int) -> Measurement:
    """Repeat the downloads until the window is over; the last round may end."""
    meter = Meter(bench.running.session)
    begin = time.monotonic()
    received, complete = 0, True
    while complete and time.monotonic() < begin + bench.settings.window:
        downloads = download(bench.port, [LARGE] * clients, deadline=begin + bench.settings.limit)
        received += sum(each.received for each in downloads)
        complete = all(each.complete for each in downloads)
    spent = meter.stop()
    metrics = {
        "mb_per_s": received / 1e6 / spent.seconds,
        "cpu_ms_per_gb": spent.server * 1e12 / received if received else None,
        "bytes": received,
        "seconds": spent.seconds,
    }
    note = "" if complete else "not finished within the limit"
    return Measurement(_case(clients), metrics | spent_metrics(spent), note)


def _case(clients: int) -> str:
    return f"clients={clients}"


COLUMNS = ("mb_per_s", "cpu_ms_per_gb", "server_percent", "client_percent")
SCENARIO = Scenario("large", "A large cached file", COLUMNS, measure, cases)
