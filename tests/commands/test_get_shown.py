"""The output of `async-downloads get`: bars on a terminal, lines elsewhere."""

import os
import pty
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tools.command import COMMAND, environment
from tools.getting import VERSION, Origin
from tools.getting import folder as folder  # noqa: PLC0414
from tools.getting import origin as origin  # noqa: PLC0414

from async_downloads.client import Progress, SegmentProgress
from async_downloads.commands.get_options import UrlItem
from async_downloads.commands.get_output import LinesAndBars
from async_downloads.commands.redaction import redacted

_TERMINAL = {"TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"}


_CONTROLS = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")
Drawn = Callable[[int, Progress], str]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Drawn:
    """Return the last line that a terminal of `columns` columns shows for a download."""

    def draw(columns: int, progress: Progress) -> str:
        for name, value in {"TERM": "xterm-256color", "COLUMNS": str(columns), "FORCE_COLOR": "1"}.items():
            monkeypatch.setenv(name, value)
        with LinesAndBars() as bars:
            bars.progress(UrlItem(0, "http://127.0.0.1/a"), progress)
        lines = _CONTROLS.sub("", capsys.readouterr().err).replace("\r", "\n").split("\n")
        last = [line for line in lines if line][-1]
        assert len(last) <= columns
        return last

    return draw


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
    with suppress(OSError):  # EIO after the last writer closed it
        while chunk := os.read(terminal, 4096):
            yield chunk


def test_a_terminal_is_shown_name_bytes_speed_connections_and_time_left(origin: Origin, folder: Path) -> None:
    origin.statuses = [503]
    name = f"[b]{'x' * 30}"
    shown = _shown(origin.url(name), origin.url("404"), "--limit-rate", "2M", "--jobs", "1")
    assert re.search(r"\[b\]x{16,17}… .* \d\.\d/3\.1 MB +\d+\.\d [kM]B/s x[1-4] +0:00:0\d", shown)
    assert re.search(rf"{re.escape(name)}: [^\r\n]*503[^\r\n]*\r\n", shown)
    assert re.search(rf"{re.escape(name)}: 3\.1 MB in \d+\.\d s \([^\r\n]*\)\r\n", shown)
    assert f"async-downloads: {origin.url('404')}: the server responded 404 Not Found: no\r\n" in shown
    bars = [line for line in re.split(r"[\r\n]|\x1b\[\S*?[A-Za-z]", shown) if "━" in line]
    assert any(line.startswith("total, 1 done") for line in bars)
    assert max(map(len, bars)) <= 80
    assert VERSION.difference(folder / name) is None


@pytest.mark.parametrize(
    ("columns", "bar", "numbers"),
    [
        pytest.param(30, 10, "50.0/100.0 MB", id="a narrow terminal"),
        pytest.param(80, 19, "50.0/100.0 MB 10.0 MB/s x2 0:00:05", id="a usual terminal"),
        pytest.param(200, 40, "50.0/100.0 MB 10.0 MB/s x2 0:00:05", id="a wide terminal"),
    ],
)
def test_a_bar_is_as_wide_as_there_is_room(drawn: Drawn, columns: int, bar: int, numbers: str) -> None:
    segments = (SegmentProgress(0, 25_000_000, 50_000_000), SegmentProgress(50_000_000, 75_000_000, 100_000_000))
    line = drawn(columns, Progress("downloading", "x" * 30, 100_000_000, 50_000_000, 0, segments, 1e7, ""))
    assert re.fullmatch(rf"x+… ([━╸╺]{{{bar}}}) {re.escape(numbers)} *", line)


def test_while_it_waits_to_try_again_the_seconds_are_shown(drawn: Drawn) -> None:
    note = "the server responded 503 Service Unavailable: again in 12 s, from the start"
    assert " retrying in 12 s " in drawn(80, Progress("retrying", "a", 100, 50, 0, (), 0.0, note))
    assert " retrying -:--:--" in drawn(80, Progress("retrying", "a", 100, 50, 0, (), 0.0, "Connection refused"))


def test_a_download_survives_a_closed_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    master, slave = pty.openpty()
    gone = os.fdopen(slave, "w")
    monkeypatch.setattr("sys.stderr", gone)
    bars = LinesAndBars()
    os.close(master)
    with bars:
        bars.progress(UrlItem(0, "http://127.0.0.1/a"), Progress("downloading", "a", 2, 1, 0, (), 1.0, "note"))
        bars.print("a line")
    with pytest.raises(OSError, match="error"):
        gone.close()


def test_control_characters_are_not_printed() -> None:
    assert redacted(ValueError("\x1b]0;title\x07 and more")) == "_]0;title_ and more"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgresql://me:s3cr:e@t@host/files", "at postgresql://me:***@host/files"),
        ("at postgresql://me@host/files", "at postgresql://me@host/files"),
        ("at postgresql://host/files?password=s3cret&x=1 now", "at postgresql://host/files?password=***&x=1 now"),
        ("at postgresql://host/files?pass%77ord=s3cret&x=1", "at postgresql://host/files?pass%77ord=***&x=1"),
        (
            "http://me:s3cret@host:80/a@b?k=1, postgresql://me:s3cret@host",
            "http://host:80/a@b postgresql://me:***@host",
        ),
        ("http://me:s3cret", "a URL"),
        ("12:30 and me@host", "12:30 and me@host"),
    ],
)
def test_a_message_shows_no_password(text: str, shown: str) -> None:
    assert redacted(ValueError(text)) == shown


@pytest.mark.parametrize("piece", [":", ":a@", "//", "http://", "password=", "%70", "@"])
def test_a_long_message_is_redacted_in_time(piece: str) -> None:
    assert redacted(ValueError(piece * 100_000 + "!"))  # a search from each colon would take minutes


def test_quiet_and_json_show_no_bar(origin: Origin, folder: Path) -> None:
    assert _shown(origin.url("a"), "--quiet") == ""
    assert "\x1b" not in _shown(origin.url("b"), "--json")


def test_elsewhere_there_are_lines_alone(origin: Origin, folder: Path) -> None:
    command = [*COMMAND, "get", origin.url("a"), "--limit-rate", "10M"]
    env = environment({**_TERMINAL, "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"})
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    assert re.fullmatch(r"a: 3\.1 MB in \d+\.\d s \(\S+ [kM]B/s\)\n", ended.stderr)
