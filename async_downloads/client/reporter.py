"""Report the progress of a download, at most ten times a second. Lasting changes of state are reported at once."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp, inf
from pathlib import Path
from typing import Final, Literal, NamedTuple

from ..semantics.representation import Validators
from .decisions.schedule import Schedule

__all__ = ["Progress", "ProgressListener", "Reporter", "Result", "SegmentProgress", "State"]


State = Literal["waiting", "downloading", "retrying", "verifying", "finished"]


class SegmentProgress(NamedTuple):
    """The bytes that one connection fetches: from `start` to before `stop` (None: to the end); held up to `done`."""

    start: int
    done: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a download.

    - `state`: what the download does now. `name`: the name of the file.
    - `done`: the bytes that are held. `total`: the size in bytes; None while it is unknown.
    - `resumed_from`: the bytes that were held at the start.
    - `segments`: the ranges that connections fetch now.
    - `speed`: the bytes per second, an average of the last seconds.
    - `note`: a text for users that says why the download waits or starts over; empty if there is nothing to say.
    - `url`: the URL of the request, which may contain a password.
    """

    state: State
    name: str
    total: int | None
    done: int
    resumed_from: int
    segments: tuple[SegmentProgress, ...]
    speed: float
    note: str
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """A finished download.

    - `path`: the complete file. `size`: its size in bytes.
    - `transferred`: the bytes that arrived in response bodies. `resumed_from`: the bytes from an earlier run.
    - `validators`: the ETag and the date of the version on the server.
    - `digest`: the verified digest, written as `sha256:HEX`; None if there was none to verify.
    - `seconds`: the duration of the download.
    - `unchanged`: True if the complete file existed before.
    - `warning`: what is unusual about the file; empty if there is nothing to say.
    """

    path: Path
    size: int
    transferred: int
    resumed_from: int
    validators: Validators
    digest: str | None
    seconds: float = 0.0
    unchanged: bool = False
    warning: str = ""


ProgressListener = Callable[[Progress], object]
_INTERVAL_SECONDS: Final = 0.1  # between two reports of progress
_REPORTS_PER_SECOND: Final = 10
_SPEED_MEMORY_SECONDS: Final = 2.0  # after this time an earlier speed has lost most of its weight


class Reporter:
    """Reports one download to one listener, or to none. `Job` owns it.

    Its states are those of `State`: waiting, then downloading and retrying in turns, then verifying if there is a
    digest, then finished. A lasting change is reported at once. A brief change, and progress between changes, is
    reported only if fewer than ten reports were made in the last second. `received` is the number of bytes that have
    arrived; `Fetch` adds to it. An error that the listener raises ends the download.
    """

    def __init__(
        self, listener: ProgressListener | None, schedule: Schedule, name: Callable[[], str], *, url: str = ""
    ) -> None:
        self.received: int = 0
        self._listener = listener
        self._schedule = schedule
        self._name = name
        self._url = url
        self._clock = asyncio.get_running_loop().time
        self._reported_at = self._measured_at = self._clock()
        self._recent: deque[float] = deque(maxlen=_REPORTS_PER_SECOND)
        self._noted_at = -inf
        self._measured = 0
        self._speed = 0.0
        self._state: State = "waiting"
        self._note = ""

    def state_changed(self, state: State, note: str = "", *, brief: bool = False) -> None:
        """Report another state or note. A `brief` change lasts only a moment, so ten reports per second are enough."""
        if brief and (self._clock() - self._noted_at < _INTERVAL_SECONDS or self._is_limited()):
            return
        if (state, note) != (self._state, self._note) or state in {"waiting", "finished"}:
            self._state, self._note = state, note
            if note:
                self._noted_at = self._clock()
            if note or state != "downloading" or not self._is_limited():  # otherwise the next progress reports it
                self._report()

    def advanced(self) -> None:
        """Report progress, unless a report was made just now."""
        if self._clock() - self._reported_at >= _INTERVAL_SECONDS and not self._is_limited():
            self._report()

    def _is_limited(self) -> bool:
        return len(self._recent) == _REPORTS_PER_SECOND and self._clock() - self._recent[0] < 1.0

    def _report(self) -> None:
        self._reported_at = self._clock()
        self._recent.append(self._reported_at)
        if self._listener is not None:
            self._listener(self._progress())

    def _progress(self) -> Progress:
        schedule = self._schedule
        segments = tuple(SegmentProgress(each.start, each.done, each.stop) for each in schedule.running)
        held, speed = schedule.held.size, self._measure_speed()
        resumed_from, total = schedule.resumed_from, schedule.total
        return Progress(self._state, self._name(), total, held, resumed_from, segments, speed, self._note, self._url)

    def _measure_speed(self) -> float:
        """Return the speed in bytes per second. Recent seconds have the most weight."""
        seconds, received = self._reported_at - self._measured_at, self.received - self._measured
        if seconds >= _INTERVAL_SECONDS:
            weight = 1 - exp(-seconds / _SPEED_MEMORY_SECONDS) if self._speed else 1
            self._speed += weight * (received / seconds - self._speed)
            self._measured_at, self._measured = self._reported_at, self.received
        return self._speed
