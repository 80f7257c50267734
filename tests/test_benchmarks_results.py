"""Results of benchmarks: the kept ones are complete, and `check` finds the gaps of others."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tools.programs import run

from benchmarks.check import check
from benchmarks.cli import _command, main
from benchmarks.machine import describe, revision
from benchmarks.process import Cores
from benchmarks.results import RESULTS, Run, Sample, latest, load, save
from benchmarks.run import execute, prepare
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.settings import FULL, MIB, QUICK

Data = dict[str, Any]
KEPT = sorted(RESULTS.glob("*.json"))


def _run() -> Run:
    """Return a run of two servers, one of them missing, in two rounds."""
    here = {"title": "Here", "missing": None, "versions": "here 1.0", "command": "here", "scenarios": ["small"]}
    gone = {"title": "Gone", "missing": "no module gone", "versions": "", "command": "gone", "scenarios": ["small"]}
    samples = [
        Sample(
            scenario="small", case=case, server="here", round=number, metrics={"requests_per_s": 1.5, "p99_ms": None}
        )
        for case in ("1k", "64k")
        for number in (0, 1)
    ]
    return Run(
        command="python -m benchmarks run",
        settings={"rounds": 2, "clients": [1], "quick": False},
        machine=describe(Cores(0, 1, 2)),
        servers={"here": here, "gone": gone},
        scenarios={"small": {"title": "Small", "columns": ["requests_per_s", "p99_ms"]}},
        baseline="here",
        seconds=1.0,
        complete=True,
        samples=samples,
    )


def _without(*way: str) -> Callable[[Data], None]:
    """Return a function that empties the value at the end of the path."""

    def empty(data: Data) -> None:
        for name in way[:-1]:
            data = data[name]
        data[way[-1]] = type(data[way[-1]])()

    return empty


def _first(**changed: object) -> Callable[[Data], None]:
    """Return a function that changes the first sample, "small, 1k, here, round 0"."""
    return lambda data: data["samples"][0].update(changed)


def _saved(data: Data, folder: Path) -> Path:
    path = folder / "result.json"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("path", [pytest.param(each, id=each.name) for each in KEPT])
def test_a_kept_result_is_complete(path: Path) -> None:
    assert check(path) == []


def test_a_complete_result_passes(tmp_path: Path) -> None:
    save(_run(), tmp_path / "result.json")
    assert CliRunner().invoke(main, ["check", str(tmp_path / "result.json")]).exit_code == 0


@pytest.mark.parametrize(
    ("harm", "hole"),
    [
        pytest.param(_without("complete"), "the run was interrupted", id="interrupted"),
        pytest.param(_without("command"), "no command", id="no command line"),
        pytest.param(_without("machine"), "no machine", id="no machine"),
        pytest.param(_without("machine", "system"), "no system of the machine", id="no kernel"),
        pytest.param(_without("machine", "packages"), "no packages of the machine", id="no versions"),
        pytest.param(_without("machine", "revision"), "no revision of the machine", id="no revision"),
        pytest.param(_without("settings"), "no settings", id="no settings"),
        pytest.param(_without("settings", "clients"), "no value of the setting clients", id="an empty setting"),
        pytest.param(_without("settings", "rounds"), "no number of rounds in the settings", id="no rounds"),
        pytest.param(_without("servers"), "small: none of the servers takes part", id="no servers"),
        pytest.param(_without("servers", "here", "versions"), "here: no versions", id="no versions of a server"),
        pytest.param(_without("servers", "here", "command"), "here: no command", id="no command of a server"),
        pytest.param(_without("servers", "gone", "missing"), "gone: missing without a reason", id="no reason"),
        pytest.param(_without("scenarios", "small", "columns"), "small: no columns", id="no columns"),
        pytest.param(_without("samples"), "small, any case, here, round 1: no sample", id="no samples"),
        pytest.param(_first(error="OSError: no"), "small, 1k, here, round 0: OSError: no", id="an error"),
        pytest.param(_first(case="", error="no"), "small, here, round 0: no", id="a failed scenario"),
        pytest.param(_first(metrics={"p99_ms": 1}), "small, 1k, here, round 0: no requests_per_s", id="no metric"),
        pytest.param(_first(metrics={"p99_ms": float("nan")}), "small, 1k, here, round 0: p99_ms is nan", id="nan"),
        pytest.param(_first(metrics={"p99_ms": float("inf")}), "small, 1k, here, round 0: p99_ms is inf", id="inf"),
        pytest.param(
            _first(metrics={"requests_per_s": None, "p99_ms": None}),
            "small, 1k, here, round 0: no figure at all",
            id="no figure",
        ),
        pytest.param(_first(metrics={"p99_ms": "1"}), "small, 1k, here, round 0: p99_ms is 1", id="text for a figure"),
        pytest.param(_first(server="gone"), "small, 1k, here, round 0: no sample", id="no sample of a server"),
        pytest.param(_first(round=1), "small, 1k, here, round 0: no sample", id="no sample of a round"),
        pytest.param(_first(scenario="large"), "small, 1k, here, round 0: no sample", id="no sample of a scenario"),
        pytest.param(lambda data: data.pop("machine"), "not a result: TypeError", id="machine left out"),
        pytest.param(lambda data: data.pop("samples"), "not a result: KeyError", id="samples left out"),
    ],
)
def test_a_gap_is_found(harm: Callable[[Data], None], hole: str, tmp_path: Path) -> None:
    data = asdict(_run())
    harm(data)
    assert any(line.startswith(hole) for line in check(_saved(data, tmp_path)))


def test_an_expected_case_without_a_sample_is_a_gap(tmp_path: Path) -> None:
    data = asdict(_run())
    data["scenarios"]["small"]["expected"] = ["1k", "64k", "1m"]
    assert check(_saved(data, tmp_path)) == [f"small, 1m, here, round {number}: no sample" for number in (0, 1)]


@pytest.mark.parametrize("path", [pytest.param(each, id=each.name) for each in KEPT])
def test_a_scenario_expects_the_cases_of_its_results(path: Path) -> None:
    run = load(path)
    names = ("clients", "slow_clients", "leaving_clients")
    settings = replace(FULL, **{name: run.settings[name] for name in names})
    for name in run.scenarios.keys() - {"cold"}:  # the number of files depends on the free space
        known = [case for case in SCENARIOS[name].expected(settings) if case in run.cases(name)]
        assert known == run.cases(name)  # a case that was added later is not in an older result


def test_a_run_records_the_expected_cases() -> None:
    run = prepare(replace(FULL, clients=(1, 8)), [SCENARIOS["large"], SCENARIOS["cold"]], [], "a test")
    assert [run.expected(name) for name in run.scenarios] == [["clients=1", "clients=8"], []]


def test_a_file_that_ends_early_is_no_result(tmp_path: Path) -> None:
    path = _saved(asdict(_run()), tmp_path)
    os.truncate(path, 100)
    [line] = check(path)
    assert line.startswith("not a result: JSONDecodeError")


def test_a_case_that_a_server_cannot_do_is_no_gap(tmp_path: Path) -> None:
    data = asdict(_run())
    _first(metrics={}, note="sends no ETag")(data)
    assert check(_saved(data, tmp_path)) == []


def test_the_command_fails_with_a_line_for_each_gap(tmp_path: Path) -> None:
    data = asdict(_run()) | {"complete": False, "command": ""}
    path = _saved(data, tmp_path)
    ended = CliRunner().invoke(main, ["check", str(path)])
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [f"{path}: the run was interrupted", f"{path}: no command"]


def test_the_newest_result_has_the_latest_date(tmp_path: Path) -> None:
    for name, date in (
        ("20270101T000000Z-full.json", "2027-01-01T00:00:00+00:00"),
        ("a.json", "2026-01-01"),
        ("z.json", "2026-02-01"),
    ):
        run = _run()
        run.date = date
        save(run, tmp_path / name)
    assert latest(tmp_path.glob("*.json")) == tmp_path / "20270101T000000Z-full.json"


def test_a_saved_run_is_loaded_as_it_was(tmp_path: Path) -> None:
    run = _run()
    save(run, tmp_path / "result.json")
    assert load(tmp_path / "result.json") == run


def test_a_run_is_kept_after_each_server(tmp_path: Path) -> None:
    settings, scenario, server = replace(QUICK, large_size=MIB, rounds=3), SCENARIOS["tls"], SERVERS["flask-waitress"]
    run, path = prepare(settings, [scenario], [server], "a test"), tmp_path / "result.json"
    run.servers[server.name]["missing"] = None
    kept = []

    def keep() -> None:
        save(run, path)
        kept.append((len(load(path).samples), load(path).complete))

    execute(run, settings, [scenario], [server], tmp_path, keep)
    assert kept == [(1, False), (2, False), (3, False)]


def test_a_result_has_the_configuration_of_nginx() -> None:
    about = prepare(QUICK, [], [SERVERS["nginx"]], "a test").servers["nginx"]
    assert "sendfile on;" in about["configuration"]["nginx.conf"]
    assert "ssl_certificate SCRATCH/certificate.pem;" in about["secure_configuration"]["nginx.conf"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a repository of one commit."""
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "commit.gpgsign=false")
    run("git", "init", "-q", cwd=tmp_path)
    run("git", *identity, "commit", "-q", "--allow-empty", "-m", "first", cwd=tmp_path)
    return tmp_path


def test_a_revision_is_a_commit(tree: Path) -> None:
    commit = run("git", "rev-parse", "HEAD", cwd=tree).decode()
    assert commit.startswith(revision(tree))


def test_a_revision_is_marked_as_dirty_if_a_file_is_new(tree: Path) -> None:
    (tree / "new.py").touch()
    assert revision(tree).endswith("-dirty")


def test_a_new_result_does_not_make_a_revision_dirty(tree: Path) -> None:
    before = revision(tree)
    save(_run(), tree / "benchmarks/results/new.json")
    assert revision(tree) == before


def test_without_a_repository_the_revision_is_unknown(tmp_path: Path) -> None:
    assert revision(tmp_path) == "unknown"


def test_the_recorded_command_has_no_output_file() -> None:
    assert _command(["run", "-o", "/tmp/a.json", "--quick"]) == "python -m benchmarks run --quick"
    assert _command(["run", "--output", "/tmp/a.json"]) == "python -m benchmarks run"
