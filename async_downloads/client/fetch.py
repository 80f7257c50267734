"""Fetch the bytes of a download: workers take segments, request them, and store the bodies of the responses.

take ──▶ request ──▶ classify_response ──▶ apply ──┬─ STORE ───▶ the body goes to the batch writer
 ▲                                                 ├─ RETRY ───▶ take again
 └── wait ◀── TransientError, at any step          └─ RESTART ─▶ all workers stop; no bytes are held

If several servers have the file, each request goes to one of them. The first response decides which version is fetched.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

import httpx

from ..errors import BadResponse, FetchError, RemoteChanged
from .backoff import STARTING_OVER, Backoff
from .body_storage import BodyStorage
from .checksum import WANT_DIGEST, Checksum, expected_digest, expected_digest_of_part
from .copies import Copies, RemoteCopy
from .decisions.page import unexpected_page
from .decisions.response import classify_response, refuse_tiny_part
from .decisions.retries import RetryBudget, TransientError
from .decisions.schedule import Schedule
from .decisions.segment import Admission, Segment
from .decisions.verdict import ErrorStatus, Full, Partial, RangeRequest, ResponseHead, Verdict, VersionChanged
from .decisions.version import UNKNOWN, RemoteVersion
from .disk.batch_writer import BatchWriter
from .disk.destination import Destination
from .http.body_stream import body_stream
from .limits import TransferLimits
from .reporter import Reporter
from .severity import VersionReplaced, most_severe
from .workers import WorkerPool

__all__ = ["Fetch"]


_SUSPICIOUS_CRASHES: Final = 2  # one crash is most likely chance


class Fetch:
    """Fetches the bytes that the schedule lacks. `Job` owns it; all its workers run on one event loop.

    The schedule has the state of the version; this class adds what all workers share:

        accepted     A response of this version was accepted. Before that, every request also asks for a digest.
        waiting      After a failure, `Backoff` makes all workers of that server wait, because a server that is busy for
                     one connection is busy for all. But a refused worker ends while another one is served.
        restarting   `VersionReplaced` has ended all workers; the part file is cleared and the next version begins.

    `expected_digest` is the digest of the whole file that the server sent, or None. `warning` says what is unusual
    about the file; it is empty if there is nothing to say.
    """

    def __init__(
        self,
        copies: Sequence[RemoteCopy],
        schedule: Schedule,
        destination: Destination,
        *,
        limits: TransferLimits,
        reporter: Reporter,
        verified: bool = False,
    ) -> None:
        self.expected_digest: Checksum | None = None
        self.warning: str = ""
        self._schedule = schedule
        self._destination = destination
        self._limits = limits
        self._reporter = reporter
        backoffs = [Backoff(RetryBudget(limits.retries, limits.patience), schedule, reporter) for _ in copies]
        self._copies = Copies(copies, backoffs, known=schedule.version is not None)
        self._workers: WorkerPool
        self._accepted = False
        self._verified = verified
        self._storage = BodyStorage(schedule, limits.rate, reporter)

    async def run(self) -> None:
        """Return when the whole file is held. Raises FetchError, or an error of the destination or the listener."""
        while not self._schedule.complete:
            try:
                await self._fetch_version()
            except VersionReplaced as restart:
                await self._restart(restart.version)

    async def _fetch_version(self) -> None:
        self._workers = WorkerPool(self._work, self._schedule.connections)
        try:
            await self._workers.run()
        except BaseExceptionGroup as group:
            raise most_severe(group) from None

    async def _restart(self, version: RemoteVersion) -> None:
        record = await self._destination.change_version(version)
        self._schedule.restart(version)
        self._forget_responses()
        self._copies.forget_versions()
        if record:
            self._schedule.resume(record.version, record.held)
        begin = "continuing an earlier part" if self._schedule.held.spans else "starting over"
        self._reporter.state_changed("retrying", f"the file changed on the server: {begin}")

    async def _work(self, first: bool) -> None:
        """Fetch segments until none is left for this worker, or until the server serves only other connections."""
        while taken := await self._take(first=first):
            copy, segment = taken
            failures = self._copies.backoff(copy).failures
            try:
                await self._attempt(copy, segment, first=first)
            except (TransientError, FetchError) as error:
                if copy.refuses_more(segment, error):
                    self._workers.scale_down(getattr(error, "retry_after", None) or 0.0)
                    return
                self._note_crash(copy, segment, error)
                self._copies.failed(copy, segment, error, failures=failures)
        if self._schedule.complete:
            self._workers.stop()

    def _note_crash(self, copy: RemoteCopy, segment: Segment, error: TransientError | FetchError) -> None:
        """If a server has crashed twice before its first response, send no unusual fields with the next request."""
        if isinstance(error, TransientError) and error.crashed and not self._accepted and not self._schedule.held.size:
            copy.crashes += 1
            if copy.crashes == _SUSPICIOUS_CRASHES:
                self._ask_plainly(copy, segment)

    async def _take(self, *, first: bool) -> tuple[RemoteCopy, Segment] | None:
        """Choose a server, wait until it allows requests, and take a segment."""
        copy = self._copies.choose(first=first, lead_only=not self._schedule.combines)
        if copy is None:
            return None
        await self._copies.backoff(copy).until_allowed()
        segment = self._schedule.take()
        if segment is None:
            return None
        copy.segments.add(segment)
        return copy, segment

    async def _attempt(self, copy: RemoteCopy, segment: Segment, *, first: bool) -> None:
        try:
            async with copy.slot(first=first):
                await self._request(copy, segment)
        finally:
            copy.segments.discard(segment)
            self._schedule.release(segment)
            if self._schedule.version is None:
                self._forget_responses()

    def _forget_responses(self) -> None:
        """Forget the digest if the schedule has forgotten the version: the next response may be of another version."""
        self.expected_digest, self._accepted = None, False

    async def _request(self, copy: RemoteCopy, segment: Segment) -> None:
        schedule = self._schedule
        leads = self._copies.leads(copy, known=schedule.version is not None)
        request = schedule.request(segment) if leads else copy.request(segment)
        fields = {**request.fields, **self._initial_fields(copy)}
        is_quick = schedule.ranges_proven and not copy.is_slow
        async with copy.exchange.get(fields, is_quick=is_quick) as response:
            head = copy.exchange.head(response)
            verdict = self._classify(copy, request, head, leads=leads)
            if isinstance(verdict, ErrorStatus):
                await self._handle_error(copy, segment, head, verdict)
                return
            match schedule.apply(segment, verdict), verdict:
                case Admission.RESTART, VersionChanged(version):
                    raise VersionReplaced(version)
                case Admission.END_WORKER, _:
                    raise TransientError(RemoteChanged("another server has another ETag"))
                case Admission.STORE, (Full() | Partial()) as accepted:
                    batch_writer = await self._accept(copy, accepted, head)
                    body = self._body(accepted, head, response)
                    if await self._store(copy, segment, body, batch_writer):
                        schedule.body_ended(segment)
                        refuse_tiny_part(request, accepted)

    def _classify(self, copy: RemoteCopy, request: RangeRequest, head: ResponseHead, *, leads: bool) -> Verdict:
        schedule = self._schedule
        if leads:
            return classify_response(request, schedule.version, head, earlier=schedule.earlier)
        verified = self._verified or self.expected_digest is not None
        return copy.classify(request, schedule.version or UNKNOWN, head, verified=verified)

    def _initial_fields(self, copy: RemoteCopy) -> Mapping[str, str]:
        """Return the fields that are sent only before a response was accepted, or while no version is known."""
        want_digest = {} if self._accepted or not copy.wants_digest else WANT_DIGEST
        return want_digest if self._schedule.version else {**want_digest, **self._destination.conditions}

    async def _handle_error(self, copy: RemoteCopy, segment: Segment, head: ResponseHead, verdict: ErrorStatus) -> None:
        """Raise the error of a response, or return if the request can be repeated at once without unusual fields."""
        if head.status == 304 and self._destination.conditions:
            await self._destination.accept(head, None)  # raises Unchanged
        plain = verdict.refuses_fields and self._copies.lead is copy and not copy.serves_besides(segment)
        if not (plain and self._ask_plainly(copy, segment)):
            raise verdict.exception

    def _ask_plainly(self, copy: RemoteCopy, segment: Segment) -> bool:
        """Send the next request with fewer unusual fields. Return False if this one had none."""
        wanted, copy.wants_digest = copy.wants_digest and not self._accepted, False
        if wanted and self._schedule.held.size:  # but with Range, so that the held bytes are not sent again
            return True
        return self._schedule.ask_plainly(segment) or wanted

    def _check_page(self, copy: RemoteCopy, head: ResponseHead) -> None:
        """Set `warning` if the first response for a name like data.zip is a page. If `strict`, raise BadResponse."""
        warning = unexpected_page((self._destination.path.name, copy.exchange.name), head.fields)
        if warning and self._limits.strict:
            raise BadResponse(warning)
        self.warning = warning or ""

    async def _accept(self, copy: RemoteCopy, verdict: Full | Partial, head: ResponseHead) -> BatchWriter:
        """Note that a response fits the request. Return the writer for its body."""
        if not self._accepted:
            self._check_page(copy, head)
        batch_writer = await self._destination.accept(head, verdict.version)
        if self._copies.lead is copy:
            self.expected_digest = expected_digest(head, verdict) or self.expected_digest
        self._accepted = copy.contributed = True
        if self._schedule.ranges_proven:
            self._workers.fill()
        sent_again = isinstance(verdict, Full) and self._schedule.held.size
        self._reporter.state_changed("downloading", STARTING_OVER if sent_again else "")
        return batch_writer

    def _body(self, verdict: Full | Partial, head: ResponseHead, response: httpx.Response) -> AsyncGenerator[bytes]:
        return body_stream(
            response,
            length=verdict.length,
            coding=verdict.version.coding,
            min_speed=self._limits.min_speed,
            expected=expected_digest_of_part(head, verdict),
        )

    async def _store(
        self, copy: RemoteCopy, segment: Segment, body: AsyncGenerator[bytes], batch_writer: BatchWriter
    ) -> bool:
        """Store the body of an accepted response. Return whether it was read to its own end."""
        backoff = self._copies.backoff(copy)
        try:
            async with aclosing(body) as chunks:
                return await self._storage.store(segment, chunks, batch_writer, partial(self._note_chunk, backoff))
        finally:
            backoff.note_held()

    def _note_chunk(self, backoff: Backoff) -> None:
        """Count a chunk as progress, and try one more worker if it is time."""
        backoff.note_held()
        self._workers.scale_up()
