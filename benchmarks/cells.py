"""What is shown of results: a column comes from one run, and a cell without a figure says why."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.report import NOTHING, figure, note
from benchmarks.results import Run, Sample
from benchmarks.stats import Spread

__all__ = ["REQUESTS", "THROUGHPUT", "Cell", "Column", "cell", "crowd", "crowds", "servers"]


@dataclass(frozen=True, slots=True)
class Column:
    """One metric of one case, and what it is called: the case, then the unit."""

    scenario: str
    case: str
    metric: str
    title: str
    unit: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A server in a column: the median in words, or why there is none; the remark is for a footnote."""

    words: str
    spread: Spread | None = None
    remark: str = ""


THROUGHPUT = Column("large", "clients=1", "mb_per_s", "1 GiB file", "MB/s")
REQUESTS = Column("small", "1k", "requests_per_s", "1 KiB files", "requests/s")


def crowds(runs: Sequence[Run]) -> list[int]:
    """Return every number of slow clients that was measured."""
    return sorted({int(case.partition("=")[2]) for run in runs for case in run.cases("slow")})


def crowd(count: int, metric: str, unit: str) -> Column:
    """Return a column about so many slow clients."""
    return Column("slow", f"clients={count}", metric, f"{count:,} slow clients", unit)


def servers(runs: Sequence[Run]) -> dict[str, str]:
    """Return the titles of all servers by name."""
    return {name: about["title"] for run in runs for name, about in run.servers.items()}


def cell(runs: Sequence[Run], column: Column, server: str) -> Cell:
    """Look up a server in the first run that has the column's case; never in two, whose figures do not compare."""
    run = next((run for run in runs if column.case in run.cases(column.scenario)), None)
    if run is None or server not in run.servers:
        return Cell(NOTHING)
    if run.servers[server]["missing"]:
        return Cell("missing")
    samples = run.of(column.scenario, column.case, server)
    found = _spread(samples, column.metric)
    if found is None:
        return Cell(_why(samples, column.metric), remark=note(samples))
    return Cell(figure(found.median), found, "; ".join(_remarks(samples, column.metric)))


def _spread(samples: Sequence[Sample], metric: str) -> Spread | None:
    """Return the median and range; a round whose probes were silent ranks behind every other one."""
    known = [value for each in samples if (value := each.metrics.get(metric)) is not None]
    middle = median([*known, *(math.inf for each in samples if _silent(each, metric))] or [math.inf])
    return None if math.isinf(middle) else Spread(middle, min(known), max(known))


def _silent(sample: Sample, metric: str) -> bool:
    """Say whether so many probes timed out that their percentile is not known."""
    return metric.startswith("probe_p") and sample.metrics.get(metric, 0) is None


def _why(samples: Sequence[Sample], metric: str) -> str:
    """Say why there is no figure."""
    silent = [each for each in samples if _silent(each, metric)]
    if silent:
        lost = sum(each.metrics.get("probe_timeouts") or 0 for each in silent)
        asked = sum(each.metrics.get("probes") or 0 for each in silent)
        return "no answer" if lost >= asked else f"{math.floor(100 * lost / asked)} % unanswered"
    return "failed" if any(each.error for each in samples) else NOTHING


def _remarks(samples: Sequence[Sample], metric: str) -> Iterator[str]:
    silent = sum(_silent(each, metric) for each in samples)
    if silent:
        yield f"too many probes without an answer in {silent} of {len(samples)} rounds"
    if words := note(samples):
        yield words
