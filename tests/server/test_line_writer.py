"""Lines that a thread writes: no caller waits for their reader, and lost lines are reported."""

import os
import select
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pytest
from harness.waiting import HANGING, eventually

from async_downloads.server.line_writer import LineWriter

_LINE = "x" * 99 + "\n"  # a pipe takes some hundreds of them
_MANY = 15_000


@dataclass
class _Pipes:
    """A writer and the read ends of both pipes that it writes to."""

    writer: LineWriter
    written: BinaryIO
    complaints: BinaryIO
    ends: list[int]

    def finish(self) -> tuple[list[bytes], bytes]:
        """Read all lines and complaints while the writer closes."""
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.extend(self.written))
        reader.start()
        self.writer.close(within=HANGING)
        for end in self.ends:
            os.close(end)
        self.ends.clear()
        reader.join()
        return lines, self.complaints.read()


@pytest.fixture(params=[True, False], ids=["blocking", "non-blocking"])
def pipes(request: pytest.FixtureRequest) -> Iterator[_Pipes]:
    """A writer into pipes."""
    read, write = os.pipe()
    heard, said = os.pipe()
    os.set_blocking(write, request.param)
    with open(read, "rb") as written, open(heard, "rb") as complaints:
        pipes = _Pipes(LineWriter(write, complaints=said), written, complaints, [write, said])
        yield pipes
        if not written.closed:
            written.close()
        pipes.writer.close(within=HANGING)
        for end in pipes.ends:
            os.close(end)


def test_lines_come_in_their_order(pipes: _Pipes) -> None:
    for number in range(5_000):
        pipes.writer.write(f"{number}\n")
    lines, complaints = pipes.finish()
    assert lines == [b"%d\n" % number for number in range(5_000)]
    assert complaints == b""


def test_lines_that_are_not_read_are_dropped_and_counted_once(pipes: _Pipes) -> None:
    for _ in range(_MANY):
        pipes.writer.write(_LINE)
    lines, complaints = pipes.finish()
    dropped = _MANY - len(lines)
    assert 0 < dropped <= _MANY - 10_000
    assert complaints.startswith(f"async-downloads: {dropped} lines of the access log were dropped".encode())
    assert complaints.count(b"\n") == 1


def test_closing_does_not_wait_for_a_reader(pipes: _Pipes) -> None:
    for _ in range(_MANY):
        pipes.writer.write(_LINE)
    pipes.writer.close(within=0.1)
    assert b"were dropped" in pipes.complaints.readline()


async def test_a_reader_that_has_left_is_reported_once(pipes: _Pipes) -> None:
    pipes.written.close()
    pipes.writer.write(_LINE)
    await eventually(lambda: select.select([pipes.complaints], [], [], 0)[0])
    for _ in range(_MANY):
        pipes.writer.write(_LINE)
    pipes.writer.close(within=HANGING)
    os.close(pipes.ends.pop())
    assert pipes.complaints.read() == b"async-downloads: the access log ends here: Broken pipe\n"


def test_closing_works_when_lines_and_complaints_share_a_full_pipe() -> None:
    read, write = os.pipe()
    writer = LineWriter(write, complaints=write)
    for _ in range(_MANY):
        writer.write(_LINE)
    writer.close(within=0.1)
    os.close(read)
    writer.close(within=HANGING)
    os.close(write)
