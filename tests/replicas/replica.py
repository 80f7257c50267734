"""Two servers of copies of one folder, each of which can be stopped, killed and started again."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import httpx
from harness.ports import reserved_port
from harness.waiting import HANGING
from tools.command import COMMAND, environment

__all__ = ["CONTENT", "NAME", "Replica", "copies", "replicas", "wait_until"]

CONTENT: Final = Random(7).randbytes(24 * 1024 * 1024 + 1)
NAME: Final = "random.bin"
_SECRET: Final = {"ASYNC_DOWNLOADS_SECRET": "the same on all"}


@dataclass(slots=True)
class Replica:
    """A server on a port that stays its own. `served` is a folder, or the URL of a bucket."""

    served: Path | str
    log: Path
    port: int
    options: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start the server, and return when it is ready."""
        command = [*COMMAND, "serve", str(self.served), "--bind", f"127.0.0.1:{self.port}", *self.options]
        env = environment({**_SECRET, **self.env})
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--access-log", "text"], stdin=subprocess.DEVNULL, stdout=log, env=env
            )
        wait_until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether it responds with 200 to `/-/ready`."""
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/-/ready", timeout=HANGING).status_code == 200
        return False

    def has_strong_etag(self) -> bool:
        """Whether the ETag of its file is strong, because it knows the digest or needs none."""
        return not httpx.head(f"http://127.0.0.1:{self.port}/{NAME}", timeout=HANGING).headers["etag"].startswith("W/")

    def log_size(self) -> int:
        """Return the size of its access log, which begins anew at each start."""
        return self.log.stat().st_size

    def has_served(self, target: str, since: int) -> bool:
        """Whether it has responded to a request for this target after its log had that size."""
        return f" {target} " in self.log.read_text()[since:]

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


def copies(folder: Path, *, same_dates: bool) -> tuple[Path, Path]:
    """Make two copies of a folder with one file."""
    places = folder / "a", folder / "b"
    places[0].mkdir(parents=True)
    (places[0] / NAME).write_bytes(CONTENT)
    shutil.copytree(*places, copy_function=shutil.copy2 if same_dates else shutil.copyfile)
    if not same_dates:
        os.utime(places[1] / NAME, (0, 1_600_000_000))
    return places


@contextmanager
def replicas(
    scratch: Path, served: Sequence[Path | str], *options: str, env: Mapping[str, str] = {}
) -> Iterator[tuple[Replica, Replica]]:
    """Serve two folders, or one bucket twice, until the end of the block."""
    with ExitStack() as stack:
        first, second = (
            Replica(each, scratch / f"{number}.log", stack.enter_context(reserved_port()), options, env)
            for number, each in enumerate(served)
        )
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
