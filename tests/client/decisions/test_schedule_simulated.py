"""The schedule with a simulated, unreliable server: a download that completes has the right bytes."""

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.client.decisions.response import classify_response
from async_downloads.client.decisions.schedule import Schedule
from async_downloads.client.decisions.segment import MIB, Admission, Segment
from async_downloads.client.decisions.verdict import (
    ErrorStatus,
    Full,
    RangeRequest,
    ResponseHead,
    UnusableRange,
    VersionChanged,
)
from async_downloads.errors import RemoteChanged
from async_downloads.semantics.ranges import ByteRange

# Each position stands for a MiB: few positions, but the real limits of the schedule.
SIZE = 37
NOW = 1_700_000_000


@dataclass
class Server:
    """Responds with one of its versions. A byte is (version, position), so that mixed versions are visible."""

    dice: Random
    validators: bool
    ranges: bool
    version: int = 0
    responses: int = 0

    def respond(self, request: RangeRequest) -> tuple[ResponseHead, int, int]:
        """Return a head and the positions of its body."""
        self.responses += 1
        if self.dice.random() < 0.03 and self.version < 3:
            self.version += 1
        fields = {"etag": f'"{self.version}"'} if self.validators else {}
        current = request.if_range in {None, fields.get("etag")}
        if request.ranged and self.ranges and current and self.dice.random() > 0.2:
            return self._part(request, fields)
        return ResponseHead(200, {**fields, "content-length": str(SIZE * MIB)}, NOW), 0, SIZE * MIB

    def _part(self, request: RangeRequest, fields: dict[str, str]) -> tuple[ResponseHead, int, int]:
        """Return the requested part, or a shorter, longer or wrong one."""
        odd = self.dice.random()
        start = request.start + (MIB if odd < 0.05 else 0)
        stop = min(request.stop or SIZE * MIB, SIZE * MIB)
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
    """A body that is being read for a segment: its position, its end and its version."""

    segment: Segment
    at: int
    stop: int
    version: int


@dataclass
class Download:
    """The engine without waits: connections advance by one MiB in random order, and break."""

    schedule: Schedule
    server: Server
    dice: Random
    file: dict[int, tuple[int, int]] = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)
    limit: int | None = None

    def run(self) -> None:
        """Run until the download is complete."""
        for _ in range(20_000):
            if self.schedule.complete:
                return
            self.step()
        pytest.fail("it never ends")

    def step(self) -> None:
        """Open another connection, or read a MiB from one."""
        limit = self.schedule.connections if self.limit is None else self.limit
        if len(self.bodies) < max(limit, 1) and (segment := self.schedule.take()):
            self.request(segment)
        elif self.bodies:
            self.read(self.dice.choice(self.bodies))

    def request(self, segment: Segment) -> None:
        """Request a segment."""
        request = self.schedule.request(segment)
        head, start, stop = self.server.respond(request)
        verdict = classify_response(request, self.schedule.version, head)
        assert not isinstance(verdict, ErrorStatus)
        match self.schedule.apply(segment, verdict):
            case Admission.STORE:
                self.bodies.append(Body(segment, start, stop, self.server.version))
            case Admission.RETRY:
                assert isinstance(verdict, UnusableRange | Full)
                self.schedule.release(segment)
            case Admission.RESTART:
                for body in self.bodies:
                    self.schedule.release(body.segment)
                self.schedule.release(segment)
                self.bodies.clear()
                assert isinstance(verdict, VersionChanged)
                self.schedule.restart(verdict.version)
            case Admission.END_WORKER:
                self.limit = len(self.bodies)
                self.schedule.release(segment)

    def read(self, body: Body) -> None:
        """Read a MiB, unless the connection breaks."""
        segment = body.segment
        if body.at == segment.stop:
            self.schedule.extend(segment)
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
def test_a_complete_download_has_all_bytes_of_one_version(
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
def test_running_segments_do_not_overlap(seed: int, connections: int) -> None:
    dice = Random(seed)
    download = Download(Schedule(connections), Server(dice, validators=True, ranges=True), dice)
    for _ in range(200):
        download.step()
        running = sorted(
            (segment.done, segment.stop or SIZE * MIB) for segment in download.schedule.running if segment.left
        )
        assert all(one[1] <= other[0] for one, other in pairwise(running))
