"""The probe, and what looks meanwhile whether the machine stands still: for that no server is blamed."""

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

LONG = 0.3  # seconds of CPU time: so long nobody else lets a machine stand still
SPIN = f"import time\nwhile time.process_time() < {LONG}: pass"
PROBE = ("benchmarks.load.probe", "1", "1k.bin", "0.05", "0.1")
STANDSTILL = ("benchmarks.load.standstill",)


@contextmanager
def companion(*module: str) -> Iterator[subprocess.Popen[str]]:
    """Run one that is ready."""
    pipe, program = subprocess.PIPE, [sys.executable, "-m", *module]
    with subprocess.Popen(program, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


def standstills(process: subprocess.Popen[str]) -> list[float]:
    """Return how long those were that it has seen."""
    output, errors = process.communicate(timeout=HANGING)
    assert not errors
    return [end - begin for begin, end in json.loads(output)]


@pytest.mark.parametrize("module", [pytest.param(PROBE, id="probe"), pytest.param(STANDSTILL, id="standstill")])
@pytest.mark.parametrize("ready", [pytest.param(True, id="when it runs"), pytest.param(False, id="when it starts")])
def test_one_that_nobody_listens_to_ends_without_a_word(module: tuple[str, ...], ready: bool) -> None:
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


def test_what_was_stopped_is_seen() -> None:
    with companion(*STANDSTILL) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        stopped = time.monotonic()
        subprocess.run([sys.executable, "-c", SPIN], check=True)
        lasted = time.monotonic() - stopped
        os.kill(process.pid, signal.SIGCONT)
        assert max(standstills(process)) >= lasted


async def test_waiting_for_others_on_the_same_core_is_no_standstill() -> None:
    core = min(os.sched_getaffinity(0))
    with companion(*STANDSTILL) as process:
        os.sched_setaffinity(process.pid, {core})
        os.setpriority(os.PRIO_PROCESS, process.pid, 19)  # everybody else comes first
        began, queued = time.monotonic(), _queued(process.pid)
        with pinned(core):
            subprocess.run([sys.executable, "-c", SPIN], check=True)
        lasted = time.monotonic() - began
        await eventually(lambda: _queued(process.pid) - queued > lasted / 4)  # or this test shows nothing
        os.sched_setaffinity(process.pid, os.sched_getaffinity(0))  # it is to end
        assert sum(standstills(process)) < lasted / 2


def _queued(pid: int) -> float:
    """Return the seconds for which a process has waited for a core."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[1]) / 1e9


def test_a_probe_tells_when_it_asked_and_how_long_it_took() -> None:
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
        pytest.param((1, 0.5), [(0, 1.25)], 0.25, id="when a request began"),
        pytest.param((1, 0.5), [(1.125, 1.25)], 0.375, id="while one ran"),
        pytest.param((1, 0.5), [(1.25, 3)], 0.25, id="when one ended"),
        pytest.param((1, 0.5), [(0, 3)], 0, id="all the while"),
        pytest.param((1, 0.5), [(0, 1.125), (1.25, 1.375), (1.5, 3)], 0.25, id="more than once"),
        pytest.param((1, None), [(0, 9)], None, id="while one was waited for in vain"),
    ],
)
def test_of_a_request_the_time_counts_for_which_the_machine_ran(
    request_: tuple[float, float | None], standstills: list[tuple[float, float]], undisturbed: float | None
) -> None:
    assert Probed([request_], standstills).undisturbed == [undisturbed]


def test_all_requests_count_and_once_more_without_the_standstills() -> None:
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
