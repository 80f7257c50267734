"""Check that a result is complete. Its figures are not judged: there is no threshold."""

import math
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import ResultError, Run, Sample, load, reading

__all__ = ["check", "holes"]

MACHINE = ("system", "architecture", "cpu", "cores", "memory", "pinned", "python", "revision", "packages")
SERVER = ("title", "versions", "command", "scenarios")  # of a server that is not missing
SCENARIO = ("title", "columns")


def check(path: Path) -> list[str]:
    """Return one line for each missing part; an empty list means that the result is complete."""
    try:
        with reading():
            return list(holes(load(path)))
    except ResultError as error:
        return [str(error)]


def holes(run: Run) -> Iterator[str]:
    """Yield the missing parts of the run."""
    if not run.complete:
        yield "the run was interrupted"
    yield from _undescribed(run)
    yield from _unmeasured(run)
    for sample in run.samples:
        yield from _faults(run, sample)


def _undescribed(run: Run) -> Iterator[str]:
    """Yield which facts about the run are missing."""
    for name in ("command", "date", "seconds", "settings", "machine", "servers", "scenarios", "samples"):
        if not getattr(run, name):
            yield f"no {name}"
    yield from (f"no {name} of the machine" for name in MACHINE if not run.machine.get(name))
    yield from (f"no value of the setting {name}" for name, value in run.settings.items() if value in (None, "", []))
    if not run.settings.get("rounds"):
        yield "no number of rounds in the settings"
    for scenario, about in run.scenarios.items():
        yield from (f"{scenario}: no {name}" for name in SCENARIO if not about.get(name))
    for server, about in run.servers.items():
        if about.get("missing") is None:
            yield from (f"{server}: no {name}" for name in SERVER if not about.get(name))
        elif not about["missing"]:
            yield f"{server}: missing without a reason"


def _unmeasured(run: Run) -> Iterator[str]:
    """Yield the samples that are missing. A failed scenario is not missing: it is a sample with an error."""
    there = {(each.scenario, each.case, each.server, each.round) for each in run.samples}
    for scenario in run.scenarios:
        fitting = run.contestants(scenario)
        if not fitting:
            yield f"{scenario}: none of the servers takes part"
        for server in fitting:
            for number in range(run.settings.get("rounds", 0)):
                for case in run.expected(scenario) or ["any case"]:
                    if not {(scenario, name, server, number) for name in (case, "")} & there:
                        yield f"{scenario}, {case}, {server}, round {number}: no sample"


def _faults(run: Run, sample: Sample) -> Iterator[str]:
    """Yield the faults of a sample. None is allowed: an unknown figure, such as a percentile among timeouts."""
    where = ", ".join(word for word in (sample.scenario, sample.case, sample.server, f"round {sample.round}") if word)
    if sample.error:
        yield f"{where}: {sample.error}"
        return
    for name, value in sample.metrics.items():
        if value is not None and not _finite(value):
            yield f"{where}: {name} is {value}"
    if not sample.note:
        columns = run.columns(sample.scenario, sample.case)
        yield from (f"{where}: no {name}" for name in columns if name not in sample.metrics)
        if all(sample.metrics.get(name) is None for name in columns):
            yield f"{where}: no figure at all, and no note that says why"


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
