"""Make the workers of a download wait after a failure, and report the wait."""

import asyncio
from random import Random
from typing import Final

from .decisions.retries import RetryBudget, TransientError
from .decisions.schedule import Schedule
from .decisions.segment import Segment
from .reporter import Reporter

__all__ = ["STARTING_OVER", "Backoff"]


STARTING_OVER: Final = "starting over: the server cannot resume this file"
_BRIEF_SECONDS: Final = 0.1  # a shorter wait may happen many times per second, and is reported less often


class Backoff:
    """Counts the failures of all workers at one server, and makes all of them wait. `Fetch` owns it.

    A server that is busy for one connection is busy for all. One event may break several connections, but counts as one
    failure: only for the first worker that notices it, `failures` is still the number from the start of its attempt.
    """

    def __init__(self, budget: RetryBudget, schedule: Schedule, reporter: Reporter) -> None:
        self._budget = budget
        self._schedule = schedule
        self._reporter = reporter
        self._random = Random()  # noqa: S311  # it keeps no secret
        self._clock = asyncio.get_running_loop().time
        self._not_before = self._clock()
        self._failure = self._consequence = ""

    @property
    def failures(self) -> int:
        """The number of failures so far."""
        return self._budget.failures

    def note_held(self) -> None:
        """Record the number of held bytes. If it has grown enough, set the number of failures to 0."""
        self._budget.note_held(self._schedule.held.size)

    def reset(self) -> None:
        """Forget the failures: the download starts over with another version."""
        self._budget.reset()

    @property
    def seconds(self) -> float:
        """The seconds until requests are allowed."""
        return max(self._not_before - self._clock(), 0.0)

    async def until_allowed(self) -> None:
        """Wait until requests are allowed."""
        while (wait := self.seconds) > 0:  # another worker may prolong the wait
            self._report()
            await asyncio.sleep(wait)

    def failed(self, transient_error: TransientError, segment: Segment, *, failures: int) -> None:
        """Make all workers wait after a failed attempt. `failures` is the number of failures at its start.

        Raises RetriesExhausted, or the error itself, if the retries are used up.
        """
        self._failure = str(transient_error)
        self._consequence = STARTING_OVER if segment.received_count and not self._schedule.resumable else ""
        if failures != self.failures:
            return
        received, jitter = segment.received_count, self._random.random()
        seconds = self._budget.wait(transient_error, received=received, jitter=jitter)
        self._not_before = max(self._not_before, self._clock() + seconds)
        self._report()

    def _report(self) -> None:
        """Report the failure and the wait, unless another worker is still fetching."""
        if self._schedule.running:
            return
        wait = self._not_before - self._clock()
        parts = [f"again in {max(round(wait), 1)} s" if wait > 0 else "", self._consequence]
        note = ": ".join(filter(None, [self._failure, ", ".join(filter(None, parts))]))
        self._reporter.state_changed("retrying", note, brief=wait < _BRIEF_SECONDS)
