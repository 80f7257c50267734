"""A run as one JSON file: every raw sample, and the facts needed to repeat it."""

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.stats import Spread, spread

__all__ = ["RESULTS", "ResultError", "Run", "Sample", "latest", "load", "reading", "rehearse", "save"]

RESULTS = Path(__file__).parent / "results"
SCHEMA = 1
PERCENTILES = ("p50_ms", "p99_ms")  # metrics with these endings are None if too many requests got no response
FAULTS = (AttributeError, KeyError, OSError, TypeError, ValueError)  # the errors that another kind of file causes


class ResultError(Exception):
    """A file that is no result."""


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

    def silent(self, metric: str) -> bool:
        """Return whether too many requests got no response, so that this percentile is unknown."""
        return metric.endswith(PERCENTILES) and self.metrics.get(metric, 0) is None


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

    def expected(self, scenario: str) -> list[str]:
        """Return the expected cases, and all others that ran; an older result has only the latter."""
        named: list[str] = self.scenarios.get(scenario, {}).get("expected", [])
        return list(dict.fromkeys([*named, *self.cases(scenario)]))

    def contestants(self, scenario: str) -> list[str]:
        """Return the servers that take part in a scenario: that fit it, and are not missing."""
        there = {name: about for name, about in self.servers.items() if about.get("missing") is None}
        return [name for name, about in there.items() if scenario in (about.get("scenarios") or [])]

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
        """Return the median and range of a metric over the rounds; a round without a response ranks last."""
        samples = self.of(scenario, case, server)
        known = [value for each in samples if (value := each.metrics.get(metric)) is not None]
        return spread(known, silent=sum(each.silent(metric) for each in samples))


def save(run: Run, path: Path) -> None:
    """Write the run as a whole: after a failure the file is as it was before."""
    with _part(path) as part:
        part.write_text(_text(run))
        part.replace(path.resolve())


def rehearse(run: Run, path: Path) -> None:
    """Raise the error that `save` would raise, without changing the file."""
    with _part(path) as part:
        part.write_text(_text(run))


def _text(run: Run) -> str:
    return json.dumps(asdict(run), indent=1) + "\n"


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside the path; only a file can be replaced, not a stream."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file")
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def load(path: Path) -> Run:
    """Read a run. Raises ResultError if the file is not a result."""
    with reading():
        data = json.loads(path.read_text())
        samples = [Sample(**sample) for sample in data.pop("samples")]
        return Run(**data, samples=samples)


@contextmanager
def reading() -> Iterator[None]:
    """Raise ResultError for the errors that reading another kind of file causes."""
    try:
        yield
    except FAULTS as error:
        raise ResultError(f"not a result: {type(error).__name__}: {error}") from error


def latest(paths: Iterable[Path]) -> Path | None:
    """Return the newest result, by the date within; files that are not results are skipped with a message."""
    dates = {path: date for path in paths if (date := _date(path))}
    return max(dates, key=lambda path: dates[path], default=None)


def _date(path: Path) -> str:
    try:
        return str(load(path).date)
    except ResultError as error:
        print(f"{path}: passed over, {error}", file=sys.stderr)
        return ""
