"""Two servers of copies of one folder, each of which can be stopped, killed and started again."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import httpx
from harness.ports import reserved_port
from harness.waiting import HANGING
from tools.command import COMMAND, environment

__all__ = ["CONTENT", "NAME", "Replica", "replicas", "wait_until"]

CONTENT: Final = Random(7).randbytes(24 * 1024 * 1024 + 1)
NAME: Final = "random.bin"
_SECRET: Final = {"ASYNC_DOWNLOADS_SECRET": "the same on all"}


@dataclass(slots=True)
class Replica:
    """A server on a port that stays its own."""

    folder: Path
    port: int
    options: Sequence[str]
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start the server, and return when it is ready."""
        command = [*COMMAND, "serve", str(self.folder), "--bind", f"127.0.0.1:{self.port}", *self.options]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [*command, "--access-log", "text"], stdin=subprocess.DEVNULL, stdout=log, env=environment(_SECRET)
            )
        wait_until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether it responds with 200 to `/-/ready`."""
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/-/ready").status_code == 200
        return False

    def has_served(self, target: str) -> bool:
        """Whether it has responded to a request for this target since it was started."""
        return f" {target} " in self._log.read_text()

    @property
    def _log(self) -> Path:
        return self.folder.with_suffix(".log")

    def stop(self) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, if it runs."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(HANGING)


@contextmanager
def replicas(folder: Path, *options: str, same_dates: bool) -> Iterator[tuple[Replica, Replica]]:
    """Serve two copies of a folder with one file until the end of the block."""
    places = folder / "a", folder / "b"
    places[0].mkdir(parents=True)
    (places[0] / NAME).write_bytes(CONTENT)
    shutil.copytree(*places, copy_function=shutil.copy2 if same_dates else shutil.copyfile)
    if not same_dates:
        os.utime(places[1] / NAME, (0, 1_600_000_000))
    with ExitStack() as stack:
        first, second = (Replica(place, stack.enter_context(reserved_port()), options) for place in places)
        for replica in (first, second):
            stack.callback(replica.kill)
            replica.start()
        yield first, second


def wait_until(condition: Callable[[], object], *, within: float = HANGING) -> None:
    """Return as soon as the condition holds. Raises AssertionError if it does not within that many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not so within {within:g} s"
        time.sleep(0.01)
