"""The commands of the benchmarks: they refuse early, with one line, and lose no measurement."""

import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.cli import main
from benchmarks.process import Cores
from benchmarks.results import Run, Sample, load, save

FULL_DISK = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
SMALL = ("run", "--quick", "--scenario", "small", "--server", "serve-asyncio")
JUNK = [
    pytest.param("", id="empty"),
    pytest.param("import os\n", id="a program"),
    pytest.param("\x00", id="zeros"),
    pytest.param("{}", id="object"),
    pytest.param("[]", id="list"),
    pytest.param("null", id="null"),
    pytest.param('"samples"', id="string"),
    pytest.param('{"samples": []}', id="no more than samples"),
    pytest.param('{"samples": [1]}', id="samples of another kind"),
]


def _call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def _run(*samples: Sample, quick: bool = False, **machine: object) -> Run:
    """Return a run of one server; the machine is one whose cores are enough."""
    pins = {"server": 0, "client": 1, "probe": 2}
    named = dict.fromkeys(("cpu", "cores", "memory", "system", "python", "revision"), "a word")
    return Run(
        command="python -m benchmarks run",
        settings={"rounds": 4, "quick": quick},
        machine={**named, "pinned": pins, **machine},
        servers={"here": {"title": "Here", "missing": None, "versions": "1", "command": "here", "scenarios": ["slow"]}},
        scenarios={"slow": {"title": "Slow", "columns": ["started", "probe_p99_ms"]}},
        baseline="here",
        complete=True,
        samples=list(samples),
    )


def _rounds(*p99: float | None, case: str = "clients=10") -> Iterator[Sample]:
    """Yield a sample for each percentile; with None three in four probes timed out."""
    for number, each in enumerate(p99):
        metrics = {"started": 10, "probe_p99_ms": each, "probes": 200, "probe_timeouts": 0 if each else 150}
        yield Sample(scenario="slow", case=case, server="here", round=number, metrics=metrics)


def _saved(path: Path, run: Run) -> Path:
    save(run, path)
    return path


