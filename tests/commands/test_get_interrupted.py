"""`async-downloads get`: which signals end it, at which time, and how."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness.waiting import HANGING
from tools.command import environment

from async_downloads.commands.signals import SignalHandler

_TWICE = """
import signal
from async_downloads.commands.signals import SignalHandler
times = iter({times})
interruption = SignalHandler(lambda: print("cancelled", flush=True), clock=lambda: next(times))
signal.signal(signal.SIGTERM, interruption)
for _ in range(2):
    signal.raise_signal(signal.SIGTERM)
print("there", interruption.code)
"""


def _ended(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment(env), capture_output=True, text=True, timeout=HANGING, check=False)


@pytest.mark.parametrize(
    ("times", "code", "printed"),
    [
        pytest.param([5.0, 5.9], 0, ["cancelled", "there 143"], id="within a second it is the same one"),
        pytest.param([5.0, 6.1], -signal.SIGTERM, ["cancelled"], id="later it ends the process"),
    ],
)
def test_a_second_signal_counts_when_it_comes_later(times: list[float], code: int, printed: list[str]) -> None:
    ended = _ended("-c", _TWICE.format(times=times))
    assert (ended.returncode, ended.stdout.splitlines(), ended.stderr) == (code, printed, "")


def test_the_first_signal_of_two_kinds_is_the_exit_code() -> None:
    cancelled: list[bool] = []
    interruption = SignalHandler(lambda: cancelled.append(True), clock=lambda: 0.0)
    interruption(signal.SIGINT, None)
    interruption(signal.SIGTERM, None)
    assert (interruption.code, cancelled) == (130, [True])


@pytest.mark.parametrize(
    ("action", "code"), [("default_int_handler", -signal.SIGINT), ("SIG_IGN", 7)], ids=["handled", "ignored"]
)
def test_while_the_command_is_loaded_a_signal_ends_it_without_a_word(tmp_path: Path, action: str, code: int) -> None:
    (tmp_path / "click.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\nraise SystemExit(7)\n")
    program = f"import signal; signal.signal(signal.SIGINT, signal.{action}); from async_downloads.__main__ import main"
    ended = _ended("-c", f"{program}; main()", PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")
