"""The schedule of one download: what is known, what is held, and what to ask for next. It neither waits nor sends.

    take      a segment to fetch, or None when there is nothing to do for one more connection
    ask       what to send for it
    admit     what to make of the verdict: whether the body belongs into the segment
    wrote     bytes are in the file now
    release   the segment is fetched, or what is left of it goes back
    restart   there is another version, and nothing is held of it

One connection begins. When its answer proves that ranges work, there may be more. Without a strong validator, or on a
server that does not do ranges, there is one stream from the first byte to the last.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from ...errors import NetworkError, RemoteChanged
from .response import Full, NothingLeft, Partial, RangeRequest, UnusableRange, VersionChanged
from .retries import TransientError
from .spans import NOTHING, Spans
from .version import UNKNOWN, RemoteVersion

__all__ = ["FIRST", "Outcome", "Schedule", "Segment", "largest", "segment_size", "split"]


MIB: Final = 1024 * 1024
FIRST: Final = MIB  # what the first request asks for: enough to be of use, and no great loss if it is asked for again
_SPLIT: Final = 4 * MIB  # below that, another connection would come too late


@dataclass(slots=True, eq=False)
class Segment:
    """What one connection has to bring: from `start` to before `stop`; None is the end, wherever that is.

    All before `done` is in the file, and all before `came` has come, if that is further. A segment that is not `ranged`
    is asked for as a whole file is.
    """

    start: int
    stop: int | None
    done: int
    ranged: bool = True
    received: int = 0

    @property
    def received_count(self) -> int:
        """How many bytes of it have come."""
        return max(self.received - self.start, 0)

    @property
    def left(self) -> int:
        """How many bytes are still to come; 0 when nobody knows, or more came than the half that was not given away."""
        return 0 if self.stop is None else max(self.stop - max(self.done, self.received), 0)


def segment_size(total: int, connections: int) -> int:
    """Return how many bytes to ask for at once: each connection has its share, of which others take when they are done.

    To come back more often would cost connections, since one that was fast is given up.
    """
    return max(-(-total // connections), MIB)


def largest(running: list[Segment]) -> Segment | None:
    """Return the segment with most left, if that is worth a second connection."""
    segment = max((each for each in running if each.ranged), key=lambda each: each.left, default=None)
    return segment if segment and segment.left > _SPLIT else None


def split(segment: Segment) -> Segment:
    """Take the second half of what is left of a segment away from it."""
    middle = max(segment.done, segment.received) + segment.left // 2
    half = Segment(middle, segment.stop, middle)
    segment.stop = middle
    return half


_MAX_UNUSABLE: Final = 3  # answers in a row that are none to the range that was asked for
_VERSIONS: Final = 5  # replacements on the server that are put up with


class Outcome(Enum):
    """What an answer leads to."""

    STORE = "the body goes into the file, from the segment's destination on"
    RETRY = "the answer is of no use: ask again"
    END = "nothing was missing: the size is known now"
    RESTART = "what is held is of a version that is gone"


class Schedule:
    """The state of one download by so many `connections`, with what is held of it.

    `resumed_from` counts the bytes that were held at the start and are of use; `proven` is that the server does ranges.
    """

    def __init__(self, connections: int = 1, version: RemoteVersion | None = None, held: Spans = NOTHING) -> None:
        self.connections: int = connections
        self.version: RemoteVersion | None = version
        self._held = held
        self.resumed_from: int = held.size
        self.ranges_proven: bool = False
        self.running: list[Segment] = []
        self._strikes = 0
        self._replaced = 0

    @property
    def held(self) -> Spans:
        """The bytes of this version that are in the part file. Only the methods of the schedule change it."""
        return self._held

    @property
    def total(self) -> int | None:
        """The size of the file, when that is known."""
        return self.version.total if self.version else None

    @property
    def resumable(self) -> bool:
        """Whether what is held may be kept for another connection."""
        return self.version is not None and self.version.if_range is not None

    @property
    def complete(self) -> bool:
        """Whether all of the file is held."""
        return self.total is not None and not any(self.held.missing(self.total))

    def take(self) -> Segment | None:
        """Give out what one more connection is to fetch."""
        segment = self._next()
        if segment:
            self.running.append(segment)
        return segment

    def _next(self) -> Segment | None:
        if self.complete or (self.running and not self.ranges_proven):
            return None
        if self._strikes >= _MAX_UNUSABLE or (not self.resumable and self.connections == 1):
            return None if self.running else Segment(0, self.total, 0, ranged=False)
        if self.total is None:
            first = None if self.version else FIRST
            return Segment(self.held.end, first, self.held.end)
        return self._gap(self.total)

    def _gap(self, total: int) -> Segment | None:
        """Give out what nobody fetches yet, or half of what somebody does."""
        taken = self.held
        for segment in self.running:
            taken = taken.add(segment.done, total if segment.stop is None else max(segment.stop, segment.done))
        gap = next(taken.missing(total), None)
        if gap is None:
            busy = largest(self.running)
            return split(busy) if busy else None
        size = total if self.connections == 1 else segment_size(total, self.connections)
        return Segment(gap[0], min(gap[1], gap[0] + size), gap[0])

    def ask(self, segment: Segment) -> RangeRequest:
        """Say what to send for a segment."""
        if_range = self.version.if_range if self.version else None
        return RangeRequest(segment.done, segment.stop, segment.ranged, if_range if segment.ranged else None)

    def apply(
        self, segment: Segment, verdict: Full | Partial | NothingLeft | VersionChanged | UnusableRange
    ) -> Outcome:
        """Take note of an answer, and say what it leads to."""
        match verdict:
            case VersionChanged():
                return Outcome.RESTART
            case NothingLeft(version):
                self.version = version
                return Outcome.END
            case Partial(version, span):
                self.version, self.ranges_proven, self._strikes = version, True, 0
                segment.stop = span.stop if segment.stop is None else min(segment.stop, span.stop)
                return Outcome.STORE
            case Full(version) if not segment.ranged or not self.ranges_proven:
                self.version = version
                self._sweep(segment)
                return Outcome.STORE
            case _:
                # Of nothing held, the whole is as good as a part. 206 without what it takes will be the same again.
                self._strikes = _MAX_UNUSABLE if self.version is None else self._strikes + 1
                return Outcome.RETRY

    def _sweep(self, segment: Segment) -> None:
        """Fetch all of the version in one stream, over what is held: those are the same bytes."""
        segment.start = segment.done = segment.received = 0
        segment.stop, segment.ranged = self.total, False
        self.resumed_from = 0

    def restart(self) -> None:
        """Begin with another version, when nobody fetches the one before any more.

        RemoteChanged when the versions change faster than they can be fetched.
        """
        self._forget()
        self._strikes = 0
        self._replaced += 1
        if self._replaced > _VERSIONS:
            raise RemoteChanged(f"the file on the server was replaced {self._replaced} times while it was fetched")

    def _forget(self) -> None:
        self.version, self._held, self.resumed_from, self.ranges_proven = None, NOTHING, 0, False

    def wrote(self, segment: Segment, start: int, size: int) -> None:
        """Note that so many bytes of the segment are in the file, from `start` on."""
        self._held = self._held.add(start, start + size)
        segment.done = start + size

    def keep_only(self, spans: Spans) -> None:
        """Note that of all that was written, the part file has only `spans` left."""
        self._held = spans

    def body_ended(self, segment: Segment) -> None:
        """Note that the body of a segment ended well: of what nobody knew the size of, that is the size.

        TransientError when more of it came before: a connection without a length may break and look like that.
        """
        if segment.stop is None:
            if segment.done < self.held.end:
                raise TransientError(
                    NetworkError(f"the connection ended after {segment.done} of {self.held.end} bytes or more")
                )
            segment.stop = segment.done
            self.version = (self.version or UNKNOWN).with_total(segment.done)

    def release(self, segment: Segment) -> None:
        """Take a segment back, whether it is fetched or not."""
        self.running.remove(segment)
        if not segment.ranged and self._strikes:
            self._strikes = _MAX_UNUSABLE - 1  # one stream has not brought all: give ranges one more chance
        if not self.resumable and not self.complete:
            self._forget()
