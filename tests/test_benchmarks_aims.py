"""An aim is met, missed, or without figures; the table has the outcome and the number of rounds."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.aims import AIMS, Aim
from benchmarks.readme import DOCUMENTS, drawn, embedded
from benchmarks.results import RESULTS, Run, Sample, load, save
from benchmarks.verdicts import assess, assessment

OURS, SLOWER, FASTER = "serve-asyncio", "flask-gthread-8", "flask-waitress"
RIVALS = (SLOWER, FASTER)
RATIO = Aim("speed", "large", "clients=1", "mb_per_s", OURS, "a.json", RIVALS, 1.2)
COST = replace(RATIO, words="cost", metric="cpu_ms_per_gb", bound=1, side="at most")
PROBE = Aim("probe", "large", "clients=1", "probe_p99_ms", OURS, "a.json", (), 50, "at most")
SHOWN = replace(RATIO, words="shown", bound=None)


def _run(*samples: Sample, rounds: int = 1, missing: str = "") -> Run:
    names = (OURS, *RIVALS)
    return Run(
        command="",
        settings={"rounds": rounds, "quick": False},
        machine={},
        servers={name: {"title": name.title(), "missing": "gone" if name == missing else None} for name in names},
        scenarios={"large": {"columns": ["mb_per_s", "cpu_ms_per_gb"]}},
        baseline=SLOWER,
        samples=list(samples),
    )


def _large(server: str, rate: float, cpu: float = 1, *, saturated: bool = False) -> Sample:
    metrics: dict[str, float | None] = {"mb_per_s": rate, "cpu_ms_per_gb": cpu}
    return _sample(server, metrics, saturated=saturated)


def _sample(server: str, metrics: dict[str, float | None], *, saturated: bool = False) -> Sample:
    return Sample(
        scenario="large", case="clients=1", server=server, round=0, metrics=metrics, client_saturated=saturated
    )


def _failed(server: str) -> Sample:
    return Sample(scenario="large", case="", server=server, round=0, error="did not start")


BOTH = (_large(SLOWER, 5, 1), _large(FASTER, 10, 4))
SILENT = _sample(OURS, {"probe_p99_ms": None, "probe_timeouts": 200, "probes": 200})


@pytest.mark.parametrize(
    ("aim", "run", "expected"),
    [
        pytest.param(RATIO, _run(_large(OURS, 12), *BOTH), "met: 1.20", id="as much as asked"),
        pytest.param(RATIO, _run(_large(OURS, 11), *BOTH), "**missed**: 1.10", id="too slow"),
        pytest.param(RATIO, _run(_large(OURS, 11.99), *BOTH), "**missed**: 1.1990", id="rounding is not enough"),
        pytest.param(COST, _run(_large(OURS, 1, 4), *BOTH), "met: 1", id="the cost of the fastest, not the least"),
        pytest.param(COST, _run(_large(OURS, 1, 5), *BOTH), "**missed**: 1.25", id="too expensive"),
        pytest.param(SHOWN, _run(_large(OURS, 5), *BOTH), "0.50", id="nothing was asked"),
        pytest.param(PROBE, _run(_sample(OURS, {"probe_p99_ms": 50.0})), "met: 50", id="a bound without a rival"),
        pytest.param(PROBE, _run(_sample(OURS, {"probe_p99_ms": 51.0})), "**missed**: 51", id="above a bound"),
        pytest.param(replace(PROBE, bound=0), _run(_sample(OURS, {"probe_p99_ms": 0.004})),
                     "**missed**: 0.0040", id="just above zero"),
        pytest.param(PROBE, _run(SILENT), "**missed**: no response", id="no response at all"),
        pytest.param(RATIO, _run(_failed(OURS), *BOTH), "**missed**: failed", id="ours failed"),
        pytest.param(RATIO, _run(*BOTH), "**no figures**", id="ours was not measured"),
        pytest.param(RATIO, _run(*BOTH, missing=OURS), "**no figures**", id="ours is missing"),
        pytest.param(SHOWN, _run(_failed(OURS), *BOTH), "**no figures**", id="nothing was asked, and nothing came"),
        pytest.param(RATIO, _run(_large(OURS, 12)), "**no figures** of Flask-Gthread-8", id="no rival was measured"),
        pytest.param(RATIO, _run(_large(OURS, 12), _large(SLOWER, 0)),
                     "**no figures** of Flask-Gthread-8", id="a rival that sent nothing"),
        pytest.param(RATIO, _run(_large(OURS, 12), _large(SLOWER, 5), _failed(FASTER)), "met: 2.40",
                     id="a rival that failed is not the fastest"),
        pytest.param(RATIO, _run(), "**no figures**", id="no samples at all"),
    ],
)  # fmt: skip
def test_an_aim_has_the_outcome(aim: Aim, run: Run, expected: str) -> None:
    assert assess(aim, run).outcome == expected


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(_run(_large(OURS, 1), *BOTH), "1", id="a single one"),
        pytest.param(_run(*[_large(name, 1) for name in (OURS, *RIVALS) * 3], rounds=3), "3", id="all"),
        pytest.param(_run(_large(OURS, 1), _failed(OURS), *BOTH, *BOTH, rounds=2), "1 of 2", id="one of ours failed"),
        pytest.param(_run(_large(OURS, 1), _large(OURS, 1), *BOTH, rounds=2), "1 of 2", id="one of the rival's failed"),
        pytest.param(_run(), "0 of 1", id="none"),
    ],
)
def test_a_verdict_counts_the_rounds_with_figures(run: Run, expected: str) -> None:
    assert assess(RATIO, run).rounds == expected


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a result that decides two aims; another result decides the third one."""
    monkeypatch.setattr("benchmarks.verdicts.AIMS", [RATIO, PROBE, replace(COST, result="b.json")])
    save(_run(_large(OURS, 11), _large(FASTER, 10, saturated=True)), tmp_path / "a.json")
    return tmp_path / "a.json"


