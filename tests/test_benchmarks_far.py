"""The line of the scenario `far`: its delay, its rate, its losses, and the reason if a machine cannot have it."""

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.load.line import BUFFER, RATE, Direction
from benchmarks.results import Run
from benchmarks.run import execute, prepare
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.settings import FULL, MIB, QUICK, Line, Settings

FAR = SCENARIOS["far"]
DELAY = 0.01


class Ends:
    """Both ends of a direction: packets are sent at one end and arrive at the other."""

    def __init__(self, loss: float) -> None:
        kind = socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK
        pairs = [socket.socketpair(socket.AF_UNIX, kind) for _ in range(2)]
        (self._sender, source), (target, self._receiver) = pairs
        self.sockets = [each for pair in pairs for each in pair]
        self.direction = Direction(source.fileno(), target.fileno(), delay=DELAY, loss=loss)

    def send(self, *packets: bytes) -> None:
        """Put packets on the line."""
        for packet in packets:
            self._sender.send(packet)
            self.direction.accept()

    def receive(self, now: float) -> list[bytes]:
        """Return the packets that have arrived at that time."""
        found = []
        while self.direction.due is not None and self.direction.due <= now:
            self.direction.deliver(self.direction.due)
            found.append(self._receiver.recv(65536))
        return found


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    ends = Ends(getattr(request, "param", 0.0))
    yield ends
    for each in ends.sockets:
        each.close()


def test_a_packet_arrives_after_the_delay(ends: Ends) -> None:
    begin = time.monotonic()
    ends.send(b"a")
    assert ends.direction.due is not None
    assert ends.direction.due >= begin + DELAY
    assert ends.receive(begin) == []
    assert ends.receive(ends.direction.due) == [b"a"]
    assert ends.direction.due is None


def test_packets_follow_each_other_at_the_rate_of_the_line(ends: Ends) -> None:
    packets = [bytes([number]) * 10_000 for number in range(10)]
    begin = time.monotonic()
    ends.send(*packets)
    assert ends.receive(begin + 99_999 / RATE + DELAY) == packets[:9]
    assert ends.receive(begin + 1) == packets[9:]


def test_packets_beyond_the_buffer_are_dropped(ends: Ends) -> None:
    packet = bytes(50_000)
    most = round(BUFFER * RATE / len(packet)) + 1
    begin = time.monotonic()
    ends.send(*[packet] * 2 * most)
    passed = round((time.monotonic() - begin) * RATE / len(packet)) + 1  # packets that the line has sent meanwhile
    assert most <= len(ends.receive(begin + 10)) <= min(most + passed, 2 * most)


@pytest.mark.parametrize("ends", [0.01], indirect=True)
def test_the_line_loses_its_share_of_packets(ends: Ends) -> None:
    count = 2000
    ends.send(*[b"a"] * count)
    assert 5 <= count - len(ends.receive(time.monotonic() + 10)) <= 40


def _measured(folder: Path) -> Run:
    settings = replace(QUICK, large_size=MIB, lines=(Line(20),), line_window=0.5, connections=4)
    run = prepare(settings, [FAR], [SERVERS["serve-asyncio"]], "a test")
    execute(run, settings, [FAR], [SERVERS["serve-asyncio"]], folder)
    return run


def test_a_client_behind_the_line_waits_for_two_round_trips_or_the_sample_has_the_reason(tmp_path: Path) -> None:
    samples = _measured(tmp_path).samples
    assert [each.error for each in samples] == [""] * len(samples)
    if samples[0].note:
        assert [each.case for each in samples] == [""]
    else:
        assert [each.case for each in samples] == ["20 ms: 1 download", "20 ms: 64 downloads", "20 ms: new connections"]
        assert samples[0].metrics["started"] == 1
        assert (samples[2].metrics["p50_ms"] or 0) >= 40  # the handshake, then the request


@pytest.mark.parametrize(
    ("user", "reason"), [(1000, "a network namespace needs root"), (0, "ip (iproute2) is not installed")]
)
def test_a_machine_that_cannot_have_a_line_gets_the_reason(
    user: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [(each.case, each.note) for each in _measured(tmp_path).samples] == [("", reason)]


def test_each_line_gets_its_own_server() -> None:
    assert [part.lines for part in FAR.parts(FULL)] == [(line,) for line in FULL.lines]


@pytest.mark.parametrize("settings", [FULL, QUICK], ids=["full", "quick"])
def test_each_case_has_its_columns(settings: Settings) -> None:
    assert set(FAR.expected(settings)) <= FAR.cases.keys()
