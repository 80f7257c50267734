"""The engine of a download: workers take segments, request them, and store the bodies of the responses.

take ──▶ request ──▶ classify_response ──▶ apply ──┬─ STORE ───▶ the body goes to the batch writer
 ▲                                                 ├─ RETRY ───▶ take again
 └── wait ◀── TransientError, at any step          └─ RESTART ─▶ all workers stop, and nothing is held
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

import httpx

from ..errors import BadResponse, DigestMismatch, FetchError, RemoteChanged, Stalled
from .backoff import STARTING_OVER, Backoff
from .checksum import WANT_DIGEST, Checksum, expected_digest, expected_digest_of_part
from .decisions.page import unexpected_page
from .decisions.response import classify_response
from .decisions.retries import RetryBudget, TransientError
from .decisions.schedule import Schedule
from .decisions.segment import Admission, Segment
from .decisions.verdict import ErrorStatus, Full, Partial, ResponseHead, VersionChanged
from .decisions.version import RemoteVersion
from .disk.batch_writer import BatchWriter, SegmentWriter
from .disk.destination import Destination
from .http.body_stream import body_stream
from .http.exchange import Exchange
from .limits import TransferLimits
from .reporter import Reporter
from .workers import WorkerPool

__all__ = ["Fetch", "most_severe"]


class _Restart(Exception):
    """The server has another version."""

    def __init__(self, version: RemoteVersion) -> None:
        super().__init__()
        self.version = version


class Fetch:
    """Fetches the bytes that the schedule lacks. `Job` owns it; all its workers run on one event loop.

    The schedule has the state of the version; this class adds what all workers share:

        accepted     A response of this version was accepted. Before that, every request also asks for a digest.
        waiting      After a failure, `Backoff` lets no worker send a request: a server that is busy for one is busy
                     for all. But a refused worker ends while another one is served.
        restarting   `_Restart` has ended all workers; the part file is cleared and the next version begins.

    `expected_digest` is the digest of the whole file that the server sent, if any. `warning` says what is strange about
    the file; it is empty if nothing is.
    """

    def __init__(
        self,
        exchange: Exchange,
        schedule: Schedule,
        destination: Destination,
        *,
        limits: TransferLimits,
        reporter: Reporter,
        slots: asyncio.Semaphore,
    ) -> None:
        self.expected_digest: Checksum | None = None
        self.warning: str = ""
        self._exchange = exchange
        self._schedule = schedule
        self._destination = destination
        self._limits = limits
        self._reporter = reporter
        self._slots = slots
        self._backoff = Backoff(RetryBudget(limits.retries, limits.patience), schedule, reporter)
        self._workers: WorkerPool
        self._accepted = False
        self._wants_digest = True
        self._is_slow = False

    async def run(self) -> None:
        """Return when the whole file is held. Raises FetchError, or an error of the destination or the listener."""
        while not self._schedule.complete:
            try:
                await self._fetch_version()
            except _Restart as restart:
                await self._restart(restart.version)

    async def _fetch_version(self) -> None:
        self._workers = WorkerPool(self._work, self._schedule.connections, self._slots)
        try:
            await self._workers.run()
        except BaseExceptionGroup as group:
            raise most_severe(group) from None

    async def _restart(self, version: RemoteVersion) -> None:
        record = await self._destination.change_version(version)
        self._schedule.restart(version)
        self._forget_responses()
        if record:
            self._schedule.resume(record.version, record.held)
        self._backoff.reset()
        begin = "continuing an earlier part" if self._schedule.held.spans else "starting over"
        self._reporter.state_changed("retrying", f"the file changed on the server: {begin}")

    async def _work(self) -> None:
        """Fetch segments until there is none for this worker, or the server serves only other connections."""
        while segment := await self._take():
            failures = self._backoff.failures
            try:
                await self._attempt(segment)
            except (TransientError, FetchError) as error:
                if self._is_surplus(segment, error):
                    self._workers.scale_down(getattr(error, "retry_after", None) or 0.0)
                    return
                if not isinstance(error, TransientError):
                    raise
                self._is_slow |= not segment.served and isinstance(error.error, Stalled)
                self._backoff.failed(error, segment, failures=failures)
        if self._schedule.complete:
            self._workers.stop()

    async def _take(self) -> Segment | None:
        """Wait until requests are allowed, and take a segment."""
        await self._backoff.until_allowed()
        return self._schedule.take()

    def _is_surplus(self, segment: Segment, error: TransientError | FetchError) -> bool:
        """Whether a connection brought nothing while another one is served: a server may limit their number."""
        refused = not segment.served or isinstance(error, TransientError)
        return refused and not segment.received_count and self._schedule.serves_besides(segment)

    async def _attempt(self, segment: Segment) -> None:
        try:
            await self._request(segment)
        finally:
            self._schedule.release(segment)
            if self._schedule.version is None:
                self._forget_responses()

    def _forget_responses(self) -> None:
        """Forget the digest when the schedule has forgotten the version: the next response may be of another one."""
        self.expected_digest, self._accepted = None, False

    async def _request(self, segment: Segment) -> None:
        schedule, request = self._schedule, self._schedule.request(segment)
        fields = {**request.fields, **self._initial_fields()}
        is_quick = schedule.ranges_proven and not self._is_slow
        async with self._exchange.get(fields, is_quick=is_quick) as response:
            head = self._exchange.head(response)
            verdict = classify_response(request, schedule.version, head, earlier=schedule.earlier)
            if isinstance(verdict, ErrorStatus):
                await self._handle_error(segment, head, verdict)
                return
            match schedule.apply(segment, verdict), verdict:
                case Admission.RESTART, VersionChanged(version):
                    raise _Restart(version)
                case Admission.END_WORKER, _:
                    raise TransientError(RemoteChanged("another server has another ETag"))
                case Admission.STORE, (Full() | Partial()) as accepted:
                    await self._accept(segment, accepted, head, response)

    def _initial_fields(self) -> Mapping[str, str]:
        """Return the fields that are sent only until a response was accepted, or while no version is known."""
        want_digest = {} if self._accepted or not self._wants_digest else WANT_DIGEST
        return want_digest if self._schedule.version else {**want_digest, **self._destination.conditions}

    async def _handle_error(self, segment: Segment, head: ResponseHead, verdict: ErrorStatus) -> None:
        """Raise the error of a response. Return if the request can be repeated at once without unusual fields."""
        if head.status == 304 and self._destination.conditions:
            await self._destination.accept(head, None)  # raises Unchanged
        alone = not self._schedule.serves_besides(segment)
        if not (alone and verdict.refuses_fields and self._ask_plainly(segment)):
            raise verdict.exception

    def _ask_plainly(self, segment: Segment) -> bool:
        """Send the next request with fewer unusual fields. Return False if this one had none."""
        wanted, self._wants_digest = self._wants_digest and not self._accepted, False
        if wanted and self._schedule.held.size:  # with Range, so that these bytes are not sent again
            return True
        return self._schedule.ask_plainly(segment) or wanted

    def _check_page(self, head: ResponseHead) -> None:
        """Note that an HTML page is the first response for a name like data.zip. Raises BadResponse if `strict`."""
        warning = unexpected_page((self._destination.path.name, self._exchange.name), head.fields)
        if warning and self._limits.strict:
            raise BadResponse(warning)
        self.warning = warning or ""

    async def _accept(
        self, segment: Segment, verdict: Full | Partial, head: ResponseHead, response: httpx.Response
    ) -> None:
        """Store the body of a response that fits the request."""
        if not self._accepted:
            self._check_page(head)
        batch_writer = await self._destination.accept(head, verdict.version)
        self.expected_digest, self._accepted = expected_digest(head, verdict) or self.expected_digest, True
        if self._schedule.ranges_proven:
            self._workers.fill()
        sent_again = isinstance(verdict, Full) and self._schedule.held.size
        self._reporter.state_changed("downloading", STARTING_OVER if sent_again else "")
        body = body_stream(
            response,
            length=verdict.length,
            coding=verdict.version.coding,
            min_speed=self._limits.min_speed,
            expected=expected_digest_of_part(head, verdict),
        )
        async with aclosing(body) as chunks:
            if await self._store(segment, chunks, batch_writer):
                self._schedule.body_ended(segment)

    async def _store(self, segment: Segment, chunks: AsyncIterator[bytes], batch_writer: BatchWriter) -> bool:
        """Write a body up to the end of its segment; return whether the body was read to its own end.

        If it was not, the connection cannot be used again. That is the price of splitting a running segment.
        """
        writer = SegmentWriter(batch_writer, segment)
        try:
            async for chunk in chunks:
                await self._limits.rate.consume(len(chunk))
                room = self._room(segment, writer.end, len(chunk))
                await writer.put(chunk[:room])
                self._note_chunk(len(chunk))
                if room < len(chunk) or (self._schedule.complete and not segment.ranged and segment.left):
                    return False
        finally:
            await writer.aclose()
            self._backoff.note_held()
        return True

    def _room(self, segment: Segment, position: int, size: int) -> int:
        """Return how many of the next `size` bytes of a body belong to its segment, which may be extended for them."""
        while segment.stop is not None and segment.stop < position + size:
            if not self._schedule.extend(segment):
                return max(segment.stop - position, 0)
        return size

    def _note_chunk(self, size: int) -> None:
        """Count a chunk: report progress, and try one more worker if it is time."""
        self._reporter.received += size
        self._reporter.advanced()
        self._backoff.note_held()
        self._workers.scale_up()


def most_severe(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that decides, of all that the workers of a group raised.

    DigestMismatch comes first, since the part file must then be removed; a new version counts only if it is alone.
    """
    leaves = [most_severe(each) if isinstance(each, BaseExceptionGroup) else each for each in group.exceptions]
    return min(leaves, key=lambda each: (not isinstance(each, DigestMismatch), isinstance(each, _Restart)))
