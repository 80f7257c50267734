"""Lines that a thread writes: no caller waits for their reader, a failing output is tried again, losses are counted."""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest
from harness.waiting import HANGING, eventually

from async_downloads.server.line_writer import LineWriter, queued_stderr, report

_LINE = "x" * 999 + "\n"
_MANY = 6_000  # more than 4 MiB


@dataclass
class _Output:
    """A writer into a pipe, the read end of the pipe, and the reports of the writer."""

    writer: LineWriter
    written: BinaryIO
    end: int
    complaints: list[str] = field(default_factory=list)

    def finish(self) -> list[bytes]:
        """Read all lines while the writer closes."""
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.extend(self.written))
        reader.start()
        self.writer.close(within=HANGING)
        os.close(self.end)
        self.end = -1
        reader.join()
        return lines


@pytest.fixture(params=[True, False], ids=["blocking", "non-blocking"])
def output(request: pytest.FixtureRequest) -> Iterator[_Output]:
    """A writer into a pipe."""
    read, write = os.pipe()
    os.set_blocking(write, request.param)
    complaints: list[str] = []
    with open(read, "rb") as written:
        output = _Output(LineWriter(write, "the log", report=complaints.append), written, write, complaints)
        yield output
        if not written.closed:
            written.close()
        output.writer.close(within=HANGING)
        if output.end >= 0:
            os.close(output.end)


def test_lines_come_in_their_order(output: _Output) -> None:
    for number in range(5_000):
        output.writer.write(f"{number}\n")
    assert output.finish() == [b"%d\n" % number for number in range(5_000)]
    assert output.complaints == []


def test_lines_that_are_not_read_are_dropped_and_counted_once(output: _Output) -> None:
    for _ in range(_MANY):
        output.writer.write(_LINE)
    dropped = _MANY - len(output.finish())
    assert 0 < dropped < 2_000
    assert output.complaints == [f"{dropped} lines of the log were dropped, because they could not be written in time"]


def test_the_lines_that_wait_are_bounded_in_bytes(output: _Output) -> None:
    for _ in range(400):
        output.writer.write("x" * 50_000 + "\n")
    assert 4_000_000 < sum(map(len, output.finish())) < 4_500_000


def test_a_very_long_line_is_cut(output: _Output) -> None:
    output.writer.write("x" * 1_000_000 + "\n")
    output.writer.write("next\n")
    assert output.finish() == [b"x" * 65_536 + b"...\n", b"next\n"]


def test_closing_does_not_wait_for_a_reader(output: _Output) -> None:
    for _ in range(_MANY):
        output.writer.write(_LINE)
    output.writer.close(within=0.1)
    [complaint] = output.complaints
    assert "were dropped" in complaint


async def test_a_reader_that_has_left_is_reported_once(output: _Output) -> None:
    output.written.close()
    for number in range(3):
        output.writer.write(_LINE)
        await eventually(lambda: output.complaints)
        assert len(output.complaints) == 1, number
    output.writer.close(within=HANGING)
    assert output.complaints == [
        "cannot write the log: Broken pipe; lines are dropped until this works again",
        "3 lines of the log were dropped, because they could not be written in time",
    ]


async def test_a_named_pipe_that_gets_another_reader_gets_lines_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    complaints: list[str] = []
    first = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    end = os.open(tmp_path / "log", os.O_WRONLY)
    writer = LineWriter(end, "the log", report=complaints.append)
    os.close(first)
    writer.write("lost\n")
    await eventually(lambda: complaints)
    second = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    writer.write("found\n")
    writer.close(within=HANGING)
    assert os.read(second, 100) == b"found\n"
    assert complaints[1:] == ["1 lines of the log were dropped, because they could not be written in time"]
    os.close(second)
    os.close(end)


def test_a_full_disk_drops_lines_and_counts_them() -> None:
    complaints: list[str] = []
    full = os.open("/dev/full", os.O_WRONLY)
    writer = LineWriter(full, "the log", report=complaints.append)
    writer.write("a\n")
    writer.write("b\n")
    writer.close(within=HANGING)
    os.close(full)
    assert complaints == [
        "cannot write the log: No space left on device; lines are dropped until this works again",
        "2 lines of the log were dropped, because they could not be written in time",
    ]


@contextmanager
def _stderr(fd: int) -> Iterator[None]:
    """Make a descriptor the standard error of this process."""
    original, stream, real = os.dup(2), sys.stderr, sys.__stderr__
    os.dup2(fd, 2)
    with open(2, "w", closefd=False) as own:
        sys.stderr = sys.__stderr__ = own  # type: ignore[misc] # pytest has replaced them
        try:
            yield
        finally:
            sys.stderr, sys.__stderr__ = stream, real  # type: ignore[misc]
            os.dup2(original, 2)
            os.close(original)


def test_no_warning_and_no_log_line_waits_for_the_reader_of_standard_error() -> None:
    read, write = os.pipe()
    with _stderr(write):
        with queued_stderr():
            for number in range(3_000):
                sys.stderr.write(f"line {number} {'x' * 100}\n")
            handler = logging.StreamHandler()
            handler.handle(logging.makeLogRecord({"msg": "a warning"}))
            reader = threading.Thread(target=lambda: text.append(_drain(read)))
            text: list[bytes] = []
            reader.start()
        assert sys.stderr is sys.__stderr__
    os.close(write)
    reader.join()
    assert [b"line %d " % number in text[0] for number in (0, 2_999)] == [True, True]
    assert b"\na warning\n" in text[0]


def _drain(fd: int) -> bytes:
    with open(fd, "rb") as pipe:
        return pipe.read()


def test_a_report_is_dropped_and_counted_if_standard_error_is_full() -> None:
    read, write = os.pipe()
    with _stderr(write):
        for _ in range(1_000):
            report("y" * 200)
        before = os.read(read, 1_000_000)
        report("there is room")
    after = os.read(read, 1_000_000)
    dropped = 1_000 - before.count(b"\n")
    assert dropped > 0
    assert after == b"async-downloads: %d messages were dropped\nasync-downloads: there is room\n" % dropped
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("kind", ["full disk", "reader has left", "closed"])
def test_a_report_never_fails(kind: str) -> None:
    read, write = os.pipe()
    os.close(read)
    full = os.open("/dev/full", os.O_WRONLY)
    with _stderr(full if kind == "full disk" else write):
        if kind == "closed":
            os.close(2)
        report("a line")
    os.close(write)
    os.close(full)
    report("this ends the count of dropped messages")
