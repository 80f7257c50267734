"""A shell in which the commands of a page run one after the other, and the servers that they start."""

import os
import re
import select
import signal
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from harness.waiting import HANGING
from tools.command import environment

__all__ = ["Shell", "assert_shown", "shell"]

_LOOP: Final = (
    "while IFS= read -r -d '' -u 3 command; do "
    """eval "$command" </dev/null 3<&-; printf '\\036%s\\036' "$?"; """
    "done"
)
_END: Final = re.compile(rb"\x1e([0-9]+)\x1e\Z")
_UP: Final = "until (: <>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do kill -0 $started || exit 1; sleep 0.01; done"
# An id that `put` prints, and a measured number: in the place of each the program may print another one.
_VARIABLE: Final = re.compile(r"(?P<id>\b(?=[\w-]*\d)[\w-]{22}\b)|(?P<number>\d+(?:\.\d+)+)|(?P<rest>…)")
_PATTERNS: Final = {"id": r"([\w-]{22})", "number": r"[\d.]+", "rest": r".*"}


class Shell:
    """Bash, which keeps its variables and its folder from one command to the next. One server runs at a time."""

    def __init__(self, process: subprocess.Popen[bytes], commands: int, folder: Path) -> None:
        self._process = process
        self._commands = commands
        self._folder = folder
        self._log = folder / "server.log"
        self._shown: Sequence[str] = ()

    def run(self, command: str) -> str:
        """Run a command, which must succeed; return what it prints."""
        os.write(self._commands, command.encode() + b"\0")
        assert self._process.stdout
        output = b""
        while not (end := _END.search(output)):
            readable, _, _ = select.select([self._process.stdout], [], [], HANGING)
            assert readable, f"{command} hangs after it has printed:\n{output.decode()}"
            more = os.read(self._process.stdout.fileno(), 1 << 16)
            assert more, f"the shell has ended in {command}:\n{output.decode()}"
            output += more
        text = output[: end.start()].decode()
        assert end[1] == b"0", f"{command}\nfailed with {end[1].decode()}:\n{text}"
        return text

    def serve(self, command: str, port: str, shown: Sequence[str], *, stays: bool) -> None:
        """Start a server; return when it accepts connections at a port.

        It runs until the next one is started, or with `stays` until the end.
        """
        log = self._folder / f"server-{port}.log"
        if not stays:
            self.stop()
            self._log, self._shown = log, shown
        try:
            self.run(f"{command} >{log} 2>&1 &\nstarted=$!\n({_UP.format(port=port)})")
        except AssertionError:
            raise AssertionError(f"{command} does not serve: {log.read_text()}") from None
        if not stays:
            self.run("server=$started")

    def stop(self) -> None:
        """Stop the server; it must have printed what the page shows."""
        self.run('[ -z "$server" ] || { kill $server; wait $server; server=; } || :')
        shown, self._shown = self._shown, ()
        if shown:
            assert_shown(shown, self._log.read_text())


@contextmanager
def shell(folder: Path) -> Iterator[Shell]:
    """Yield a shell in a folder. At the end everything that it has started ends."""
    read, write = os.pipe()
    programs = sysconfig.get_path("scripts")
    path = f"{programs}:{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-c", _LOOP.replace("-u 3", f"-u {read}").replace("3<&-", f"{read}<&-")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment({"PATH": path, "HOME": str(folder.parent), "PYTHONWARNINGS": "default"}),
        pass_fds=[read],
        start_new_session=True,
    )
    os.close(read)
    try:
        started = Shell(process, write, folder.parent)
        yield started
        started.stop()
    finally:
        os.close(write)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def assert_shown(shown: Sequence[str], printed: str) -> dict[str, str]:
    """Check that the shown lines were printed, in this order; numbers with a point and ids may differ, `…` is any text.

    Return the id that was printed for each id that is shown.
    """
    lines = iter(printed.replace("\r", "\n").splitlines())
    ids: dict[str, str] = {}
    for line in shown:
        pattern = re.compile(_pattern(line.rstrip()))
        found = next(filter(None, (pattern.fullmatch(each.rstrip()) for each in lines)), None)
        assert found, f"the page shows\n{line}\nbut this was printed:\n{printed}"
        ids.update(zip(_ids(line), found.groups(), strict=True))
    return ids


def _pattern(line: str) -> str:
    """Return a regular expression for a shown line."""
    parts, end = [], 0
    for variable in _VARIABLE.finditer(line):
        parts += [re.escape(line[end : variable.start()]), _PATTERNS[variable.lastgroup or ""]]
        end = variable.end()
    return "".join([*parts, re.escape(line[end:])])


def _ids(line: str) -> list[str]:
    return [found["id"] for found in _VARIABLE.finditer(line) if found["id"]]
