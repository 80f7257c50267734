"""The engine of a download: workers take segments, request them, and store the bodies of the responses.

take ──▶ request ──▶ classify_response ──▶ apply ──┬─ STORE ───▶ the body goes to the batch writer
 ▲                                                 ├─ RETRY ───▶ take again
 └── wait ◀── TransientError, at any step          └─ RESTART ─▶ all workers stop, and nothing is held
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import Final

import httpx

from ..errors import DigestMismatch
from .checksum import WANT_DIGEST, Checksum, expected_digest, expected_digest_of_part
from .decisions.response import ErrorStatus, Full, Partial, ResponseHead, classify_response
from .decisions.retries import RetryBudget, TransientError, short_wait
from .decisions.schedule import Admission, Schedule, Segment
from .disk.batch_writer import BatchWriter, SegmentWriter
from .disk.destination import Destination
from .http.body_stream import MinSpeed, body_stream
from .http.exchange import Exchange
from .rate import RateLimit
from .reporter import Reporter
from .workers import WorkerPool

__all__ = ["Fetch", "TransferLimits", "most_severe"]


_STARTING_OVER: Final = "starting over: the server cannot resume this file"
_MAX_REFUSALS: Final = 2  # in a row to one worker; then it ends, since the server may accept fewer connections
_BRIEF_SECONDS: Final = 0.1  # a shorter wait may happen many times per second, and is reported less often


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """The limits of one download: `retries` in a row without progress, the least speed and the highest rate."""

    retries: int
    min_speed: MinSpeed
    rate: RateLimit


class _Restart(Exception):
    """The server has another version."""


class Fetch:
    """Fetches the bytes that the schedule lacks. `Job` owns it; all its workers run on one event loop.

    The schedule has the state of the version; this class adds what all workers share:

        accepted     A response of this version was accepted. Before that, every request also asks for a digest.
        waiting      Until `_not_before` no worker sends a request: a server that is busy for one is busy for all.
        restarting   `_Restart` has ended all workers; the part file is cleared and the next version begins.

    `expected_digest` is the digest of the whole file that the server sent, if any.
    """

    def __init__(
        self,
        exchange: Exchange,
        schedule: Schedule,
        destination: Destination,
        *,
        limits: TransferLimits,
        reporter: Reporter,
    ) -> None:
        self.expected_digest: Checksum | None = None
        self._exchange = exchange
        self._schedule = schedule
        self._destination = destination
        self._limits = limits
        self._reporter = reporter
        self._retry_budget = RetryBudget(limits.retries)
        self._random = Random()  # noqa: S311  # it keeps no secret
        self._clock = asyncio.get_running_loop().time
        self._not_before = self._clock()
        self._workers: WorkerPool
        self._accepted = False
        self._failure = self._consequence = ""

    async def run(self) -> None:
        """Return when the whole file is held. Raises FetchError, or an error of the destination or the listener."""
        while not self._schedule.complete:
            try:
                await self._fetch_version()
            except _Restart:
                await self._restart()

    async def _fetch_version(self) -> None:
        self._workers = WorkerPool(self._work, self._schedule.connections)
        try:
            await self._workers.run()
        except BaseExceptionGroup as group:
            raise most_severe(group) from None

    async def _restart(self) -> None:
        self._schedule.restart()
        self._forget_responses()
        await self._destination.clear()
        self._retry_budget.reset()
        self._reporter.state_changed("retrying", "the file changed on the server: starting over")

    async def _work(self) -> None:
        """Fetch segments until there is none for this worker, or the server refuses it too often."""
        refusals = 0
        while segment := await self._take():
            failures = self._retry_budget.failures
            try:
                await self._attempt(segment)
            except TransientError as transient_error:
                self._note_failure(transient_error, segment)
                refusals = 0 if segment.received_count else refusals + 1
                if refusals and self._schedule.running:
                    if self._retires(refusals):
                        return
                elif failures == self._retry_budget.failures:  # otherwise another worker has counted this failure
                    self._back_off(transient_error, segment)

    async def _take(self) -> Segment | None:
        """Wait until requests are allowed, and take a segment."""
        while (wait := self._not_before - self._clock()) > 0:  # another worker may prolong the wait
            self._report_wait()
            await asyncio.sleep(wait)
        return self._schedule.take()

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
        async with self._exchange.get({**request.fields, **self._initial_fields()}) as response:
            head = self._exchange.head(response)
            verdict = classify_response(request, schedule.version, head)
            if isinstance(verdict, ErrorStatus):
                await self._raise_status(head, verdict)
            elif (outcome := schedule.apply(segment, verdict)) is Admission.RESTART:
                raise _Restart
            elif outcome is Admission.STORE and isinstance(verdict, Full | Partial):
                await self._accept(segment, verdict, head, response)

    def _initial_fields(self) -> Mapping[str, str]:
        """Return the fields that are sent only until a response was accepted, or while no version is known."""
        want_digest = {} if self._accepted else WANT_DIGEST
        return want_digest if self._schedule.version else {**want_digest, **self._destination.conditions}

    async def _raise_status(self, head: ResponseHead, verdict: ErrorStatus) -> None:
        if head.status == 304 and self._destination.conditions:
            await self._destination.accept(head, None)  # raises Unchanged
        raise verdict.exception

    async def _accept(
        self, segment: Segment, verdict: Full | Partial, head: ResponseHead, response: httpx.Response
    ) -> None:
        """Store the body of a response that fits the request."""
        batch_writer = await self._destination.accept(head, verdict.version)
        self.expected_digest, self._accepted = expected_digest(head, verdict) or self.expected_digest, True
        if self._schedule.ranges_proven:
            self._workers.fill()
        sent_again = isinstance(verdict, Full) and self._schedule.held.size
        self._reporter.state_changed("downloading", _STARTING_OVER if sent_again else "")
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
                room = len(chunk) if segment.stop is None else max(segment.stop - writer.end, 0)
                await writer.put(chunk[:room])
                self._note_chunk(len(chunk))
                if room < len(chunk) or (self._schedule.complete and not segment.ranged and segment.left):
                    return False
        finally:
            await writer.aclose()
            self._retry_budget.note_held(self._schedule.held.size)
        return True

    def _note_chunk(self, size: int) -> None:
        """Count a chunk: report progress, and try one more worker if it is time."""
        self._reporter.received += size
        self._reporter.advanced()
        self._retry_budget.note_held(self._schedule.held.size)
        self._workers.scale_up()

    def _note_failure(self, transient_error: TransientError, segment: Segment) -> None:
        self._failure = str(transient_error)
        self._consequence = _STARTING_OVER if segment.received_count and not self._schedule.resumable else ""
        self._delay_requests(transient_error.retry_after or 0)

    def _retires(self, refusals: int) -> bool:
        """Wait shortly after a refusal; after some of them, let this worker end and the others continue."""
        if refusals < _MAX_REFUSALS:
            self._delay_requests(short_wait(self._random.random()))
            return False
        self._workers.scale_down()
        return True

    def _back_off(self, transient_error: TransientError, segment: Segment) -> None:
        """Make all workers wait before the next request, or raise if the retries are used up."""
        jitter = self._random.random()
        self._delay_requests(self._retry_budget.wait(transient_error, received=segment.received_count, jitter=jitter))
        self._report_wait()

    def _delay_requests(self, seconds: float) -> None:
        """Let no worker send a request for `seconds` from now."""
        self._not_before = max(self._not_before, self._clock() + seconds)

    def _report_wait(self) -> None:
        """Report the failure and the wait, unless another worker is still fetching."""
        if self._schedule.running:
            return
        wait = self._not_before - self._clock()
        parts = [f"again in {max(round(wait), 1)} s" if wait > 0 else "", self._consequence]
        note = ": ".join(filter(None, [self._failure, ", ".join(filter(None, parts))]))
        self._reporter.state_changed("retrying", note, brief=wait < _BRIEF_SECONDS)


def most_severe(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that decides, of all that the workers of a group raised.

    DigestMismatch comes first, since the part file must then be removed; a new version counts only if it is alone.
    """
    leaves = [most_severe(each) if isinstance(each, BaseExceptionGroup) else each for each in group.exceptions]
    return min(leaves, key=lambda each: (not isinstance(each, DigestMismatch), isinstance(each, _Restart)))
