"""`async-downloads` as a user starts it, in a process group that always ends."""

import os
import re
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from harness.served import Server
from harness.waiting import HANGING, eventually

__all__ = ["ANY_PORT", "COMMAND", "Command", "environment", "finished", "refusal", "running", "serving"]

COMMAND: Final = (str(Path(sysconfig.get_path("scripts"), "async-downloads")),)
ANY_PORT: Final = ("--bind", "127.0.0.1:0")
_NO_OVERRIDE: Final = "--bounding-set=-dac_override,-dac_read_search"
_OURS: Final = re.compile(r"ASYNC_DOWNLOADS_|DATABASE_URL$")
_ANNOUNCEMENT: Final = re.compile(r"^Serving .* on (.*) \(press Ctrl-C to stop\)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """A running command and its output."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def stdout(self) -> str:
        """The standard output so far."""
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        """The standard error so far."""
        return (self.folder / "stderr").read_text()

    @property
    def urls(self) -> list[str]:
        """The addresses that it announces."""
        said = _ANNOUNCEMENT.search(self.stdout)
        return said[1].split(", ") if said else []

    @property
    def url(self) -> str:
        """The first address, to put before a path."""
        return self.urls[0].rstrip("/")

    @property
    def server(self) -> Server:
        """The first address, to connect to."""
        parts = urlsplit(self.urls[0])
        assert parts.port
        return Server(parts.port, tls=parts.scheme == "https")

    @property
    def log(self) -> list[str]:
        """The complete lines of the access log."""
        return self.stdout.split("(press Ctrl-C to stop)\n")[1].rpartition("\n")[0].splitlines()

    def get(self, target: str) -> httpx.Response:
        """Send a GET to the first address and wait for the response; the server is another process."""
        return httpx.get(self.url + target, timeout=HANGING)

    @property
    def children(self) -> list[int]:
        """The processes it has started."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command, and not to its children."""
        self.process.send_signal(number)

    async def ended(self, *, within: float = HANGING) -> int:
        """Return the exit code. Its children must be gone, and standard error must have no traceback."""
        await eventually(lambda: self.process.poll() is not None, within=within)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, 0)
            raise AssertionError("the command left a process behind")
        assert "Traceback" not in self.stderr, self.stderr
        return self.process.returncode


@asynccontextmanager
async def running(
    *arguments: object,
    command: Sequence[str] = COMMAND,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    obey_modes: bool = False,
) -> AsyncIterator[Command]:
    """Run the command until the end of the block; the block begins when the command serves.

    With ``obey_modes`` file modes bind it, even as root.
    """
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/stdout", "wb") as stdout, open(f"{folder}/stderr", "wb") as stderr:
            process = subprocess.Popen(
                [*_unprivileged(obey_modes), *command, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=environment(env),
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        started = Command(process, Path(folder))
        try:
            await eventually(lambda: started.urls or process.poll() is not None)
            assert started.urls, started.stderr
            yield started
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@asynccontextmanager
async def serving(
    directory: Path | str, *options: object, env: Mapping[str, str] | None = None
) -> AsyncIterator[Command]:
    """Serve a directory, or the objects at a URL, on a port of 127.0.0.1."""
    async with running("serve", directory, *ANY_PORT, *options, env=env) as command:
        yield command


def finished(
    *arguments: object,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    obey_modes: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, without a traceback. With ``obey_modes`` file modes bind it, even as root."""
    ended = subprocess.run(
        [*_unprivileged(obey_modes), *COMMAND, *map(str, arguments)],
        capture_output=True,
        stdin=stdin,
        text=True,
        env=environment(env),
        cwd=cwd,
        start_new_session=True,
        timeout=HANGING,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def _unprivileged(obey_modes: bool) -> tuple[str, ...]:
    return ("setpriv", _NO_OVERRIDE) if obey_modes and os.geteuid() == 0 else ()


def refusal(*arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Return the one line with which the command refuses to run; file modes bind it."""
    ended = finished(*arguments, env=env, cwd=cwd, obey_modes=True)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    line, end, more = ended.stderr.partition("\n")
    assert (end, more) == ("\n", "")
    return line


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's variables, without the settings of this package, and with `more`."""
    inherited = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
    return {**inherited, "PYTHONWARNINGS": "error", **(more or {})}
