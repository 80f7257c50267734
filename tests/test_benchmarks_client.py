"""The benchmark of clients: each client has a row, and a failed download is an error."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from harness.waiting import HANGING
from tools.programs import need

from benchmarks.load.watched import Cost, run_watched
from benchmarks.report import report
from benchmarks.results import Run
from benchmarks.run import execute, prepare
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.servers.clients import CLIENTS, Errand
from benchmarks.settings import MIB, QUICK, BenchmarkError

MEMORY = 64 * MIB
# Its memory is read every few milliseconds, so the program must run long enough, even on a busy machine.
GREEDY = f"import time; held = b'x' * {MEMORY}\nwhile time.process_time() < 0.2: pass\ntime.sleep(1)"


def _run(*command: str, limit: float = HANGING) -> Cost:
    return run_watched(command, {}, limit=limit)


@pytest.fixture
def nginx() -> None:
    """Require nginx and openssl, the server of all clients."""
    for program in ("nginx", "openssl"):
        need(program)


def _measured(tmp_path: Path, *names: str) -> Run:
    settings, scenario = replace(QUICK, large_size=MIB), SCENARIOS["client"]
    servers = [SERVERS[f"client-{name}"] for name in names]
    run = prepare(settings, [scenario], servers, "a test")
    execute(run, settings, [scenario], servers, tmp_path)
    return run


@pytest.mark.usefixtures("nginx")
def test_a_client_is_measured_over_http_and_https(tmp_path: Path) -> None:
    need("curl")
    run = _measured(tmp_path, "curl", "httpx-sync", "httpx-async")
    assert [(each.case, each.error) for each in run.samples] == [("http", ""), ("https", "")] * 3
    assert all(set(each.metrics) >= set(SCENARIOS["client"].columns) for each in run.samples)
    lines = report(run).splitlines()
    assert sum(line.startswith("| client | MB/s |") and "| ratio to curl |" in line for line in lines) == 2


@pytest.mark.usefixtures("nginx")
def test_a_client_that_writes_another_file_has_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(
        CLIENTS["curl"], command=lambda errand: ["dd", "if=/dev/zero", f"of={errand.target}", "bs=1M", "count=1"]
    )
    monkeypatch.setitem(CLIENTS, "curl", wrong)
    assert [each.error for each in _measured(tmp_path, "curl").samples] == [
        "BenchmarkError: curl did not write the file"
    ]


def test_a_failed_client_is_reported_with_its_last_words() -> None:
    with pytest.raises(BenchmarkError, match="sh failed with 2: no such page"):
        _run("sh", "-c", "echo no such page; exit 2")


def test_a_client_that_takes_too_long_is_ended() -> None:
    with pytest.raises(BenchmarkError, match="too long"):
        _run("sleep", "20", limit=0.1)


def test_the_cost_of_a_client_is_only_its_own() -> None:
    cost = _run(sys.executable, "-c", GREEDY)
    assert MEMORY < cost.peak < 2 * MEMORY
    assert 0.2 <= cost.cpu <= cost.seconds + 0.1
    assert _run("sh", "-c", "sleep 0.1").peak < MEMORY / 4


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_gets_the_url_and_the_file(name: str) -> None:
    errand = Errand("https://127.0.0.1:1/a", Path("/folder/file"), Path("/certificate.pem"))
    command = CLIENTS[name].command(errand)
    assert errand.url in command
    assert any("file" in word for word in command)


def test_a_client_that_is_not_installed_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert CLIENTS["aria2c-x4"].missing() == "aria2c is not installed"
