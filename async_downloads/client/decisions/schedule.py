"""The state of one download: its version, its held bytes, and what to request next. Nothing here waits or sends.

take         return a segment for one more connection; None if there is nothing left to fetch
request      return the range to request for a segment
apply        record the verdict on a response; say whether to store its body
wrote        record that bytes are in the part file
keep_only    record that bytes are no longer in the part file
body_ended   record that the body of a segment was read to its end
extend       let a segment continue after its end, if the bytes there are not being fetched
release      give a segment back, complete or not
ask_plainly  request the whole file next, because the response to a range was an error status
restart      start over: the server has another version, of which no bytes are held
resume       continue, after `restart`, with bytes of the new version in the part of an earlier download
"""

from collections.abc import Iterable
from typing import Final

from ...errors import BadResponse, NetworkError, RemoteChanged
from ...semantics.ranges import ByteRange
from .retries import TransientError
from .segment import MIB, Admission, Segment, segment_size
from .spans import NOTHING, Spans
from .verdict import Full, NothingLeft, Partial, RangeRequest, UnusableRange, VersionChanged
from .version import UNKNOWN, RemoteVersion, came_before, is_far_smaller

__all__ = ["Schedule"]


_BRIDGE_BYTES: Final = 64 * 1024  # fewer held bytes between two gaps are fetched again, because that saves a request
_MIN_SPLIT_BYTES: Final = 4 * MIB  # for fewer bytes, a second connection would start too late to help
_MAX_UNUSABLE: Final = 3  # unusable responses to range requests in a row, after which the whole file is requested
_MAX_REPLACEMENTS: Final = 5  # new versions on the server during one download


