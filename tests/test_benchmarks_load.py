"""The load driver is not the bottleneck: it makes no needless copy, and a row says if the driver was too slow."""

import inspect
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from types import ModuleType

import pytest
from harness.hello import hello
from tools.programs import need

from benchmarks.load import crowd, downloads, exchange
from benchmarks.load.wrk import wrk
from benchmarks.proc import Meter
from benchmarks.report import report
from benchmarks.results import Run, Sample
from benchmarks.scenarios.base import Measurement

BUSY = 0.2  # seconds of CPU time
SPIN = f"import time\nwhile time.process_time() < {BUSY}: pass"


@pytest.fixture
def port() -> Iterator[int]:
    with hello() as number:
        yield number


@pytest.mark.parametrize("driver", [pytest.param(each, id=each.__name__) for each in (crowd, downloads, exchange)])
def test_a_driver_reuses_its_buffer(driver: ModuleType) -> None:
    source = inspect.getsource(driver)
    assert ".recv_into(" in source
    assert ".recv(" not in source


@pytest.mark.parametrize(
    ("percent", "saturated"),
    [
        pytest.param(90.0, False, id="90 per cent"),
        pytest.param(90.1, True, id="more than 90"),
        pytest.param(None, False, id="unknown"),
    ],
)
def test_a_driver_is_saturated_above_90_per_cent_of_its_core(percent: float | None, saturated: bool) -> None:
    assert Measurement("1k", {"client_percent": percent}).client_saturated is saturated


def test_a_row_says_that_the_client_was_saturated() -> None:
    rows = _report(saturated=[True, False, True]).splitlines()
    assert any("client saturated in 2 of 3" in row for row in rows if row.startswith("| Here |"))


def test_a_row_has_no_note_if_the_driver_was_fast_enough() -> None:
    assert "saturated in" not in _report(saturated=[False, False])


def test_the_time_of_our_driver_counts_for_the_client() -> None:
    meter = Meter(os.getsid(0))
    until = time.process_time() + BUSY
    while time.process_time() < until:
        pass
    assert meter.stop().client >= BUSY


def test_the_time_of_a_driver_program_counts_for_the_client() -> None:
    meter = Meter(os.getsid(0))
    subprocess.run([sys.executable, "-c", SPIN], check=True)
    spent = meter.stop()
    assert spent.client >= BUSY
    assert spent.client_percent == 100 * spent.client / spent.seconds


def test_the_time_of_wrk_counts_for_the_client(port: int) -> None:
    need("wrk")
    before, meter = _seconds_of_programs(), Meter(os.getsid(0))
    found = wrk(port, "hello", connections=2, seconds=1)
    spent = meter.stop()
    assert found["requests"] > 0
    assert found["errors"] == 0
    assert 0 < _seconds_of_programs() - before <= spent.client


def _seconds_of_programs() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _report(saturated: list[bool]) -> str:
    """Return the report of one server; the driver was saturated in the given rounds."""
    samples = [
        Sample(scenario="small", case="1k", server="here", round=number, metrics={"p99_ms": 1.0}, client_saturated=each)
        for number, each in enumerate(saturated)
    ]
    return report(
        Run(
            command="python -m benchmarks run",
            settings={"rounds": len(saturated), "quick": False},
            machine={
                "cpu": "one",
                "cores": 4,
                "memory": "1 kB",
                "system": "Linux",
                "python": "CPython",
                "revision": "unknown",
                "pinned": {"server": 0, "client": 1, "probe": 2},
            },
            servers={"here": {"title": "Here", "missing": None, "versions": "1", "command": "here"}},
            scenarios={"small": {"title": "Small", "columns": ["p99_ms"]}},
            baseline="here",
            complete=True,
            samples=samples,
        )
    )
