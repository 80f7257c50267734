"""The schedule against a server that does what it likes, without any network: what ends, ends with the right bytes."""

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.client.decisions.response import (
    ErrorStatus,
    Full,
    RangeRequest,
    ResponseHead,
    UnusableRange,
    classify_response,
)
from async_downloads.client.decisions.schedule import MIB, Outcome, Schedule, Segment
from async_downloads.errors import RemoteChanged
from async_downloads.semantics.ranges import ByteRange

# Positions count for a MiB each, which makes the bytes few and the limits of the schedule the real ones.
SIZE = 37
NOW = 1_700_000_000


@dataclass
class Server:
    """Answers for one of its versions: content is (version, position), so that a mix would be seen."""

    dice: Random
    validators: bool
    ranges: bool
    version: int = 0
    answers: int = 0

    def answer(self, asked: RangeRequest) -> tuple[ResponseHead, int, int]:
        """Return a head, and which positions would follow it."""
        self.answers += 1
        if self.dice.random() < 0.03 and self.version < 3:
            self.version += 1
        fields = {"etag": f'"{self.version}"'} if self.validators else {}
        current = asked.if_range in {None, fields.get("etag")}
        if asked.ranged and self.ranges and current and self.dice.random() > 0.2:
            return self._part(asked, fields)
        return ResponseHead(200, {**fields, "content-length": str(SIZE * MIB)}, NOW), 0, SIZE * MIB

    def _part(self, asked: RangeRequest, fields: dict[str, str]) -> tuple[ResponseHead, int, int]:
        """Return what was asked for, or less, more, or something else."""
        odd = self.dice.random()
        start = asked.start + (MIB if odd < 0.05 else 0)
        stop = min(asked.stop or SIZE * MIB, SIZE * MIB)
        if odd > 0.9:
            stop = min(stop + 3 * MIB, SIZE * MIB)
        elif odd > 0.8:
            stop = start + max((stop - start) // MIB // 2, 1) * MIB
        if start >= stop:
            return ResponseHead(416, {"content-range": f"bytes */{SIZE * MIB}"}, NOW), 0, 0
        fields["content-range"] = f"bytes {start}-{stop - 1}/{SIZE * MIB}"
        return ResponseHead(206, fields, NOW), start, stop


@dataclass
class Body:
    """An answer that is being read for a segment: from where, to where, and of which version."""

    segment: Segment
    at: int
    stop: int
    version: int


@dataclass
class Download:
    """The engine without waiting: connections go on one MiB at a time, in any order, and break."""

    schedule: Schedule
    server: Server
    dice: Random
    file: dict[int, tuple[int, int]] = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)

    def run(self) -> None:
        """Go on until all is there."""
        for _ in range(20_000):
            if self.schedule.complete:
                return
            self.step()
        pytest.fail("it never ends")

    def step(self) -> None:
        """Open another connection, or read a MiB of one."""
        if len(self.bodies) < self.schedule.connections and (segment := self.schedule.take()):
            self.ask(segment)
        elif self.bodies:
            self.read(self.dice.choice(self.bodies))

    def ask(self, segment: Segment) -> None:
        """Ask for a segment."""
        asked = self.schedule.request(segment)
        answer, start, stop = self.server.answer(asked)
        verdict = classify_response(asked, self.schedule.version, answer)
        assert not isinstance(verdict, ErrorStatus)
        match self.schedule.apply(segment, verdict):
            case Outcome.STORE:
                self.bodies.append(Body(segment, start, stop, self.server.version))
            case Outcome.RETRY:
                assert isinstance(verdict, UnusableRange | Full)
                self.schedule.release(segment)
            case Outcome.RESTART:
                for body in self.bodies:
                    self.schedule.release(body.segment)
                self.schedule.release(segment)
                self.bodies.clear()
                self.schedule.restart()

    def read(self, body: Body) -> None:
        """Read a MiB, if the connection does not break before."""
        segment = body.segment
        if body.at < (segment.stop or body.stop) and self.dice.random() > 0.04:
            self.file[body.at // MIB] = (body.version, body.at // MIB)
            self.schedule.wrote(segment, body.at, MIB)
            body.at += MIB
            return
        if body.at == body.stop:
            self.schedule.body_ended(segment)
        self.bodies.remove(body)
        self.schedule.release(segment)


@given(st.integers(0, 2**32), st.integers(1, 5), st.booleans(), st.booleans())
def test_a_download_that_ends_has_all_of_one_version(
    seed: int, connections: int, validators: bool, ranges: bool
) -> None:
    dice = Random(seed)
    download = Download(Schedule(connections), Server(dice, validators, ranges), dice)
    try:
        download.run()
    except RemoteChanged:
        return
    (version,) = {version for version, _ in download.file.values()}
    assert download.file == {at: (version, at) for at in range(SIZE)}
    assert ByteRange(0, SIZE * MIB) == ByteRange(0, download.schedule.total or 0)


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_no_byte_is_fetched_by_two_connections(seed: int, connections: int) -> None:
    dice = Random(seed)
    download = Download(Schedule(connections), Server(dice, validators=True, ranges=True), dice)
    for _ in range(200):
        download.step()
        running = sorted(
            (segment.done, segment.stop or SIZE * MIB) for segment in download.schedule.running if segment.left
        )
        assert all(one[1] <= other[0] for one, other in pairwise(running))