class Schedule:
    """The plan of one download over at most `connections`. The download's event loop owns it; no thread touches it.

    Its states:

        unknown      `version` is None. One connection requests all bytes from 0 on.
        one stream   No strong validators, or a server without ranges: one connection reads from byte 0 to the end. If
                     it breaks and there are no strong validators, the held bytes are discarded.
        ranged       `ranges_proven`: a 206 has come. Up to `connections` fetch the gaps in `held`; a connection
                     without a gap takes the end of the largest segment. The first connection continues through bytes
                     that no other connection gets, because a link may work only once.
        complete     Every byte up to `total` is held. `take` returns None.

    `restart` leads from any state back to unknown. After three unusable responses a ranged download tries one stream.
    If two versions of one size come in turns, two servers share the name, and only one stream can work. `resumed_from`
    is the number of bytes of an earlier run that this one can use. `earlier` is the last accepted version.
    """

    def __init__(self, connections: int = 1, version: RemoteVersion | None = None, held: Spans = NOTHING) -> None:
        self.connections: int = connections
        self.version: RemoteVersion | None = version
        self.earlier: RemoteVersion | None = version
        self.resumed_from: int = held.size
        self.ranges_proven: bool = False
        self.running: list[Segment] = []
        self._held = held
        self._unusable = 0
        self._replaced: list[RemoteVersion] = []
        self._one_stream = False

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
        """Whether another connection can add to the held bytes."""
        return self.version is not None and self.version.resumable

    @property
    def combines(self) -> bool:
        """Whether the download combines bytes of several responses."""
        return self.resumable and not self._plain and (self.ranges_proven or self.held.size > 0)

    @property
    def _plain(self) -> bool:
        return self._unusable >= _MAX_UNUSABLE or (self._one_stream and not self.held.spans)

    @property
    def complete(self) -> bool:
        """Whether the whole file is held."""
        return self.total is not None and not any(self.held.missing(self.total))

    def take(self) -> Segment | None:
        """Return the segment for one more connection; None if nothing is left to fetch."""
        segment = self._next()
        if segment:
            self.running.append(segment)
        return segment

    def _next(self) -> Segment | None:
        if self.complete or (self.running and (self._one_stream or not self.ranges_proven)):
            return None
        if self._plain or (not self.resumable and self.connections == 1):
            return None if self.running else Segment(0, self.total, 0, ranged=False)
        if self.total is None:
            return Segment(self.held.end, None, self.held.end)
        return self._gap(self.total) or self._end_of_largest(self.total)

    def _gap(self, total: int) -> Segment | None:
        """Return a segment that is neither held nor being fetched, if there is one."""
        gap = self._taken(total, self.running).first_missing(total, bridge=_BRIDGE_BYTES)
        if gap is None:
            return None
        size = total if self.connections == 1 or not self.running else segment_size(total, self.connections)
        return Segment(gap[0], min(gap[1], gap[0] + size), gap[0])

    def _taken(self, total: int, segments: Iterable[Segment]) -> Spans:
        """Return the bytes that are held or belong to one of the segments."""
        taken = self.held
        for segment in segments:
            taken = taken.add(segment.done, total if segment.stop is None else max(segment.stop, segment.done))
        return taken

    def _end_of_largest(self, total: int) -> Segment | None:
        """Take the end of the running segment with the most bytes left, if it is worth a second connection."""
        largest = max((each for each in self.running if each.ranged), key=lambda each: each.left, default=None)
        if largest is None or largest.left <= _MIN_SPLIT_BYTES:
            return None
        return largest.split(segment_size(total, self.connections))

    def extend(self, segment: Segment) -> bool:
        """Let a segment continue after its end. Return False if its body ends there, or if the next bytes are taken.

        Bytes are not taken if the connection that requested them was refused or has no response yet.
        """
        if (end := segment.stop) is None or segment.body_stop is None or end >= segment.body_stop:
            return False
        waiting = [each for each in self.running if each.start == end and not each.served]
        taken = self._taken(segment.body_stop, [each for each in self.running if each not in waiting])
        gap = next((gap for gap in taken.missing(segment.body_stop) if gap[0] == end), None)
        if gap is None:
            return False
        segment.stop = gap[1]
        for each in waiting:
            each.stop = each.start
        return True

    def request(self, segment: Segment) -> RangeRequest:
        """Return the request for a segment."""
        return RangeRequest.for_part(self.version, segment.done, segment.stop) if segment.ranged else RangeRequest()

    def apply(
        self, segment: Segment, verdict: Full | Partial | NothingLeft | VersionChanged | UnusableRange
    ) -> Admission:
        """Record the `verdict` about the response for a segment. Return how to use the body of this response."""
        match verdict:
            case VersionChanged(version):
                return self._changed(segment, version)
            case NothingLeft(version):
                self.version = version
                return Admission.END
            case Partial(version, span):
                return self._continue(segment, version, span)
            case Full(version) if not segment.ranged or not self.ranges_proven:
                self._accept(version)
                self._read_from_start(segment)
                return Admission.STORE
            case UnusableRange(final=True):
                self._unusable = _MAX_UNUSABLE
                return Admission.RETRY
            case _:
                # With nothing held, request the whole file at once: it costs no more than a range does.
                self._unusable = _MAX_UNUSABLE if self.version is None else self._unusable + 1
                return Admission.RETRY

    def _changed(self, segment: Segment, version: RemoteVersion) -> Admission:
        known, served = self.version or UNKNOWN, any(each.served for each in self.running if each is not segment)
        same_file = known.differs_only_in_etag(version) and (self._one_stream or served)
        return Admission.END_WORKER if same_file else Admission.RESTART

    def _continue(self, segment: Segment, version: RemoteVersion, span: ByteRange) -> Admission:
        """Record a part. It is useless if another segment was extended over this one."""
        self._accept(version)
        self.ranges_proven, self._unusable = version.resumable, 0
        if segment.stop is not None and segment.stop <= segment.start:
            return Admission.RETRY
        segment.stop = span.stop if segment.stop is None else min(segment.stop, span.stop)
        segment.served, segment.body_stop = True, span.stop
        return Admission.STORE

    def _accept(self, version: RemoteVersion) -> None:
        if self.version is None and came_before(version, self._replaced):
            self._one_stream = True
        self.version = self.earlier = version

    def ask_plainly(self, segment: Segment) -> bool:
        """Make the next request one for the whole file. Return False if the segment's request already was."""
        self._unusable = _MAX_UNUSABLE if segment.ranged else self._unusable
        return segment.ranged

    def _read_from_start(self, segment: Segment) -> None:
        """Make the segment the whole file. Its bytes overwrite the held bytes, which are equal."""
        segment.start = segment.done = segment.received = 0
        segment.stop, segment.ranged, segment.served = self.total, False, True
        self.resumed_from = 0

    def restart(self, version: RemoteVersion) -> None:
        """Start over with another version. All segments must be released.

        Raises RemoteChanged if the file was replaced too often to be fetched.
        """
        if came_before(version, self._replaced):
            self._one_stream = True
        self._replaced.append(self.version or UNKNOWN)
        self._forget()
        self._unusable, self.earlier = 0, version
        if len(self._replaced) > _MAX_REPLACEMENTS:
            raise RemoteChanged(f"the file on the server was replaced {len(self._replaced)} times during the download")

    def resume(self, version: RemoteVersion, held: Spans) -> None:
        """Continue, after `restart`, with the `held` bytes of the new version in a part."""
        if not self._one_stream:
            self.version, self._held, self.resumed_from = version, held, held.size

    def _forget(self) -> None:
        self.version, self._held, self.resumed_from, self.ranges_proven = None, NOTHING, 0, False

    def wrote(self, segment: Segment, start: int, size: int) -> None:
        """Record that `size` bytes of the segment, from `start` on, are in the part file."""
        self._held = self._held.add(start, start + size)
        segment.done = start + size

    def keep_only(self, spans: Spans) -> None:
        """Record that only `spans` of the written bytes are left in the part file."""
        self._held = spans

    def body_ended(self, segment: Segment) -> None:
        """Record that a segment's body was read to its end. If the size was unknown, the end of the body is the size.

        Raises TransientError if an earlier body was longer, because without a length, a broken connection looks like an
        end. Also raises it if the version that the body replaces was far longer: it may be an error message.
        """
        if segment.stop is None:
            if segment.done < self.held.end:
                error = NetworkError(f"the connection ended after {segment.done} of at least {self.held.end} bytes")
                raise TransientError(error)
            if is_far_smaller(segment.done, self._replaced):
                raise TransientError(BadResponse(f"the server sent {segment.done} bytes in place of a longer file"))
            segment.stop = segment.done
            self.version = (self.version or UNKNOWN).with_total(segment.done)

    def release(self, segment: Segment) -> None:
        """Take a segment back. Its bytes that were not fetched can be taken again."""
        self.running.remove(segment)
        if not segment.ranged and self._unusable:
            self._unusable = _MAX_UNUSABLE - 1  # one stream did not get the whole file: try one range again
        if not self.resumable and not self.complete:
            self._forget()