@contextmanager
def _no_room() -> Iterator[None]:
    """Limit the size of every file to 100 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if the command measures anything."""

    def measure(*_: object) -> None:
        raise AssertionError("it measures")

    monkeypatch.setattr("benchmarks.cli.execute", measure)


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finish the run at once with one sample."""

    def measure(run: Run, *_: object) -> None:
        run.samples.extend(_rounds(1))
        run.complete = True

    monkeypatch.setattr("benchmarks.cli.execute", measure)


@pytest.mark.parametrize("name", ["/dev/full", "/proc/result.json", "file/result.json", f"{'n' * 300}.json"])
@pytest.mark.usefixtures("unmeasured")
def test_a_result_that_cannot_be_written_is_refused_before_the_measurement(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = _call(*SMALL, "-o", tmp_path / name)
    assert (ended.exit_code, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert "cannot be written" in line
    assert line.endswith("name another file with -o")


@pytest.mark.usefixtures("unmeasured")
def test_a_full_disk_is_reported_before_the_measurement(tmp_path: Path) -> None:
    with _no_room():
        ended = _call(*SMALL, "-o", tmp_path / "result.json")
    assert (ended.exit_code, list(tmp_path.iterdir())) == (2, [])


def test_a_failed_save_keeps_the_old_result(tmp_path: Path) -> None:
    path = _saved(tmp_path / "result.json", _run(*_rounds(1)))
    with _no_room(), pytest.raises(OSError, match="too large"):
        save(_run(), path)
    assert load(path).samples == list(_rounds(1))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("instant")
def test_an_error_at_the_last_save_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FULL_DISK

    monkeypatch.setattr("benchmarks.cli.save", fail)
    ended = _call(*SMALL, "-o", tmp_path / "result.json")
    assert (ended.exit_code, ended.stderr.count("\n")) == (1, 1)
    assert "not saved, No space left on device" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_sample_keeps_the_old_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FULL_DISK

    monkeypatch.setattr("benchmarks.cli.execute", fail)
    path = _saved(tmp_path / "result.json", _run(*_rounds(1)))
    ended = _call(*SMALL, "--directory", tmp_path, "-o", path)
    assert (ended.exit_code, load(path).complete) == (1, True)
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"{tmp_path}: no place for the files, No space left on device; ")


@pytest.mark.parametrize("text", JUNK)
def test_another_kind_of_file_is_reported_in_one_line(text: str, tmp_path: Path) -> None:
    junk, good = tmp_path / "junk.json", _saved(tmp_path / "good.json", _run(*_rounds(1)))
    junk.write_text(text)
    for arguments in (["report", junk], ["compare", good, junk], ["compare", junk, good]):
        ended = _call(*arguments)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert ended.stderr.startswith(f"{junk}: not a result: ")
        assert ended.stderr.count("\n") == 1
    assert _call("check", junk).stderr.startswith(f"{junk}: not a result: ")


def test_an_incomplete_result_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(asdict(_run(*_rounds(1))) | {"machine": {}}))
    assert _call("report", path).stderr == f"{path}: not a result: KeyError: 'pinned'\n"
    assert _call("compare", path, path).stderr == f"{path}, {path}: not a result: KeyError: 'revision'\n"


def test_a_damaged_result_is_not_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.cli.RESULTS", tmp_path)
    _saved(tmp_path / "a.json", _run(*_rounds(1)))
    (tmp_path / "b.json").touch()
    ended = _call("report")
    assert (ended.exit_code, "## Slow" in ended.stdout) == (0, True)
    assert ended.stderr.startswith(f"{tmp_path / 'b.json'}: passed over, not a result: ")


@pytest.mark.parametrize(
    ("rounds", "words"),
    [
        pytest.param([None, None, None, 498], "75 % unanswered", id="most without a response"),
        pytest.param([None, None, 498, 499], "75 % unanswered", id="half without a response"),
        pytest.param([None, 3, 4, 5], "4.50 (3 to no response)", id="one without a response ranks last"),
        pytest.param([2, 3, 4], "3 (2 to 4)", id="all with a response"),
    ],
)
def test_a_report_ranks_a_round_without_a_response_last(rounds: list[float | None], words: str, tmp_path: Path) -> None:
    path = _saved(tmp_path / "result.json", _run(*_rounds(*rounds)))
    assert f"| Here | 10 | {words} |" in _call("report", path).stdout


def test_a_comparison_shows_a_lost_response(tmp_path: Path) -> None:
    before = _saved(tmp_path / "before.json", _run(*_rounds(2)))
    after = _saved(tmp_path / "after.json", _run(*_rounds(None, None, 3)))
    assert "| probe p99 ms | 2 | 75 % unanswered | - |" in _call("compare", before, after).stdout


def test_two_results_without_a_common_case_are_refused_in_one_line(tmp_path: Path) -> None:
    before = _saved(tmp_path / "before.json", _run(*_rounds(2)))
    after = _saved(tmp_path / "after.json", _run(*_rounds(2, case="clients=20")))
    ended = _call("compare", before, after)
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)


@pytest.mark.parametrize(
    ("quick", "warned"), [pytest.param(True, True, id="quick"), pytest.param(False, False, id="full")]
)
def test_a_comparison_of_a_quick_and_a_full_run_has_a_warning(quick: bool, warned: bool, tmp_path: Path) -> None:
    before = _saved(tmp_path / "before.json", _run(*_rounds(2)))
    after = _saved(tmp_path / "after.json", _run(*_rounds(2), quick=quick))
    assert ("A quick run (after) and a full one (before)" in _call("compare", before, after).stdout) is warned


@pytest.mark.parametrize("scenarios", [["client"], ["small", "client"], ["sources", "client"]])
@pytest.mark.usefixtures("unmeasured")
def test_a_scenario_without_a_server_is_refused(scenarios: list[str], tmp_path: Path) -> None:
    named = [word for each in scenarios for word in ("--scenario", each)]
    ended = _call("run", "--quick", *named, "--server", "serve-asyncio", "-o", tmp_path / "result.json")
    assert (ended.exit_code, ended.stdout, list(tmp_path.iterdir())) == (2, "", [])
    [line] = ended.stderr.splitlines()
    assert "none of the servers takes part in" in line


@pytest.mark.usefixtures("instant")
def test_a_server_may_have_only_some_scenarios(tmp_path: Path) -> None:
    assert _call("run", "--quick", "--server", "serve-asyncio", "-o", tmp_path / "result.json").exit_code == 0


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1"])
@pytest.mark.usefixtures("unmeasured")
def test_a_window_is_a_number_of_seconds(seconds: str, tmp_path: Path) -> None:
    assert _call(*SMALL, "--window", seconds, "-o", tmp_path / "result.json").exit_code == 2


@pytest.mark.usefixtures("instant")
def test_a_shared_core_is_mentioned_at_the_start_and_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cores, "available", lambda: Cores(3, 3, 3))
    path = tmp_path / "result.json"
    assert "share core 3" in _call(*SMALL, "-o", path).stderr
    assert "share core 3" in _call("report", path).stdout


def test_separate_cores_are_not_mentioned(tmp_path: Path) -> None:
    assert "share core" not in _call("report", _saved(tmp_path / "result.json", _run(*_rounds(1)))).stdout


def test_a_report_has_the_load_before_the_run(tmp_path: Path) -> None:
    path = _saved(tmp_path / "result.json", _run(*_rounds(1), load_before=7.706))
    assert "load of 7.71" in _call("report", path).stdout


def test_the_list_shows_missing_drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = [line.split(maxsplit=2) for line in _call("list").stdout.splitlines()]
    missing = "[missing: not installed]"
    assert [line for line in lines if line[0] == "driver"] == [["driver", each, missing] for each in ("wrk", "h2load")]
