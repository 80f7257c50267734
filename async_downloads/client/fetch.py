"""The engine: connections that take pieces from the plan, ask for them, and put what comes into the file.

plan.take ──▶ ask ──▶ judge ──▶ admit ──STORE──▶ flow ──▶ keeper
    ▲                             ├────STRIKE──▶ ask again
    └── wait ◀── Setback ◀────────┴───RESTART──▶ everybody stops, nothing is held, from the start
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import Final

import httpx

from ..errors import DigestMismatch
from .checksum import PLEASE, Checksum, promise, promise_of_part
from .decisions.response import Answer, Part, Refused, Whole, judge
from .decisions.retries import Patience, Setback, pause
from .decisions.schedule import Outcome, Piece, Plan
from .disk.batch_writer import Keeper, Writer
from .disk.destination import Place
from .http.body_stream import Floor, flow
from .http.exchange import Exchange
from .rate import Rate
from .reporter import Reporter
from .workers import Crew

__all__ = ["Fetch", "Limits", "gravest"]


_ANEW: Final = "from the start: the server gave nothing to go on with"
_REFUSED: Final = 2  # times in a row; then the work is left to the others, since fewer connections may be wanted
_BRIEF: Final = 0.1  # seconds; who waits for less may do so many times a second


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard to try. `retries` counts tries that bring nothing new, one after the other."""

    retries: int
    floor: Floor
    rate: Rate


class _Restart(Exception):
    """There is another version on the server."""


