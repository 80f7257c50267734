"""Clients at the far end of a long-distance line: downloads, and small files over new connections."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.load.companion import Companion
from benchmarks.load.far import run_far
from benchmarks.load.line import SERVER
from benchmarks.proc import Meter
from benchmarks.process import Cores
from benchmarks.scenarios.base import Bench, Measurement, Scenario, check_file, check_large, spent_metrics
from benchmarks.settings import FULL, QUICK, Line, Settings, Unavailable
from benchmarks.stats import percentile
from benchmarks.tree import LARGE, PROBE

__all__ = ["SCENARIO"]

DOWNLOADS = (1, 64)
TUN = Path("/dev/net/tun")


def parts(settings: Settings) -> Iterator[Settings]:
    """Yield a part for each line: the server starts when its line is up."""
    for line in settings.lines:
        yield replace(settings, lines=(line,))


@contextmanager
def network(settings: Settings) -> Iterator[str]:
    """Connect a new network namespace by the line of the settings. Raises Unavailable if the machine cannot do so."""
    if reason := _lack():
        raise Unavailable(reason)
    [line] = settings.lines
    _ip("netns", "add", _namespace())
    try:
        core = Cores.available().probe
        with Companion("benchmarks.load.line", _namespace(), line.round_trip, line.loss, core=core):
            yield SERVER
    finally:
        _ip("netns", "del", _namespace())


def _lack() -> str:
    """Return why this machine cannot have a line."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    if not shutil.which("ip"):
        return "ip (iproute2) is not installed"
    return "" if TUN.exists() else f"there is no {TUN}"


def _ip(*words: str) -> None:
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"no network namespace: {error.stderr.strip()}") from error


def _namespace() -> str:
    return f"benchmark-{os.getpid()}"


def measure(bench: Bench) -> Iterator[Measurement]:
    """Download the large file once and 64 times at once; then fetch the small one over new connections."""
    check_file(bench, PROBE)
    check_large(bench)
    for line in bench.settings.lines:
        for count in DOWNLOADS:
            yield _download(bench, line, count)
        yield _connect(bench, line)


def _download(bench: Bench, line: Line, count: int) -> Measurement:
    meter = Meter(bench.running.session)
    found = _load(bench, "download", LARGE, count)
    spent, received = meter.stop(), found["received"]
    metrics = {
        "mb_per_s": received / 1e6 / found["seconds"],
        "cpu_ms_per_gb": spent.server * 1e12 / received if received else None,
        "started": found["started"],
        "bytes": received,
    }
    return Measurement(_downloads(line, count), metrics | spent_metrics(spent))


def _connect(bench: Bench, line: Line) -> Measurement:
    meter = Meter(bench.running.session)
    found = _load(bench, "connect", PROBE, bench.settings.connections)
    spent, milliseconds = meter.stop(), [seconds * 1000 for seconds in found["latencies"]]
    count = len(milliseconds)
    metrics = {
        "requests_per_s": count / found["seconds"],
        "p50_ms": percentile(milliseconds, 50),
        "p99_ms": percentile(milliseconds, 99),
        "cpu_ms_per_1000": spent.server * 1e6 / count if count else None,
        "errors": found["errors"],
    }
    return Measurement(_connections(line), metrics | spent_metrics(spent))


def _load(bench: Bench, kind: str, name: str, count: int) -> dict[str, Any]:
    running, seconds = bench.running, bench.settings.line_window
    return run_far(_namespace(), kind, running.host, running.port, name, count, seconds)


def _title(line: Line) -> str:
    return f"{line.round_trip} ms{f', {line.loss * 100:g} % loss' if line.loss else ''}"


def _downloads(line: Line, count: int) -> str:
    return f"{_title(line)}: {count} download{'s' if count > 1 else ''}"


def _connections(line: Line) -> str:
    return f"{_title(line)}: new connections"


def cases(settings: Settings) -> Iterator[str]:
    """Name the cases of each line."""
    for line in settings.lines:
        yield from (_downloads(line, count) for count in DOWNLOADS)
        yield _connections(line)


THROUGHPUT = ("mb_per_s", "cpu_ms_per_gb", "started", "server_percent")
FREQUENCY = ("requests_per_s", "p50_ms", "p99_ms", "cpu_ms_per_1000")
COLUMNS = {
    name: FREQUENCY if name.endswith("connections") else THROUGHPUT
    for settings in (FULL, QUICK)
    for name in cases(settings)
}
SCENARIO = Scenario(
    "far",
    "Clients behind a line of 100 Mbit/s, by its round trip",
    tuple(dict.fromkeys((*THROUGHPUT, *FREQUENCY))),
    measure,
    cases,
    cases=COLUMNS,
    parts=parts,
    network=network,
)
