"""The progress bar of `async-downloads put` and `db check`: on a terminal, and nowhere else."""

import os
import pty
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from tools.command import COMMAND, environment
from tools.databases import fill, ran
from tools.databases import sqlite as sqlite  # noqa: PLC0414

_SIZE = 24 * 1024 * 1024
_TERMINAL = {"TERM": "xterm", "COLUMNS": "80"}


def _shown(*arguments: object, cwd: Path, both: bool = False) -> tuple[str, str]:
    """Run a command whose standard error is a terminal; return its text there, and that on standard output."""
    master, slave = pty.openpty()
    command = [*COMMAND, *map(str, arguments)]
    env = environment(_TERMINAL)
    stdout = slave if both else subprocess.PIPE
    with subprocess.Popen(command, cwd=cwd, stdout=stdout, stderr=slave, stdin=subprocess.DEVNULL, env=env) as process:
        os.close(slave)
        shown = b"".join(_chunks(master))
        printed = process.stdout.read() if process.stdout else b""
    os.close(master)
    return shown.decode(), printed.decode()


def _chunks(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # EIO after the last writer closed it
        while chunk := os.read(terminal, 4096):
            yield chunk


def test_a_terminal_is_shown_name_bytes_speed_and_time_left(sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "[b]large.bin").write_bytes(bytes(_SIZE))
    shown, printed = _shown("put", "[b]large.bin", "--database", sqlite, cwd=tmp_path)
    assert re.search(r"\[b\]large\.bin .*\d/25\.2 MB", shown)
    assert re.search(r"[kM]B/s", shown)
    assert re.search(r"\d:\d\d:\d\d|-:--:--", shown)
    assert re.fullmatch(r"(\S+)\t/files/download/\1\n", printed)


def test_a_long_name_leaves_room_for_the_rest(sqlite: str, tmp_path: Path) -> None:
    (tmp_path / ("x" * 200)).write_bytes(bytes(1_000_000))
    shown, _ = _shown("put", "x" * 200, "--database", sqlite, cwd=tmp_path)
    assert re.search(r"x{10,30}… .*/1\.0 MB", shown)


def test_on_a_terminal_the_line_takes_the_place_of_the_bar(sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    shown, _ = _shown("put", "a", "--database", sqlite, cwd=tmp_path, both=True)
    assert re.search(r"\x1b\[2K(\S+)\t/files/download/\1\r\n\Z", shown)


async def test_on_a_terminal_each_damaged_file_has_its_own_line(sqlite: str, tmp_path: Path) -> None:
    await fill(sqlite, **{"[b]": b"b", "c": b"c"})
    with closing(sqlite3.connect(sqlite.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("update chunk set data = x'78' where data = x'62'")
    both, _ = _shown("db", "check", "--database", sqlite, cwd=tmp_path, both=True)
    assert re.search(r"\r\x1b\[2K\[b\]: [^\r\x1b]+\r\n", both)
    shown, printed = _shown("db", "check", "--database", sqlite, cwd=tmp_path)
    assert "checking" in shown
    assert re.fullmatch(r"\[b\]: .+\n", printed)


async def test_elsewhere_nothing_is_shown(sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    ran("put", tmp_path / "a", url=sqlite, env={**_TERMINAL, "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"})
