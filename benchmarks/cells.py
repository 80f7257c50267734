"""Columns and cells of the tables: a column comes from one run, and a cell without a figure says why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.report import NOTHING, figure, note, reason
from benchmarks.results import Run, Sample
from benchmarks.stats import Spread

__all__ = ["REQUESTS", "THROUGHPUT", "Cell", "Column", "cell", "crowd", "crowds", "servers"]


@dataclass(frozen=True, slots=True)
class Column:
    """One metric of one case, with its heading: the case, then the unit."""

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
    """Return a column about ``count`` slow clients."""
    return Column("slow", f"clients={count}", metric, f"{count:,} slow clients", unit)


def servers(runs: Sequence[Run]) -> dict[str, str]:
    """Return the titles of all servers by name."""
    return {name: about["title"] for run in runs for name, about in run.servers.items()}


def cell(runs: Sequence[Run], column: Column, server: str) -> Cell:
    """Look up a server in the first run that has the column's case; figures of two runs do not compare."""
    run = next((run for run in runs if column.case in run.cases(column.scenario)), None)
    about = run.servers.get(server) if run else None
    if run is None or about is None:
        return Cell(NOTHING)
    if about["missing"]:
        return Cell("missing" if column.scenario in about.get("scenarios", [column.scenario]) else NOTHING)
    samples = run.of(column.scenario, column.case, server)
    found = run.spread(column.scenario, column.case, server, column.metric)
    if found is None:
        return Cell(reason(samples, column.metric), remark=note(samples))
    return Cell(figure(found.median), found, "; ".join(_remarks(samples, column.metric)))


def _remarks(samples: Sequence[Sample], metric: str) -> Iterator[str]:
    silent = sum(each.silent(metric) for each in samples)
    if silent:
        yield f"too many probes without a response in {silent} of {len(samples)} rounds"
    if words := note(samples):
        yield words
