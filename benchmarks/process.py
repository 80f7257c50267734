"""Start a server on its own core and port, wait until it accepts connections, and stop its whole process group."""

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.certificate import certify
from benchmarks.servers.base import DIRECTORY, HOST, SCRATCH, Server, Site
from benchmarks.settings import BenchmarkError

__all__ = [
    "ROOT",
    "Cores",
    "Running",
    "exit_on_termination",
    "pinned",
    "raise_descriptor_limit",
    "reserved_port",
    "running",
]

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 10.0
DESCRIPTORS = 65536  # 10,000 clients need a socket and a file each; the limit is three times that
STOP_LIMIT = 0.5  # seconds; then the rest of the group is killed


@dataclass(frozen=True, slots=True)
class Cores:
    """One core each for the server, the load driver and, where there is a third, the probe."""

    server: int
    client: int
    probe: int

    @classmethod
    def available(cls) -> "Cores":
        """Choose from the cores this process may use."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[min(1, len(cores) - 1)], cores[min(2, len(cores) - 1)])


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections; ``session`` names its process tree."""

    session: int
    port: int
    certificate: Path  # exists only if the server uses TLS
    host: str = HOST

    @property
    def address(self) -> str:
        """Return host and port in one word."""
        return f"{self.host}:{self.port}"


@contextmanager
def pinned(*cores: int) -> Iterator[None]:
    """Run on these cores until the end of the block; a process started in it inherits them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(server: Server, directory: Path, core: int, *, secure: bool = False, host: str = HOST) -> Iterator[Running]:
    """Start the server over the directory; in every case its whole process group is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="server-", dir=directory.parent) as scratch, reserved_port(host) as port:
        site = Site(directory, port, Path(scratch), secure, host)
        if secure:
            certify(site)
        server.prepare(site)
        process = _start(server, site, core)
        try:
            _wait_until_accepting(process, site)
            yield Running(process.pid, site.port, site.certificate, site.host)
        finally:
            _stop(process)


@contextmanager
def reserved_port(host: str) -> Iterator[int]:
    """Yield a port that the system gives to no other program; a server can bind it with `SO_REUSEADDR`."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, 0))
        yield holder.getsockname()[1]


def _start(server: Server, site: Site, core: int) -> "subprocess.Popen[bytes]":
    places = {DIRECTORY: str(site.directory), SCRATCH: str(site.scratch), "PYTHONPATH": str(ROOT)}
    with pinned(core), _log(site).open("wb") as log:
        return subprocess.Popen(
            server.command(site),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **places},
            cwd=ROOT,
            start_new_session=True,
        )


def _wait_until_accepting(process: "subprocess.Popen[bytes]", site: Site) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((site.host, site.port), timeout=1):
            return
        time.sleep(0.01)
    tail = _log(site).read_text(errors="replace").strip().splitlines()[-3:]
    raise BenchmarkError(f"did not start: {' | '.join(tail) or process.poll()}")


def _log(site: Site) -> Path:
    return site.scratch / "server.log"


def _stop(process: "subprocess.Popen[bytes]") -> None:
    _signal_group(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_LIMIT)
    _signal_group(process.pid, signal.SIGKILL)  # also processes that outlived their leader
    process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def raise_descriptor_limit() -> None:
    """Raise the descriptor limit of this process and of the servers to that of the largest crowd, or to the maximum."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (DESCRIPTORS, most) if now < DESCRIPTORS else ():
        with suppress(ValueError):  # only root may raise the maximum
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, most)))
            return


def exit_on_termination() -> None:
    """Turn SIGTERM and SIGHUP into an exit that passes every ``finally``, as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
