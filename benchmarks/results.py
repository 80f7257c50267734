"""A run as one JSON file: every raw sample, and what is needed to repeat it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.stats import Spread, spread

__all__ = ["RESULTS", "Run", "Sample", "latest", "load", "save"]

RESULTS = Path(__file__).parent / "results"
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of one server in one round; with an error or a note it may have no metrics."""

    scenario: str
    case: str
    server: str
    round: int
    metrics: dict[str, float | None] = field(default_factory=dict)
    note: str = ""
    driver: str = ""
    client_saturated: bool = False
    error: str = ""


@dataclass(slots=True, kw_only=True)
class Run:
    """Everything about one run; ``complete`` is false when it was interrupted."""

    command: str
    settings: dict[str, Any]
    machine: dict[str, Any]
    servers: dict[str, dict[str, Any]]
    scenarios: dict[str, dict[str, Any]]
    baseline: str
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    seconds: float = 0.0
    complete: bool = False
    samples: list[Sample] = field(default_factory=list)
    schema: int = SCHEMA

    def cases(self, scenario: str) -> list[str]:
        """Return the cases of a scenario, in the order they ran."""
        found = (each.case for each in self.samples if each.scenario == scenario and each.case)
        return list(dict.fromkeys(found))

    def columns(self, scenario: str, case: str) -> list[str]:
        """Return the metrics that are shown of a case, which may be fewer than its scenario has."""
        about = self.scenarios.get(scenario, {})
        columns: list[str] = about.get("cases", {}).get(case) or about.get("columns", [])
        return columns

    def of(self, scenario: str, case: str, server: str) -> list[Sample]:
        """Return a server's samples of a case; a failed one stands for every case of its scenario."""
        mine = (each for each in self.samples if (each.scenario, each.server) == (scenario, server))
        return [each for each in mine if each.case in {case, ""}]

    def spread(self, scenario: str, case: str, server: str, metric: str) -> Spread | None:
        """Return the median and range of a metric over the rounds."""
        return spread(each.metrics.get(metric) for each in self.of(scenario, case, server))


def save(run: Run, path: Path) -> None:
    """Write the run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(run), indent=1) + "\n")


def load(path: Path) -> Run:
    """Read a run."""
    data = json.loads(path.read_text())
    samples = [Sample(**sample) for sample in data.pop("samples")]
    return Run(**data, samples=samples)


def latest(paths: Iterable[Path]) -> Path | None:
    """Return the newest result, by the date within."""
    return max(paths, key=lambda path: load(path).date, default=None)
