"""Run a program to its end and measure its cost."""

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.settings import KIB, BenchmarkError

__all__ = ["Cost", "run_watched"]

GLANCE = 0.005  # seconds between two readings of a program's memory


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall and CPU seconds of a program from its start to its end, and its peak memory in bytes."""

    seconds: float
    cpu: float
    peak: int


def run_watched(command: Sequence[str], environment: Mapping[str, str], *, limit: float) -> Cost:
    """Run the program to its end. Raises BenchmarkError if it fails or takes longer than ``limit`` seconds.

    The peak is read repeatedly while the program runs: the kernel's figure at the end also counts the memory of the
    process that started it.
    """
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**os.environ, **environment}
        )
        try:
            peak = _peak_until_end(process.pid, begin + limit)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - begin
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            words = said.read().decode(errors="replace").strip().splitlines()[-3:]
            raise BenchmarkError(f"{Path(command[0]).name} failed with {process.returncode}: {' / '.join(words)}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, peak)


def _peak_until_end(pid: int, deadline: float) -> int:
    """Return the highest peak that was read, in bytes; the caller must wait for the ended process."""
    peak, ended = 0, os.pidfd_open(pid)
    try:
        while not select.select([ended], [], [], GLANCE)[0]:
            peak = max(peak, _peak(pid))
            if time.perf_counter() > deadline:
                raise BenchmarkError("the program took too long")
    finally:
        os.close(ended)
    return peak


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * KIB for line in lines if line.startswith("VmHWM:")), 0)
