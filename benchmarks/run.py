"""Run scenarios over servers: every sample from a fresh server, in interleaved rounds (A B A B)."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.process import Cores, pinned, running
from benchmarks.results import Run, Sample
from benchmarks.scenarios.base import Bench, Measurement, Scenario
from benchmarks.servers import BASELINE
from benchmarks.servers.base import PYTHON, Server, Site
from benchmarks.settings import BenchmarkError, Settings, Unavailable
from benchmarks.tree import Tree, built

__all__ = ["execute", "prepare"]

FAILURES = (BenchmarkError, OSError, subprocess.SubprocessError)


def prepare(settings: Settings, scenarios: Sequence[Scenario], servers: Sequence[Server], command: str) -> Run:
    """Describe the run and all its servers, also those that are missing."""
    return Run(
        command=command,
        settings=asdict(settings),
        machine=describe(Cores.available()),
        servers={server.name: _describe(server) for server in servers},
        scenarios={each.name: _about(each, settings) for each in scenarios},
        baseline=BASELINE,
    )


def _nothing() -> None:
    """Do nothing."""


def execute(
    run: Run,
    settings: Settings,
    scenarios: Sequence[Scenario],
    servers: Sequence[Server],
    parent: Path,
    keep: Callable[[], object] = _nothing,
) -> None:
    """Add the samples to the run, and ``keep`` it after each server; on an interruption it has those until then."""
    begin = time.monotonic()
    present = [server for server in servers if run.servers[server.name]["missing"] is None]
    names = {scenario.name for scenario in scenarios}
    cores = Cores.available()
    try:
        with built(settings, parent, cold="cold" in names, listing="listing" in names) as tree, pinned(cores.client):
            for scenario, number, server, part in _order(scenarios, settings, present):
                for sample in _samples(scenario, number, server, tree, part, cores):
                    run.samples.append(sample)
                    _print_sample(sample)
                run.seconds = time.monotonic() - begin
                keep()
        run.complete = True
    finally:
        run.seconds = time.monotonic() - begin


def _order(
    scenarios: Sequence[Scenario], settings: Settings, servers: Sequence[Server]
) -> Iterator[tuple[Scenario, int, Server, Settings]]:
    """Yield a scenario's rounds one after the other, with every server in each part of one."""
    for scenario in scenarios:
        fitting = [server for server in servers if scenario.name in server.scenarios]
        for number in range(settings.rounds):
            for part in scenario.parts(settings):
                yield from ((scenario, number, server, part) for server in fitting)


def _samples(
    scenario: Scenario, number: int, server: Server, tree: Tree, settings: Settings, cores: Cores
) -> Iterator[Sample]:
    """Yield a fresh server's measurements; a failure is a sample too, so that no table hides it."""
    if scenario.secure and (reason := server.lacks.get("tls")):
        yield Sample(scenario=scenario.name, server=server.name, round=number, case="", note=reason)
        return
    try:
        with (
            scenario.network(settings) as host,
            running(server, tree.directory, cores.server, secure=scenario.secure, host=host) as process,
        ):
            for found in scenario.measure(Bench(process, tree, settings, cores, server.lacks, server.name)):
                yield _sample(scenario, number, server, found)
    except Unavailable as error:
        yield Sample(scenario=scenario.name, server=server.name, round=number, case="", note=str(error))
    except FAILURES as error:
        message = f"{type(error).__name__}: {error}"
        yield Sample(scenario=scenario.name, server=server.name, round=number, case="", error=message)


def _sample(scenario: Scenario, number: int, server: Server, found: Measurement) -> Sample:
    return Sample(
        scenario=scenario.name,
        case=found.case,
        server=server.name,
        round=number,
        metrics=dict(found.metrics),
        note=found.note,
        driver=found.driver,
        client_saturated=found.client_saturated,
    )


def _print_sample(sample: Sample) -> None:
    first = next((f"{name} {value:,.1f}" for name, value in sample.metrics.items() if value is not None), "")
    words = (f"{sample.scenario} {sample.case}", str(sample.round), sample.server, first, sample.note, sample.error)
    print("  ".join(word for word in words if word), file=sys.stderr, flush=True)


def _describe(server: Server) -> dict[str, Any]:
    missing = server.missing()
    return {
        "title": server.title,
        "missing": missing,
        "versions": "" if missing else server.versions(),
        **_start(server),
        **(_secure_start(server) if "tls" in server.scenarios - server.lacks.keys() else {"secure_command": None}),
        "client": server.client,
        "scenarios": sorted(server.scenarios),
    }


def _about(scenario: Scenario, settings: Settings) -> dict[str, Any]:
    cases = {case: list(columns) for case, columns in scenario.cases.items()}
    about = {
        "title": scenario.title,
        "columns": list(scenario.columns),
        "cases": cases,
        "expected": [*scenario.expected(settings)],
    }
    return about | ({"baseline": scenario.baseline} if scenario.baseline else {})


def _secure_start(server: Server) -> dict[str, Any]:
    return {f"secure_{name}": value for name, value in _start(server, secure=True).items()}


def _start(server: Server, *, secure: bool = False) -> dict[str, Any]:
    """Return the command line, and the configuration files that it uses."""
    with tempfile.TemporaryDirectory() as scratch:
        line = " ".join(server.command(Site(Path("DIRECTORY"), 65535, Path(scratch), secure)))
        files = {path.name: _lasting(path.read_text(), scratch) for path in sorted(Path(scratch).iterdir())}
    return {"command": _lasting(line, scratch), "configuration": files}


def _lasting(text: str, scratch: str) -> str:
    """Replace the parts that differ from start to start by words."""
    return text.replace(PYTHON, "python").replace("65535", "PORT").replace(scratch, "SCRATCH")
