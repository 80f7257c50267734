"""What `async-downloads get` shows: bars on a terminal, lines elsewhere."""

import os
import pty
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tools.command import COMMAND, environment
from tools.getting import VERSION, Origin
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import origin as origin  # noqa: PLC0414

_TERMINAL = {"TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"}


def _shown(*arguments: str) -> str:
    """Run the command on a terminal; return what it wrote there."""
    master, slave = pty.openpty()
    command, env = [*COMMAND, "get", *arguments], environment(_TERMINAL)
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=subprocess.DEVNULL, env=env):
        os.close(slave)
        shown = b"".join(_chunks(master))
    os.close(master)
    return shown.decode()


def _chunks(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # EIO, when nobody writes to it any more
        while chunk := os.read(terminal, 4096):
            yield chunk


def test_a_terminal_is_shown_name_bytes_speed_connections_and_time_left(origin: Origin, folder: Path) -> None:
    origin.statuses = [503]
    name = f"[b]{'x' * 30}"
    shown = _shown(origin.url(name), origin.url("404"), "--limit-rate", "2M", "--jobs", "1")
    assert re.search(r"\[b\]x{16}… .* \d\.\d/3\.1 MB +\d+\.\d [kM]B/s x[1-4] +0:00:0\d", shown)
    assert re.search(rf"{re.escape(name)}: [^\r\n]*503[^\r\n]*\r\n", shown)
    assert re.search(rf"{re.escape(name)}: 3\.1 MB in \d+\.\d s \([^\r\n]*\)\r\n", shown)
    assert f"async-downloads: {origin.url('404')}: the server answers 404 Not Found\r\n" in shown
    assert max(map(len, re.split(r"[\r\n]|\x1b\[\S*?[A-Za-z]", shown))) <= 80
    assert VERSION.difference(folder / name) is None


def test_quiet_and_json_show_no_bar(origin: Origin, folder: Path) -> None:
    assert _shown(origin.url("a"), "--quiet") == ""
    assert "\x1b" not in _shown(origin.url("b"), "--json")


def test_elsewhere_there_are_lines_alone(origin: Origin, folder: Path) -> None:
    command = [*COMMAND, "get", origin.url("a"), "--limit-rate", "10M"]
    env = environment({**_TERMINAL, "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"})
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    assert re.fullmatch(r"a: 3\.1 MB in \d+\.\d s \(\S+ MB/s\)\n", ended.stderr)
