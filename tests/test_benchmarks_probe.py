"""The probe, and the detector of standstills of the machine, which do not count against a server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from harness.hello import hello
from harness.waiting import HANGING, eventually

from benchmarks.load.probe import Probe, Probed
from benchmarks.process import ROOT, pinned
from benchmarks.scenarios.base import probe_metrics

LONG = 0.3  # seconds of CPU time, longer than an ordinary standstill
SPIN = f"import time\nwhile time.process_time() < {LONG}: pass"
PROBE = ("benchmarks.load.probe", "1", "1k.bin", "0.05", "0.1")
STANDSTILL = ("benchmarks.load.standstill",)


@contextmanager
def companion(*module: str) -> Iterator[subprocess.Popen[str]]:
    """Run a companion; yield it when it is ready."""
    pipe, program = subprocess.PIPE, [sys.executable, "-m", *module]
    with subprocess.Popen(program, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


def standstills(process: subprocess.Popen[str]) -> list[float]:
    """Return the seconds of each standstill that the program has seen."""
    output, errors = process.communicate(timeout=HANGING)
    assert not errors
    return [end - begin for begin, end in json.loads(output)]


@pytest.mark.parametrize("module", [pytest.param(PROBE, id="probe"), pytest.param(STANDSTILL, id="standstill")])
@pytest.mark.parametrize("ready", [pytest.param(True, id="when it runs"), pytest.param(False, id="when it starts")])
def test_a_companion_without_a_reader_ends_without_an_error(module: tuple[str, ...], ready: bool) -> None:
    pipe, program = subprocess.PIPE, [sys.executable, "-m", *module]
    with subprocess.Popen(program, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        if ready:
            process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == ""
        process.wait(HANGING)


def test_a_stopped_process_is_a_standstill() -> None:
    with companion(*STANDSTILL) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        stopped = time.monotonic()
        subprocess.run([sys.executable, "-c", SPIN], check=True)
        lasted = time.monotonic() - stopped
        os.kill(process.pid, signal.SIGCONT)
        assert max(standstills(process)) >= lasted


async def test_waiting_for_the_core_is_no_standstill() -> None:
    core = min(os.sched_getaffinity(0))
    with companion(*STANDSTILL) as process:
        os.sched_setaffinity(process.pid, {core})
        os.setpriority(os.PRIO_PROCESS, process.pid, 19)  # all other processes come first
        began, queued = time.monotonic(), _queued(process.pid)
        with pinned(core):
            subprocess.run([sys.executable, "-c", SPIN], check=True)
        lasted = time.monotonic() - began
        await eventually(lambda: _queued(process.pid) - queued > lasted / 4)  # otherwise the test would prove nothing
        os.sched_setaffinity(process.pid, os.sched_getaffinity(0))  # so that it can end
        assert sum(standstills(process)) < lasted / 2


def _queued(pid: int) -> float:
    """Return the seconds for which a process has waited for a core."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[1]) / 1e9


def test_a_probe_records_the_begin_and_the_seconds_of_each_request() -> None:
    with hello() as port:
        began = time.monotonic()
        with Probe(port, "hello", core=min(os.sched_getaffinity(0)), interval=0.01, timeout=5) as probe:
            subprocess.run([sys.executable, "-c", SPIN], check=True)
            probed = probe.finish()
        ended = time.monotonic()
    assert len(probed.requests) > 1
    for begin, seconds in probed.requests:
        assert seconds is not None
        assert began <= begin <= begin + seconds <= ended


@pytest.mark.parametrize(
    ("request_", "standstills", "undisturbed"),
    [
        pytest.param((1, 0.5), [], 0.5, id="the machine ran"),
        pytest.param((1, 0.5), [(0, 1), (1.5, 2)], 0.5, id="it stood still before and after"),
        pytest.param((1, 0.5), [(0, 1.25)], 0.25, id="at the begin of a request"),
        pytest.param((1, 0.5), [(1.125, 1.25)], 0.375, id="within a request"),
        pytest.param((1, 0.5), [(1.25, 3)], 0.25, id="at the end of a request"),
        pytest.param((1, 0.5), [(0, 3)], 0, id="during the whole request"),
        pytest.param((1, 0.5), [(0, 1.125), (1.25, 1.375), (1.5, 3)], 0.25, id="more than once"),
        pytest.param((1, None), [(0, 9)], None, id="during a timeout"),
    ],
)
def test_standstills_are_subtracted_from_a_request(
    request_: tuple[float, float | None], standstills: list[tuple[float, float]], undisturbed: float | None
) -> None:
    assert Probed([request_], standstills).undisturbed == [undisturbed]


def test_the_metrics_have_percentiles_with_and_without_standstills() -> None:
    requests = [(float(number), 0.25 if number else 0.75) for number in range(10)]
    metrics = probe_metrics(Probed(requests, [(0.0, 0.5), (10.5, 10.75)]))
    assert metrics == {
        "probe_p50_ms": 250,
        "probe_p99_ms": 750,
        "undisturbed_p99_ms": 250,
        "standstill_ms": 750,
        "probe_timeouts": 0,
        "probes": 10,
    }