class Fetch:
    """Fetches what the plan lacks. `promised` is the digest that the server says the file has."""

    def __init__(self, exchange: Exchange, plan: Plan, place: Place, *, limits: Limits, reporter: Reporter) -> None:
        self._exchange = exchange
        self._plan = plan
        self._place = place
        self._limits = limits
        self._reporter = reporter
        self._patience = Patience(limits.retries)
        self._random = Random()  # noqa: S311  # it keeps no secret
        self._clock = asyncio.get_running_loop().time
        self._not_before = self._clock()
        self._crew: Crew
        self._acquainted = False
        self._why = self._anew = ""
        self.promised: Checksum | None = None

    async def run(self) -> None:
        """Return when all is held. Raises FetchError, and whatever the place or the reporter's listener raises."""
        while not self._plan.complete:
            try:
                await self._fetch_version()
            except _Restart:
                self._plan.restart()
                self._unpromise()
                await self._place.clear()
                self._patience.renew()
                self._reporter.turn("retrying", "the file changed on the server: from the start")

    async def _fetch_version(self) -> None:
        self._crew = Crew(self._work, self._plan.connections)
        try:
            await self._crew.run()
        except BaseExceptionGroup as group:
            raise gravest(group) from None

    async def _work(self) -> None:
        """Take pieces until there are none for this connection."""
        refused = 0
        while piece := await self._take():
            failed = self._patience.failed
            try:
                await self._attempt(piece)
            except Setback as setback:
                self._note(setback, piece)
                refused = 0 if piece.gained else refused + 1
                if refused and self._plan.running:
                    if self._yields(refused):
                        return
                elif failed == self._patience.failed:
                    self._endure(setback, piece)

    def _yields(self, refused: int) -> bool:
        """Wait, or leave the work to the others: what is refused to one connection need not be to fewer."""
        if refused < _REFUSED:
            self._put_off(pause(self._random.random()))
            return False
        self._crew.shrink()
        return True

    def _note(self, setback: Setback, piece: Piece) -> None:
        self._why = str(setback)
        self._anew = _ANEW if piece.gained and not self._plan.resumable else ""
        self._put_off(setback.after or 0)

    async def _take(self) -> Piece | None:
        """Take a piece as soon as anything may be asked."""
        while (wait := self._not_before - self._clock()) > 0:  # it may be put off meanwhile
            self._tell_why()
            await asyncio.sleep(wait)
        return self._plan.take()

    def _endure(self, setback: Setback, piece: Piece) -> None:
        """Have everybody wait before the next request, or give up."""
        self._put_off(self._patience.wait(setback, gained=piece.gained, jitter=self._random.random()))
        self._tell_why()

    def _tell_why(self) -> None:
        """Tell why nothing comes, and for how long, when nobody brings anything."""
        wait = self._not_before - self._clock()
        then = ", ".join(filter(None, [f"again in {max(round(wait), 1)} s" if wait > 0 else "", self._anew]))
        if not self._plan.running:
            self._reporter.turn("retrying", f"{self._why}: {then}" if then else self._why, brief=wait < _BRIEF)

    def _put_off(self, seconds: float) -> None:
        """Have nobody ask anything for so long."""
        self._not_before = max(self._not_before, self._clock() + seconds)

    async def _attempt(self, piece: Piece) -> None:
        try:
            await self._ask(piece)
        finally:
            self._plan.release(piece)
            if self._plan.version is None:
                self._unpromise()

    def _unpromise(self) -> None:
        """Forget what was promised of a version that the plan has forgotten: what comes next may be another one."""
        self.promised, self._acquainted = None, False

    async def _ask(self, piece: Piece) -> None:
        plan, asked = self._plan, self._plan.ask(piece)
        async with self._exchange.get({**asked.fields, **self._first()}) as response:
            answer = self._exchange.head(response)
            verdict = judge(asked, plan.version, answer)
            if isinstance(verdict, Refused):
                await self._refuse(answer, verdict)
            elif (outcome := plan.admit(piece, verdict)) is Outcome.RESTART:
                raise _Restart
            elif outcome is Outcome.STORE and isinstance(verdict, Whole | Part):
                await self._take_in(piece, verdict, answer, response)

    def _first(self) -> Mapping[str, str]:
        """Return what only a first request asks."""
        wanted = {} if self._acquainted else PLEASE
        return wanted if self._plan.version else {**wanted, **self._place.conditions}

    async def _refuse(self, answer: Answer, verdict: Refused) -> None:
        if answer.status == 304 and self._place.conditions:
            await self._place.settle(answer, None)
        raise verdict.exception

    async def _take_in(self, piece: Piece, verdict: Whole | Part, answer: Answer, response: httpx.Response) -> None:
        """Store the body of an answer that is as it should be."""
        keeper = await self._place.settle(answer, verdict.version)
        self.promised, self._acquainted = promise(answer, verdict) or self.promised, True
        if self._plan.proven:
            self._crew.fill()
        again = isinstance(verdict, Whole) and self._plan.held.size
        self._reporter.turn("downloading", _ANEW if again else "")
        promised, floor = promise_of_part(answer, verdict), self._limits.floor
        body = flow(response, length=verdict.length, coding=verdict.version.coding, floor=floor, promised=promised)
        async with aclosing(body) as chunks:
            if await self._store(piece, chunks, keeper):
                self._plan.ended(piece)

    async def _store(self, piece: Piece, chunks: AsyncIterator[bytes], keeper: Keeper) -> bool:
        """Put a body into the file, as far as the piece goes; return whether it was read to its end.

        Else the connection cannot be used again: that is the price of giving half of a piece away.
        """
        writer = Writer(keeper, piece)
        try:
            async for chunk in chunks:
                await self._limits.rate.spend(len(chunk))
                room = len(chunk) if piece.stop is None else max(piece.stop - writer.end, 0)
                await writer.put(chunk[:room])
                self._took(len(chunk))
                if room < len(chunk) or (self._plan.complete and not piece.ranged and piece.left):
                    return False
        finally:
            await writer.aclose()
            self._patience.note(self._plan.held.size)
        return True

    def _took(self, size: int) -> None:
        """Look around after a chunk: there may be something to tell, or something to be tried."""
        self._reporter.came += size
        self._reporter.moved()
        self._patience.note(self._plan.held.size)
        self._crew.dare()


def gravest(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one that counts of what connections raised at the same time.

    Damage does first, since it must not be kept, and a new version only if it is alone.
    """
    leaves = [gravest(each) if isinstance(each, BaseExceptionGroup) else each for each in group.exceptions]
    return min(leaves, key=lambda each: (not isinstance(each, DigestMismatch), isinstance(each, _Restart)))
