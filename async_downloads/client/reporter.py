"""Tells how far a download is: ten times a second at most, but for what is to last."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf
from pathlib import Path
from typing import Final, Literal, NamedTuple

from ..semantics.representation import Validators
from .decisions.schedule import Schedule

__all__ = ["Progress", "ProgressListener", "Reporter", "Result", "SegmentProgress", "State"]


State = Literal["waiting", "downloading", "retrying", "verifying", "finished"]


class SegmentProgress(NamedTuple):
    """What one connection fetches: from `start` to before `stop` (None: to the end), of which it has come to `done`."""

    start: int
    done: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is. `done` of `total` bytes are held, `resumed_from` of which were held at the start.

    `speed` is in bytes per second, smoothed. `note` says what happened lately, for people, and
    is empty when all is well.
    """

    state: State
    name: str
    total: int | None
    done: int
    resumed_from: int
    segments: tuple[SegmentProgress, ...]
    speed: float
    note: str


@dataclass(frozen=True, slots=True)
class Result:
    """A finished download.

    `transferred` counts the bytes of bodies that came, `resumed_from` those that were held from an earlier run.
    `digest` is what was verified, as `sha256:HEX`; None when there was none to verify. `unchanged` says that the whole
    file was there already.
    """

    path: Path
    size: int
    transferred: int
    resumed_from: int
    validators: Validators
    digest: str | None
    seconds: float = 0.0
    unchanged: bool = False


ProgressListener = Callable[[Progress], object]
_INTERVAL_SECONDS: Final = 0.1  # seconds
_MOST: Final = 10  # reports in a second
_MEMORY: Final = 2.0  # seconds, after which a speed has lost most of its weight


class Reporter:
    """Tells one listener about one schedule; None listens to nothing. What the listener raises goes through."""

    def __init__(self, tell: ProgressListener | None, schedule: Schedule, name: Callable[[], str]) -> None:
        self._tell = tell
        self._schedule = schedule
        self._name = name
        self.received: int = 0
        self._clock = asyncio.get_running_loop().time
        self._told_at = self._measured_at = self._clock()
        self._told: deque[float] = deque(maxlen=_MOST)
        self._noted_at = -inf
        self._measured = 0
        self._speed = 0.0
        self._state: State = "waiting"
        self._note = ""

    def state_changed(self, state: State, note: str = "", *, brief: bool = False) -> None:
        """Tell that the state is another, or the note. Of those that are over at once, ten a second are enough."""
        if brief and (self._clock() - self._noted_at < _INTERVAL_SECONDS or self._is_enough()):
            return
        if (state, note) != (self._state, self._note) or state in {"waiting", "finished"}:
            self._state, self._note = state, note
            if note:
                self._noted_at = self._clock()
            if note or state != "downloading" or not self._is_enough():  # else it is told with what comes
                self._report()

    def advanced(self) -> None:
        """Tell that there is more, if that was not told just now."""
        if self._clock() - self._told_at >= _INTERVAL_SECONDS and not self._is_enough():
            self._report()

    def _is_enough(self) -> bool:
        return len(self._told) == _MOST and self._clock() - self._told[0] < 1.0

    def _report(self) -> None:
        self._told_at = self._clock()
        self._told.append(self._told_at)
        if self._tell is not None:
            self._tell(self._progress())

    def _progress(self) -> Progress:
        schedule = self._schedule
        segments = tuple(SegmentProgress(each.start, each.done, each.stop) for each in schedule.running)
        held, speed = schedule.held.size, self._measure()
        return Progress(
            self._state, self._name(), schedule.total, held, schedule.resumed_from, segments, speed, self._note
        )

    def _measure(self) -> float:
        """Return the speed, in which the last seconds count most."""
        passed, came = self._told_at - self._measured_at, self.received - self._measured
        if passed >= _INTERVAL_SECONDS:
            weight = 1 - exp(-passed / _MEMORY) if self._speed else 1
            self._speed += weight * (came / passed - self._speed)
            self._measured_at, self._measured = self._told_at, self.received
        return self._speed
