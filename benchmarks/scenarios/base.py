"""The input of a scenario, and its measurements."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from benchmarks.load.messages import Response, fetch, request
from benchmarks.load.probe import Probe, Probed
from benchmarks.proc import Spent
from benchmarks.process import Cores, Running
from benchmarks.servers.base import HOST
from benchmarks.settings import KIB, BenchmarkError, Settings
from benchmarks.stats import percentile
from benchmarks.tree import LARGE, PROBE, Tree

__all__ = ["Bench", "Measurement", "Scenario", "check_file", "check_large", "probe_metrics", "spent_metrics"]

SATURATED = 90.0  # per cent of a core
Metrics = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Bench:
    """A fresh server, the files that it serves, and the settings of the run."""

    running: Running
    tree: Tree
    settings: Settings
    cores: Cores
    lacks: Mapping[str, str] = field(
        default_factory=dict
    )  # the reason for each protocol that the server does not speak
    server: str = ""  # the name of the server

    @property
    def port(self) -> int:
        """Return the port of the server."""
        return self.running.port

    def probe(self) -> Probe:
        """Return a probe that fetches the small file at the interval of the settings."""
        limits = {"interval": self.settings.probe_interval, "timeout": self.settings.probe_timeout}
        return Probe(self.port, PROBE, core=self.cores.probe, **limits)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One raw sample. If a server cannot do a case, there are no metrics, and the note gives the reason."""

    case: str
    metrics: Metrics = field(default_factory=dict)
    note: str = ""
    driver: str = "own"

    @property
    def client_saturated(self) -> bool:
        """Return whether the driver may have been slower than the server."""
        return (self.metrics.get("client_percent") or 0) > SATURATED


def _whole(settings: Settings) -> tuple[Settings]:
    """Run the scenario in one part."""
    return (settings,)


def _loopback(_: Settings) -> AbstractContextManager[str]:
    """Use the loopback address of this machine."""
    return nullcontext(HOST)


def _unforeseen(_: Settings) -> tuple[str, ...]:
    """Name no case: the cases are known only after the run."""
    return ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way to use a server; ``columns`` are the metrics of its tables, and the ratio is of the first.

    ``expected`` names the cases that the settings lead to, so that `check` finds a missing case. ``cases`` has the
    columns of each case that does not have all of them. ``baseline`` names the server of the ratio, if it is not the
    run's. ``network`` is open while a server runs, and gives the address on which the server listens.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    measure: Callable[[Bench], Iterator[Measurement]]
    expected: Callable[[Settings], Iterable[str]] = _unforeseen
    cases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secure: bool = False  # uses TLS
    parts: Callable[[Settings], Iterable[Settings]] = _whole  # each with a fresh server
    baseline: str = ""
    network: Callable[[Settings], AbstractContextManager[str]] = _loopback


def check_file(bench: Bench, name: str) -> None:
    """Compare a whole response with the file."""
    response = fetch(bench.port, request(name), host=bench.running.host)
    expected = bench.tree.slice(name, 0, bench.tree.size(name))
    if response.head.status != 200 or response.body != expected:
        raise BenchmarkError(f"{name}: {_found(response)}, not the file")


def check_large(bench: Bench, name: str = LARGE) -> None:
    """Compare the start of a response, and its length, with the file."""
    wanted = random.Random(name).randint(KIB, 64 * KIB)
    response = fetch(bench.port, request(name), wanted=wanted, host=bench.running.host)
    same = response.body == bench.tree.slice(name, 0, wanted)
    if response.head.status != 200 or response.head.length != bench.tree.size(name) or not same:
        raise BenchmarkError(f"{name}: {_found(response)}, not the file")


def _found(response: Response) -> str:
    return f"status {response.head.status} with Content-Length {response.head.length}"


def spent_metrics(spent: Spent) -> dict[str, float | None]:
    """Return how busy server and client were, in per cent of a core."""
    return {"server_percent": spent.server_percent, "client_percent": spent.client_percent}


def probe_metrics(probed: Probed) -> dict[str, float | None]:
    """Return the figures of a probe; a percentile among the timeouts is None."""
    known, undisturbed = _milliseconds(probed.latencies), _milliseconds(probed.undisturbed)
    return {
        "probe_p50_ms": percentile(known, 50),
        "probe_p99_ms": percentile(known, 99),
        "undisturbed_p99_ms": percentile(undisturbed, 99),
        "standstill_ms": probed.stood_still * 1000,
        "probe_timeouts": sum(value is None for value in known),
        "probes": len(known),
    }


def _milliseconds(latencies: list[float | None]) -> list[float | None]:
    return [None if seconds is None else seconds * 1000 for seconds in latencies]
