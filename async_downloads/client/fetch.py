"""The engine: connections that take segments from the schedule, ask for them, and put what comes into the file.

schedule.take ──▶ ask ──▶ judge ──▶ admit ──STORE──▶ flow ──▶ batch_writer
    ▲                             ├────RETRY──▶ ask again
    └── wait ◀── TransientError ◀────────┴───RESTART──▶ everybody stops, nothing is held, from the start
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
from .decisions.retries import RetryBudget, TransientError, pause
from .decisions.schedule import Outcome, Schedule, Segment
from .disk.batch_writer import BatchWriter, SegmentWriter
from .disk.destination import Destination
from .http.body_stream import MinSpeed, body_stream
from .http.exchange import Exchange
from .rate import Rate
from .reporter import Reporter
from .workers import WorkerPool

__all__ = ["Fetch", "TransferLimits", "most_severe"]


_ANEW: Final = "from the start: the server gave nothing to go on with"
_REFUSED: Final = 2  # times in a row; then the work is left to the others, since fewer connections may be wanted
_BRIEF: Final = 0.1  # seconds; who waits for less may do so many times a second


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """How hard to try. `retries` counts tries that bring nothing new, one after the other."""

    retries: int
    min_speed: MinSpeed
    rate: Rate


class _Restart(Exception):
    """There is another version on the server."""


class Fetch:
    """Fetches what the schedule lacks. `promised` is the digest that the server says the file has."""

    def __init__(
        self,
        exchange: Exchange,
        schedule: Schedule,
        destination: Destination,
        *,
        limits: TransferLimits,
        reporter: Reporter,
    ) -> None:
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
        self._acquainted = False
        self._why = self._anew = ""
        self.expected_digest: Checksum | None = None

    async def run(self) -> None:
        """Return when all is held. Raises FetchError, and whatever the destination or the listener raises."""
        while not self._schedule.complete:
            try:
                await self._fetch_version()
            except _Restart:
                self._schedule.restart()
                self._unpromise()
                await self._destination.clear()
                self._retry_budget.renew()
                self._reporter.state_changed("retrying", "the file changed on the server: from the start")

    async def _fetch_version(self) -> None:
        self._workers = WorkerPool(self._work, self._schedule.connections)
        try:
            await self._workers.run()
        except BaseExceptionGroup as group:
            raise most_severe(group) from None

    async def _work(self) -> None:
        """Take segments until there are none for this connection."""
        refused = 0
        while segment := await self._take():
            failed = self._retry_budget.failed
            try:
                await self._attempt(segment)
            except TransientError as transient_error:
                self._note(transient_error, segment)
                refused = 0 if segment.received_count else refused + 1
                if refused and self._schedule.running:
                    if self._yields(refused):
                        return
                elif failed == self._retry_budget.failed:
                    self._endure(transient_error, segment)

    def _yields(self, refused: int) -> bool:
        """Wait, or leave the work to the others: what is refused to one connection need not be to fewer."""
        if refused < _REFUSED:
            self._put_off(pause(self._random.random()))
            return False
        self._workers.scale_down()
        return True

    def _note(self, transient_error: TransientError, segment: Segment) -> None:
        self._why = str(transient_error)
        self._anew = _ANEW if segment.received_count and not self._schedule.resumable else ""
        self._put_off(transient_error.after or 0)

    async def _take(self) -> Segment | None:
        """Take a segment as soon as anything may be asked."""
        while (wait := self._not_before - self._clock()) > 0:  # it may be put off meanwhile
            self._tell_why()
            await asyncio.sleep(wait)
        return self._schedule.take()

    def _endure(self, transient_error: TransientError, segment: Segment) -> None:
        """Have everybody wait before the next request, or give up."""
        self._put_off(
            self._retry_budget.wait(transient_error, gained=segment.received_count, jitter=self._random.random())
        )
        self._tell_why()

    def _tell_why(self) -> None:
        """Tell why nothing comes, and for how long, when nobody brings anything."""
        wait = self._not_before - self._clock()
        then = ", ".join(filter(None, [f"again in {max(round(wait), 1)} s" if wait > 0 else "", self._anew]))
        if not self._schedule.running:
            self._reporter.state_changed("retrying", f"{self._why}: {then}" if then else self._why, brief=wait < _BRIEF)

    def _put_off(self, seconds: float) -> None:
        """Have nobody ask anything for so long."""
        self._not_before = max(self._not_before, self._clock() + seconds)

    async def _attempt(self, segment: Segment) -> None:
        try:
            await self._ask(segment)
        finally:
            self._schedule.release(segment)
            if self._schedule.version is None:
                self._unpromise()

    def _unpromise(self) -> None:
        """Forget what was promised of a version that the schedule has forgotten: what comes next may be another one."""
        self.expected_digest, self._acquainted = None, False

    async def _ask(self, segment: Segment) -> None:
        schedule, asked = self._schedule, self._schedule.ask(segment)
        async with self._exchange.get({**asked.fields, **self._first()}) as response:
            answer = self._exchange.head(response)
            verdict = classify_response(asked, schedule.version, answer)
            if isinstance(verdict, ErrorStatus):
                await self._refuse(answer, verdict)
            elif (outcome := schedule.apply(segment, verdict)) is Outcome.RESTART:
                raise _Restart
            elif outcome is Outcome.STORE and isinstance(verdict, Full | Partial):
                await self._take_in(segment, verdict, answer, response)

    def _first(self) -> Mapping[str, str]:
        """Return what only a first request asks."""
        wanted = {} if self._acquainted else WANT_DIGEST
        return wanted if self._schedule.version else {**wanted, **self._destination.conditions}

    async def _refuse(self, answer: ResponseHead, verdict: ErrorStatus) -> None:
        if answer.status == 304 and self._destination.conditions:
            await self._destination.accept(answer, None)
        raise verdict.exception

    async def _take_in(
        self, segment: Segment, verdict: Full | Partial, answer: ResponseHead, response: httpx.Response
    ) -> None:
        """Store the body of an answer that is as it should be."""
        batch_writer = await self._destination.accept(answer, verdict.version)
        self.expected_digest, self._acquainted = expected_digest(answer, verdict) or self.expected_digest, True
        if self._schedule.ranges_proven:
            self._workers.fill()
        again = isinstance(verdict, Full) and self._schedule.held.size
        self._reporter.state_changed("downloading", _ANEW if again else "")
        expected, min_speed = expected_digest_of_part(answer, verdict), self._limits.min_speed
        body = body_stream(
            response, length=verdict.length, coding=verdict.version.coding, min_speed=min_speed, expected=expected
        )
        async with aclosing(body) as chunks:
            if await self._store(segment, chunks, batch_writer):
                self._schedule.body_ended(segment)

    async def _store(self, segment: Segment, chunks: AsyncIterator[bytes], batch_writer: BatchWriter) -> bool:
        """Put a body into the file, as far as the segment goes; return whether it was read to its end.

        Else the connection cannot be used again: that is the price of giving half of a segment away.
        """
        writer = SegmentWriter(batch_writer, segment)
        try:
            async for chunk in chunks:
                await self._limits.rate.spend(len(chunk))
                room = len(chunk) if segment.stop is None else max(segment.stop - writer.end, 0)
                await writer.put(chunk[:room])
                self._took(len(chunk))
                if room < len(chunk) or (self._schedule.complete and not segment.ranged and segment.left):
                    return False
        finally:
            await writer.aclose()
            self._retry_budget.note(self._schedule.held.size)
        return True

    def _took(self, size: int) -> None:
        """Look around after a chunk: there may be something to tell, or something to be tried."""
        self._reporter.received += size
        self._reporter.advanced()
        self._retry_budget.note(self._schedule.held.size)
        self._workers.scale_up()


def most_severe(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one that counts of what connections raised at the same time.

    Damage does first, since it must not be kept, and a new version only if it is alone.
    """
    leaves = [most_severe(each) if isinstance(each, BaseExceptionGroup) else each for each in group.exceptions]
    return min(leaves, key=lambda each: (not isinstance(each, DigestMismatch), isinstance(each, _Restart)))
