"""The servers that have one file: which server gets the next request, and which servers have failed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from ..errors import BadResponse, DigestMismatch, DiskError, FetchError, Stalled, TargetBusy
from .backoff import Backoff
from .decisions.copy import classify_copy
from .decisions.retries import TransientError
from .decisions.segment import Segment
from .decisions.verdict import ErrorStatus, Partial, RangeRequest, ResponseHead, UnusableRange
from .decisions.version import RemoteVersion
from .http.exchange import Exchange

__all__ = ["Copies", "FailureListener", "RemoteCopy"]


_OF_THE_FILE: Final = (DiskError, TargetBusy, DigestMismatch)  # another server would not help
_MAX_FRUITLESS: Final = 3  # attempts in a row without a byte, while another server sends bytes
FailureListener = Callable[[str, FetchError], object]


class _NotCombinable(BadResponse):
    """A server's bytes cannot be combined with those that the download has."""


@dataclass(slots=True, eq=False)
class RemoteCopy:
    """The file on one server. A download owns it, and makes new ones to begin again.

    `slots` limits the connections to the server's host. `on_failure` is called if another server is used in place of
    this one. `version` has this server's validators for the file; None if they are unknown. `segments` are the segments
    that it is sending. `error` is the reason if it is no longer used. `unfit` says that its bytes could not be combined
    with those of other servers; the file may still be downloaded from it alone. `contributed` says that some of its
    bytes are in the part file.
    """

    url: str = field(repr=False)
    exchange: Exchange
    slots: asyncio.Semaphore
    on_failure: FailureListener | None = None
    version: RemoteVersion | None = None
    segments: set[Segment] = field(default_factory=set)
    error: FetchError | None = None
    unfit: bool = False
    contributed: bool = False
    wants_digest: bool = True
    is_slow: bool = False
    crashes: int = 0
    _fruitless: int = 0

    def again(self) -> "RemoteCopy":
        """Return a new copy of the same server, in the state before any request."""
        return RemoteCopy(self.url, self.exchange, self.slots, self.on_failure)

    def report(self, error: FetchError) -> None:
        """Report that another server is used, because of this error."""
        if self.on_failure is not None:
            self.on_failure(self.url, error)

    def serves_besides(self, segment: Segment) -> bool:
        """Return whether another connection to this server than that of the segment receives bytes."""
        return any(each.served for each in self.segments if each is not segment)

    def refuses_more(self, segment: Segment, error: TransientError | FetchError) -> bool:
        """Return whether a connection got nothing while another one is served: the server may limit their number."""
        refused = not segment.served or isinstance(error, TransientError)
        return refused and not segment.received_count and self.serves_besides(segment)

    def request(self, segment: Segment) -> RangeRequest:
        """Return the request for a segment if the version of the file is known from another server."""
        return RangeRequest.for_part(self.version, segment.done, segment.stop)

    def classify(
        self, request: RangeRequest, wanted: RemoteVersion, head: ResponseHead, *, verified: bool
    ) -> Partial | ErrorStatus:
        """Classify the response to such a request, by `classify_copy`.

        Raises `_NotCombinable` if the bytes of this server cannot be combined with those of the others.
        """
        verdict = classify_copy(request, self.version, wanted, head, verified=verified)
        if isinstance(verdict, UnusableRange):
            raise _NotCombinable(f"this server cannot help: {verdict.reason}")
        if isinstance(verdict, ErrorStatus):
            return verdict
        self.version = verdict.version
        return Partial(wanted, verdict.span)

    def note_failure(self, segment: Segment) -> bool:
        """Count a failed attempt. Return whether the server has sent nothing in too many attempts."""
        self._fruitless = 0 if segment.received_count else self._fruitless + 1
        return self._fruitless >= _MAX_FRUITLESS

    @asynccontextmanager
    async def slot(self, *, first: bool) -> AsyncIterator[None]:
        """Hold one of the connections to the host. The `first` worker uses the one that the caller of the job holds."""
        if first:
            yield
            return
        async with self.slots:
            yield


class Copies:
    """The copies of one download, in the order of preference. `Fetch` owns it.

    `lead` is the copy whose validators the schedule's version has. It is None before a version is known, if that server
    is no longer used, and if an earlier run began the download from several copies.
    """

    def __init__(self, copies: Sequence[RemoteCopy], backoffs: Sequence[Backoff], *, known: bool) -> None:
        self.lead: RemoteCopy | None = copies[0] if known and len(copies) == 1 else None
        self._backoffs = dict(zip(copies, backoffs, strict=True))

    @property
    def usable(self) -> list[RemoteCopy]:
        """The copies that no error has excluded."""
        return [each for each in self._backoffs if each.error is None]

    def backoff(self, copy: RemoteCopy) -> Backoff:
        """Return the object that makes the workers wait after a failure of this copy."""
        return self._backoffs[copy]

    def choose(self, *, first: bool, lead_only: bool) -> RemoteCopy | None:
        """Return the copy for the next request: the one with the shortest wait, then with the fewest connections.

        Only the `first` worker may use a host without a free slot, because a download that waits for its first
        connection is more important than a further connection of another download. Returns None if there is no copy
        for this worker.
        """
        copies = [self.lead] if lead_only and self.lead else self.usable
        free = [each for each in copies if first or not each.slots.locked()]
        return min(free, key=lambda each: (self._backoffs[each].seconds, len(each.segments)), default=None)

    def leads(self, copy: RemoteCopy, *, known: bool) -> bool:
        """Return whether the version has this copy's validators. If no version is `known`, the copy begins to lead."""
        if not known:
            self.lead = copy
        return self.lead is copy

    def failed(self, copy: RemoteCopy, segment: Segment, error: TransientError | FetchError, *, failures: int) -> None:
        """Make the next request to a server wait after a failed attempt, or exclude the server.

        Raises the error if no other server is left, or if another server could not help.
        """
        if isinstance(error, _OF_THE_FILE):
            raise error
        if not isinstance(error, TransientError):
            self._exclude(copy, error)
            return
        copy.is_slow |= not segment.served and isinstance(error.error, Stalled)
        try:
            self._backoffs[copy].failed(error, segment, failures=failures)
        except FetchError as final:
            self._exclude(copy, final)
            return
        if copy.note_failure(segment) and self._serves_besides(copy):
            self._exclude(copy, error.error)

    def _exclude(self, copy: RemoteCopy, error: FetchError) -> None:
        is_first = copy.error is None  # several connections to one server may fail at the same time
        copy.error, copy.unfit = error, isinstance(error, _NotCombinable)
        if not self.usable:
            raise error
        if is_first:
            copy.report(error)
        if self.lead is copy:
            self.lead = None

    def _serves_besides(self, copy: RemoteCopy) -> bool:
        return any(segment.served for each in self.usable if each is not copy for segment in each.segments)

    def forget_versions(self) -> None:
        """Forget the versions and failures of all servers, because the download starts over with another version."""
        for copy, backoff in self._backoffs.items():
            copy.version = None
            backoff.reset()
