"""What is known of one download, what is held, and what to request next. Nothing here waits or sends.

take         a segment for one more connection; None if there is nothing to do for it
request      the range to request for a segment
apply        note the verdict on the response; say whether its body is stored
wrote        bytes are in the part file
keep_only    bytes are no longer in the part file
body_ended   the body of a segment was read to its end
release      give the segment back, complete or not
restart      the server has another version: nothing is held of it
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from ...errors import NetworkError, RemoteChanged
from .response import Full, NothingLeft, Partial, RangeRequest, UnusableRange, VersionChanged
from .retries import TransientError
from .spans import NOTHING, Spans
from .version import UNKNOWN, RemoteVersion

__all__ = ["FIRST_REQUEST_BYTES", "Admission", "Schedule", "Segment", "segment_size"]


MIB: Final = 1024 * 1024
FIRST_REQUEST_BYTES: Final = MIB  # enough to be useful, and little to lose if it is requested again
_MIN_SPLIT_BYTES: Final = 4 * MIB  # a second connection for less would start too late to help
_MAX_UNUSABLE: Final = 3  # unusable responses to range requests in a row; then the whole file is requested
_MAX_REPLACEMENTS: Final = 5  # new versions on the server during one download


@dataclass(slots=True, eq=False)
class Segment:
    """The bytes that one connection fetches: from `start` to before `stop` (None: to the end of the file).

    All bytes before `done` are in the part file; all bytes before `received` have arrived, if that is further.
    The request for a segment that is not `ranged` is one for the whole file.
    """

    start: int
    stop: int | None
    done: int
    ranged: bool = True
    received: int = 0

    @property
    def received_count(self) -> int:
        """The number of bytes that have arrived."""
        return max(self.received - self.start, 0)

    @property
    def left(self) -> int:
        """The number of bytes to come; 0 if the end is unknown, or if a split cut off bytes that had arrived."""
        return 0 if self.stop is None else max(self.stop - self._reached, 0)

    def split(self) -> "Segment":
        """Cut off the second half of the bytes to come, and return it."""
        middle = self._reached + self.left // 2
        half = Segment(middle, self.stop, middle)
        self.stop = middle
        return half

    @property
    def _reached(self) -> int:
        return max(self.done, self.received)


def segment_size(total: int, connections: int) -> int:
    """Return the bytes of one request: an equal share for each connection, and no less than 1 MiB.

    Smaller segments would cost connections, since a split ends the connection whose segment was cut.
    """
    return max(-(-total // connections), MIB)


class Admission(Enum):
    """What to do after a response."""

    STORE = "store the body in the segment"
    RETRY = "request again: this response cannot be used"
    END = "nothing: no byte was missing, and the size is known now"
    RESTART = "start over: the held bytes belong to a version that is gone"


class Schedule:
    """The plan of one download over at most `connections`. The download's event loop owns it; no thread touches it.

    Its states:

        unknown      `version` is None. One connection requests the first MiB, or the whole file if it stays alone.
        one stream   No strong validator, or a server without ranges: one connection reads from byte 0 to the end.
                     The held bytes are forgotten if it breaks and there is no strong validator.
        ranged       `ranges_proven`: a 206 has come. Up to `connections` fetch the gaps in `held`; a connection
                     without a gap takes half of the largest segment.
        complete     Every byte up to `total` is held. `take` returns None.

    `restart` leads from any state back to unknown. After three unusable responses a ranged download tries one stream.
    `resumed_from` is the number of bytes that an earlier run left and that this one can use.
    """

    def __init__(self, connections: int = 1, version: RemoteVersion | None = None, held: Spans = NOTHING) -> None:
        self.connections: int = connections
        self.version: RemoteVersion | None = version
        self.resumed_from: int = held.size
        self.ranges_proven: bool = False
        self.running: list[Segment] = []
        self._held = held
        self._unusable = 0
        self._replacements = 0

    @property
    def held(self) -> Spans:
        """The bytes of this version that are in the part file. Only the methods of the schedule change it."""
        return self._held

    @property
    def total(self) -> int | None:
        """The size of the file in bytes, if it is known."""
        return self.version.total if self.version else None

    @property
    def resumable(self) -> bool:
        """Whether another connection can continue with the held bytes."""
        return self.version is not None and self.version.if_range is not None

    @property
    def complete(self) -> bool:
        """Whether the whole file is held."""
        return self.total is not None and not any(self.held.missing(self.total))

    def take(self) -> Segment | None:
        """Return what one more connection is to fetch; None if there is nothing for it."""
        segment = self._next()
        if segment:
            self.running.append(segment)
        return segment

    def _next(self) -> Segment | None:
        if self.complete or (self.running and not self.ranges_proven):
            return None
        if self._unusable >= _MAX_UNUSABLE or (not self.resumable and self.connections == 1):
            return None if self.running else Segment(0, self.total, 0, ranged=False)
        if self.total is None:
            stop = None if self.version else FIRST_REQUEST_BYTES
            return Segment(self.held.end, stop, self.held.end)
        return self._gap(self.total) or self._half_of_largest()

    def _gap(self, total: int) -> Segment | None:
        """Return a segment that is neither held nor being fetched, if there is one."""
        taken = self.held
        for segment in self.running:
            taken = taken.add(segment.done, total if segment.stop is None else max(segment.stop, segment.done))
        gap = next(taken.missing(total), None)
        if gap is None:
            return None
        size = total if self.connections == 1 else segment_size(total, self.connections)
        return Segment(gap[0], min(gap[1], gap[0] + size), gap[0])

    def _half_of_largest(self) -> Segment | None:
        """Take half of the running segment with the most bytes left, if a second connection is worth it."""
        largest = max((each for each in self.running if each.ranged), key=lambda each: each.left, default=None)
        return largest.split() if largest and largest.left > _MIN_SPLIT_BYTES else None

    def request(self, segment: Segment) -> RangeRequest:
        """Return the request for a segment."""
        if_range = self.version.if_range if self.version else None
        return RangeRequest(segment.done, segment.stop, segment.ranged, if_range if segment.ranged else None)

    def apply(
        self, segment: Segment, verdict: Full | Partial | NothingLeft | VersionChanged | UnusableRange
    ) -> Admission:
        """Note the verdict on the response to a segment's request, and say what to do."""
        match verdict:
            case VersionChanged():
                return Admission.RESTART
            case NothingLeft(version):
                self.version = version
                return Admission.END
            case Partial(version, span):
                self.version, self.ranges_proven, self._unusable = version, True, 0
                segment.stop = span.stop if segment.stop is None else min(segment.stop, span.stop)
                return Admission.STORE
            case Full(version) if not segment.ranged or not self.ranges_proven:
                self.version = version
                self._read_from_start(segment)
                return Admission.STORE
            case _:
                # With nothing held, request the whole file at once: it costs no more than a range does.
                self._unusable = _MAX_UNUSABLE if self.version is None else self._unusable + 1
                return Admission.RETRY

    def _read_from_start(self, segment: Segment) -> None:
        """Make the segment the whole file. Its bytes are written over the held ones, which are the same."""
        segment.start = segment.done = segment.received = 0
        segment.stop, segment.ranged = self.total, False
        self.resumed_from = 0

    def restart(self) -> None:
        """Start over with another version, after every segment was released.

        Raises RemoteChanged if the file was replaced too often to be fetched.
        """
        self._forget()
        self._unusable = 0
        self._replacements += 1
        if self._replacements > _MAX_REPLACEMENTS:
            raise RemoteChanged(f"the file on the server was replaced {self._replacements} times during the download")

    def _forget(self) -> None:
        self.version, self._held, self.resumed_from, self.ranges_proven = None, NOTHING, 0, False

    def wrote(self, segment: Segment, start: int, size: int) -> None:
        """Note that `size` bytes of the segment, from `start` on, are in the part file."""
        self._held = self._held.add(start, start + size)
        segment.done = start + size

    def keep_only(self, spans: Spans) -> None:
        """Note that of all that was written, the part file has only `spans` left."""
        self._held = spans

    def body_ended(self, segment: Segment) -> None:
        """Note that a segment's body was read to its end. If the size was unknown, the end of the body is the size.

        Raises TransientError if an earlier body went further: without a length, a broken connection looks like an end.
        """
        if segment.stop is None:
            if segment.done < self.held.end:
                raise TransientError(
                    NetworkError(f"the connection ended after {segment.done} of at least {self.held.end} bytes")
                )
            segment.stop = segment.done
            self.version = (self.version or UNKNOWN).with_total(segment.done)

    def release(self, segment: Segment) -> None:
        """Take a segment back. Bytes that were not fetched can be taken again."""
        self.running.remove(segment)
        if not segment.ranged and self._unusable:
            self._unusable = _MAX_UNUSABLE - 1  # one stream did not bring the whole file: try one range again
        if not self.resumable and not self.complete:
            self._forget()