def test_a_table_has_the_figures_their_remarks_and_the_rival(result: Path) -> None:
    assert assessment([result]).splitlines() == [
        "| aim | asked | came to | figures | rounds | result |",
        "|---|---|---|---|---|---|",
        "| speed | at least 1.20 x | **missed**: 1.10 | 11 / 10 ¹ of Flask-Waitress | 1 | `a.json` |",
        "| probe | at most 50 | **no figures** | - | 0 of 1 | `a.json` |",
        "",
        "¹ client saturated in 1 of 1.",
    ]


def test_the_mark_of_aims_gives_a_table_and_no_chart(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.readme.RESULTS", result.parent)
    begin, end = "1\n<!-- aims: a.json -->\n", "<!-- end -->\n2\n"
    done = embedded(f"{begin}old\n{end}", result.parent)
    assert done == f"{begin}\n{assessment([result])}\n{end}"
    assert not list(drawn(done))


MEASURED = [each for each in AIMS if (RESULTS / each.result).exists()]


def test_an_aim_without_a_result_is_not_measured_yet(result: Path) -> None:
    assert assessment([result.with_name("b.json")]).splitlines()[2:] == [
        "| cost | at most 1 x | not measured yet | - | - | `b.json` |"
    ]


def test_the_document_has_every_aim() -> None:
    lines = DOCUMENTS[1].read_text(encoding="utf-8").splitlines()
    for aim in AIMS:
        assert sum(line.startswith(f"| {aim.words} |") and line.endswith(f"`{aim.result}` |") for line in lines) == 1


@pytest.mark.parametrize("aim", [pytest.param(each, id=f"{each.words} ({each.result})") for each in MEASURED])
class TestAims:
    def test_it_is_in_the_document(self, aim: Aim) -> None:
        lines = DOCUMENTS[1].read_text(encoding="utf-8").splitlines()
        [shown] = [line for line in lines if line.startswith(f"| {aim.words} |") and line.endswith(f"`{aim.result}` |")]
        assert f"| {aim.asked} | {assess(aim, load(RESULTS / aim.result)).outcome} |" in shown

    def test_its_names_are_in_the_result(self, aim: Aim) -> None:
        run = load(RESULTS / aim.result)
        assert aim.case in run.cases(aim.scenario)
        assert aim.metric in run.columns(aim.scenario, aim.case)
        assert {aim.server, *aim.rivals} <= run.servers.keys()
