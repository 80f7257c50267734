"""The cost of a process tree, read from /proc: CPU time, memory, descriptors.

A server is started as the leader of its own session, so its tree is every process of that session, also one whose
parent has gone.
"""

import math
import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Meter",
    "Spent",
    "cpu_seconds",
    "descriptors",
    "exhausted_descriptors",
    "pss_bytes",
    "session_members",
    "tcp_shortages",
    "upstream_connections",
]

PROC = Path("/proc")
NEARLY = 0.998
ESTABLISHED = "01"  # include/net/tcp_states.h
TICK = 1 / os.sysconf("SC_CLK_TCK")


def session_members(session: int) -> Iterator[Path]:
    """Yield the /proc folder of each process in the session."""
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            fields = _stat(folder)
            if fields and int(fields[3]) == session:
                yield folder


def cpu_seconds(session: int) -> float:
    """Return the user and system time the tree has used so far."""
    return sum(_process_seconds(folder) for folder in session_members(session))


def pss_bytes(session: int) -> int:
    """Return the tree's memory, each shared page divided among those that share it."""
    return sum(_pss(folder) for folder in session_members(session))


def descriptors(session: int) -> int:
    """Return how many descriptors the tree holds open."""
    return sum(_count(folder / "fd") for folder in session_members(session))


def upstream_connections(session: int, port: int) -> int:
    """Return how many TCP connections to that port the tree has."""
    lines = (line.split() for line in _lines(PROC / "net/tcp")[1:])
    there = {f"socket:[{each[9]}]" for each in lines if each[3] == ESTABLISHED and each[2].endswith(f":{port:04X}")}
    return sum(link in there for folder in session_members(session) for link in _links(folder / "fd"))


def exhausted_descriptors(session: int) -> float | None:
    """Return the limit of a process that holds as many descriptors as it may, give or take a few; None without one."""
    used = ((_count(folder / "fd"), _descriptor_limit(folder)) for folder in session_members(session))
    return next((limit for count, limit in used if count > NEARLY * limit), None)


def tcp_shortages() -> int:
    """Return how often the kernel has run short of memory for TCP (``tcp_mem``); it shrinks windows then."""
    names, values = (line.split() for line in (PROC / "net/netstat").read_text().splitlines()[:2])
    return int(dict(zip(names, values, strict=True)).get("TCPMemoryPressures", 0))


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall time of a region, and the CPU time of both sides in it; all in seconds."""

    seconds: float
    server: float
    client: float

    @property
    def server_percent(self) -> float:
        """Return the server's share of a core."""
        return 100 * self.server / self.seconds

    @property
    def client_percent(self) -> float:
        """Return the load driver's share of a core; above 90 the driver may be the bottleneck."""
        return 100 * self.client / self.seconds


class Meter:
    """Measure from construction to ``stop``."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._server = cpu_seconds(session)
        self._client = _client_seconds()
        self._start = time.perf_counter()

    def stop(self) -> Spent:
        """Return the time spent so far; a driver program counts after it has ended."""
        seconds = time.perf_counter() - self._start
        client = _client_seconds() - self._client
        return Spent(seconds, cpu_seconds(self._session) - self._server, client)


def _client_seconds() -> float:
    own, programs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + programs.ru_utime + programs.ru_stime


def _stat(folder: Path) -> list[str]:
    """Return the fields of ``stat`` from the state on (the name before it may hold spaces); none when it is gone."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _process_seconds(folder: Path) -> float:
    """Return the exact run time of the living threads, or the process's ticks when those know of more."""
    fields = _stat(folder)
    ticks = (int(fields[11]) + int(fields[12])) * TICK if fields else 0.0
    return max(ticks, _thread_seconds(folder))


def _thread_seconds(folder: Path) -> float:
    try:
        return sum(_run_nanoseconds(thread) for thread in (folder / "task").iterdir()) / 1e9
    except OSError:
        return 0.0


def _run_nanoseconds(thread: Path) -> int:
    try:
        return int((thread / "schedstat").read_text().split()[0])
    except OSError:
        return 0


def _pss(folder: Path) -> int:
    lines = _lines(folder / "smaps_rollup")
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _count(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        return 0


def _links(path: Path) -> Iterator[str]:
    """Yield what each descriptor leads to."""
    with suppress(OSError):
        for descriptor in path.iterdir():
            with suppress(OSError):
                yield os.readlink(descriptor)


def _descriptor_limit(folder: Path) -> float:
    lines = _lines(folder / "limits")
    limit = next((line.split()[3] for line in lines if line.startswith("Max open files")), "unlimited")
    return math.inf if limit == "unlimited" else int(limit)


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; none if its process is gone."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
