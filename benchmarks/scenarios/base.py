"""What a scenario is given, and what it gives back."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.load.messages import Answer, fetch, request
from benchmarks.load.probe import Probe, Probed
from benchmarks.proc import Spent
from benchmarks.process import Cores, Running
from benchmarks.settings import KIB, BenchmarkError, Settings
from benchmarks.stats import percentile
from benchmarks.tree import LARGE, PROBE, Tree

__all__ = ["Bench", "Measurement", "Scenario", "check_file", "check_large", "probe_metrics", "spent_metrics"]

SATURATED = 90.0  # per cent of a core
Metrics = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Bench:
    """A fresh server, the files it serves, and how much to do."""

    running: Running
    tree: Tree
    settings: Settings
    cores: Cores
    lacks: Mapping[str, str] = field(default_factory=dict)  # a protocol the server does not speak, and why
    server: str = ""  # its name

    @property
    def port(self) -> int:
        """Return where the server listens."""
        return self.running.port

    def probe(self) -> Probe:
        """Start asking for the small file every so often."""
        limits = {"interval": self.settings.probe_interval, "timeout": self.settings.probe_timeout}
        return Probe(self.port, PROBE, core=self.cores.probe, **limits)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One raw sample; a case that a server cannot do has no metrics and a note that says why."""

    case: str
    metrics: Metrics = field(default_factory=dict)
    note: str = ""
    driver: str = "own"

    @property
    def client_saturated(self) -> bool:
        """Tell whether the driver may have been slower than the server."""
        return (self.metrics.get("client_percent") or 0) > SATURATED


def _whole(settings: Settings) -> tuple[Settings]:
    """Take all in one part."""
    return (settings,)


def _unforeseen(_: Settings) -> tuple[str, ...]:
    """Name no case: which ones there are shows when it runs."""
    return ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way to use a server; ``columns`` are the metrics of its tables, and the ratio is of the first.

    ``expected`` names the cases that come of such settings, so that one that is absent is missed. ``cases`` has the
    columns of each case that is without some of them; ``baseline`` is what the ratio is to, when that is another one
    than the run's.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    measure: Callable[[Bench], Iterator[Measurement]]
    expected: Callable[[Settings], Iterable[str]] = _unforeseen
    cases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secure: bool = False  # by TLS
    parts: Callable[[Settings], Iterable[Settings]] = _whole  # each with a fresh server
    baseline: str = ""


def check_file(bench: Bench, name: str) -> None:
    """Compare a whole answer with the file."""
    answer = fetch(bench.port, request(name))
    expected = bench.tree.slice(name, 0, bench.tree.size(name))
    if answer.head.status != 200 or answer.body != expected:
        raise BenchmarkError(f"{name}: {_found(answer)}, not the file")


def check_large(bench: Bench, name: str = LARGE) -> None:
    """Compare the start of an answer, and its length, with the file."""
    wanted = random.Random(name).randint(KIB, 64 * KIB)
    answer = fetch(bench.port, request(name), wanted=wanted)
    same = answer.body == bench.tree.slice(name, 0, wanted)
    if answer.head.status != 200 or answer.head.length != bench.tree.size(name) or not same:
        raise BenchmarkError(f"{name}: {_found(answer)}, not the file")


def _found(answer: Answer) -> str:
    return f"answered {answer.head.status} with Content-Length {answer.head.length}"


def spent_metrics(spent: Spent) -> dict[str, float | None]:
    """Say how busy both sides were."""
    return {"server_percent": spent.server_percent, "client_percent": spent.client_percent}


def probe_metrics(probed: Probed) -> dict[str, float | None]:
    """Sum up a probe; a percentile that falls among the timeouts is None."""
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
