"""The cells of the tables: the median, or the reason why there is none."""

from pathlib import Path

import pytest

from benchmarks.cells import THROUGHPUT, Cell, Column, cell, crowd
from benchmarks.charts import alternative, chart
from benchmarks.readme import drawn, embedded, summary
from benchmarks.results import Run, Sample, save
from benchmarks.stats import Spread

PROBE = crowd(1000, "probe_p99_ms", "ms")


def _run(*samples: Sample, missing: str | None = None) -> Run:
    names = ("flask-gthread-8", "serve-asyncio")
    servers = {name: {"title": name.title(), "missing": missing if name == names[1] else None} for name in names}
    machine = {"cpu": "Abacus", "python": "CPython 3.13"}
    return Run(
        command="",
        settings={"rounds": 1, "quick": True},
        machine=machine,
        servers=servers,
        scenarios={},
        baseline=names[0],
        samples=list(samples),
    )


def _large(rate: float, *, server: str = "serve-asyncio", saturated: bool = False) -> Sample:
    return Sample(
        scenario="large",
        case="clients=1",
        server=server,
        round=0,
        metrics={"mb_per_s": rate},
        client_saturated=saturated,
    )


def _probed(p99: float | None, timeouts: int = 0) -> Sample:
    metrics = {"started": 1000.0, "probe_p99_ms": p99, "probe_timeouts": timeouts, "probes": 200}
    return Sample(scenario="slow", case="clients=1000", server="serve-asyncio", round=0, metrics=metrics)


def _failed() -> Sample:
    return Sample(scenario="large", case="", server="serve-asyncio", round=0, error="did not start")


@pytest.mark.parametrize(
    ("run", "column", "expected"),
    [
        pytest.param(_run(_large(10), _large(30)), THROUGHPUT, Cell("20", Spread(20, 10, 30)), id="median and range"),
        pytest.param(
            _run(_large(10, saturated=True)), THROUGHPUT,
            Cell("10", Spread(10, 10, 10), "client saturated in 1 of 1"), id="driver too slow",
        ),
        pytest.param(
            _run(_large(10), _failed()), THROUGHPUT, Cell("10", Spread(10, 10, 10), "did not start"), id="one failure"
        ),
        pytest.param(
            _run(_large(1, server="flask-gthread-8"), _failed()), THROUGHPUT, Cell("failed", None, "did not start"),
            id="only failures",
        ),
        pytest.param(
            _run(_large(1, server="flask-gthread-8"), missing="no module"), THROUGHPUT, Cell("missing"), id="missing"
        ),
        pytest.param(_run(_large(1, server="flask-gthread-8")), THROUGHPUT, Cell("-"), id="not measured"),
        pytest.param(_run(), THROUGHPUT, Cell("-"), id="no samples"),
        pytest.param(_run(_probed(None, 200)), PROBE, Cell("no response"), id="no response to any probe"),
        pytest.param(_run(_probed(None, 199)), PROBE, Cell("99 % unanswered"), id="a response to one probe"),
        pytest.param(
            _run(_probed(3), _probed(5), _probed(None, 200)), PROBE,
            Cell("5", Spread(5, 3, 5), "too many probes without a response in 1 of 3 rounds"),
            id="a silent round ranks last",
        ),
    ],
)  # fmt: skip
def test_a_cell_says(run: Run, column: Column, expected: Cell) -> None:
    assert cell([run], column, "serve-asyncio") == expected


@pytest.mark.parametrize(("scenarios", "words"), [(["large"], "missing"), (["sources"], "-")])
def test_a_missing_server_is_marked_in_its_scenarios(scenarios: list[str], words: str) -> None:
    run = _run(_large(1, server="flask-gthread-8"), missing="no module")
    run.servers["serve-asyncio"]["scenarios"] = scenarios
    assert cell([run], THROUGHPUT, "serve-asyncio") == Cell(words)


def test_a_column_comes_from_the_first_result_that_has_its_case() -> None:
    runs = [_run(_probed(3)), _run(_large(10)), _run(_large(20), _large(2, server="flask-gthread-8"))]
    assert [cell(runs, THROUGHPUT, each).words for each in ("serve-asyncio", "flask-gthread-8")] == ["10", "-"]


def test_a_table_takes_each_column_from_its_result_and_marks_missing_servers() -> None:
    first = _run(_large(1, server="flask-gthread-8"), missing="no module")
    lines = summary([first, _run(_probed(3))]).splitlines()
    assert lines[2] == "| Flask-Gthread-8 | 1 | - | - | - | - | - |"
    assert lines[3] == "| Serve-Asyncio | missing | missing | - | 1,000 | - | 3 |"


def test_a_chart_marks_its_remarks_and_leaves_out_panels_without_figures(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    save(_run(_large(10, saturated=True), _large(5, server="flask-gthread-8", saturated=True)), path)
    content = chart("overview", [path])
    [[panel]] = [block.panels for block in content.blocks]
    assert {server: content.words(each) for server, each in panel.cells.items()} == {
        "flask-gthread-8": "5 ¹",
        "serve-asyncio": "10 ¹",
    }
    assert list(content.rows) == ["serve-asyncio", "flask-gthread-8"]
    assert content.notes[0] == "¹ client saturated in 1 of 1"
    assert content.notes[1].endswith("a.json (quick) (interrupted)")
    assert alternative(content) == "async-downloads, asyncio / Flask, gunicorn, 8 threads. 1 GiB file, MB/s: 10 / 5."


def test_a_mark_names_several_results_and_other_text_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.readme.RESULTS", tmp_path)
    save(_run(_large(10)), tmp_path / "a.json")
    save(_run(_probed(3)), tmp_path / "b.json")
    text = "1\n<!-- table: a.json b.json -->\nold\n<!-- end -->\n2\n<!-- crowds: b.json -->\n<!-- end -->\n3\n"
    done = embedded(text, tmp_path)
    assert embedded(done, tmp_path) == done
    assert [line for line in done.splitlines() if line in {"1", "2", "3", "old"}] == ["1", "2", "3"]
    assert "| Serve-Asyncio | 10 | - | - | 1,000 | - | 3 |" in done
    assert list(drawn(done)) == [("crowds", [tmp_path / "b.json"])]
