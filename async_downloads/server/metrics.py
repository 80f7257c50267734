"""What a worker counts: its page of numbers, and the observer that writes them.

    page    BEAT ACCEPTS | gauges | counters | histograms | requests: a row for each method, a column for each status

Everything has its place, so the numbers of all workers can be added up place by place, and no client can make the page
larger. The page is written once a second. A request costs less than a microsecond: `prometheus_client` counts with a
lock, so it only writes the page that is scraped.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final, NamedTuple

from ..errors import SendStalled, SourceError
from ..sending import Scope
from ..source_events import SOURCES, SourceKind
from .request_observer import ObservedResponse, error_of

__all__ = [
    "ABORTED",
    "ACCEPTS",
    "BEAT",
    "BYTES",
    "CONNECTIONS",
    "METHODS",
    "PAGE_SIZE",
    "REASONS",
    "REQUESTS",
    "REQUEST_SECONDS",
    "RUNNING",
    "SOURCE_ERRORS",
    "SOURCE_SECONDS",
    "STATUSES",
    "Histogram",
    "WorkerMetrics",
]


class Histogram(NamedTuple):
    """The place of a histogram: the count of each bucket, that of all longer times, and the sum of all times."""

    place: int
    bounds: tuple[float, ...]  # the upper bounds of the buckets, in seconds

    @property
    def end(self) -> int:
        """The place after the histogram."""
        return self.place + len(self.bounds) + 2


BEAT: Final = 0  # when the worker was seen last, in seconds of the monotonic clock
ACCEPTS: Final = 1  # whether it accepts connections: 1 or 0
CONNECTIONS: Final = 2
RUNNING: Final = 3
BYTES: Final = 4
SOURCE_ERRORS: Final = 5
REASONS: Final = ("client", "stalled", "source", "shutdown", "error")
ABORTED: Final = 6
REQUEST_SECONDS: Final = Histogram(
    ABORTED + len(REASONS), (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300, 1800, 7200)
)
_OPENING_BOUNDS: Final = (0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10)
_OPENING_SIZE: Final = Histogram(0, _OPENING_BOUNDS).end
SOURCE_SECONDS: Final[Mapping[SourceKind, Histogram]] = {
    source: Histogram(REQUEST_SECONDS.end + index * _OPENING_SIZE, _OPENING_BOUNDS)
    for index, source in enumerate(SOURCES)
}
METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "other")
STATUSES: Final = ("none", *map(str, range(100, 600)))  # "none": the app sent none, or one that HTTP does not have
REQUESTS: Final = REQUEST_SECONDS.end + len(SOURCES) * _OPENING_SIZE
PAGE_SIZE: Final = REQUESTS + len(METHODS) * len(STATUSES)
_ROWS: Final = {method: REQUESTS + index * len(STATUSES) for index, method in enumerate(METHODS)}
_OTHER: Final = _ROWS["other"]
_COLUMNS: Final[Mapping[int | None, int]] = {status: status - 99 for status in range(100, 600)}
_FIRST_BUCKET, _BOUNDS = REQUEST_SECONDS
_SHORTEST: Final = _BOUNDS[0]
_SECONDS: Final = REQUEST_SECONDS.end - 1


class WorkerMetrics:
    """Observes requests and sources, and counts them for the page of one worker.

    It counts in a list, which is faster than shared memory. `flush` adds the counts to the page, once a second, and
    before the page is read by the worker itself.
    """

    def __init__(self, page: "memoryview[float]") -> None:
        self._page = page
        self._counts: list[float] = [0] * PAGE_SIZE  # since the last `flush`

    def end(self, scope: Scope, response: ObservedResponse, started: float, task: "asyncio.Task[None]") -> None:
        """Count a request that has ended."""
        seconds, counts = time.monotonic() - started, self._counts
        try:
            counts[_ROWS[scope["method"]] + _COLUMNS[response.status]] += 1
        except KeyError:
            counts[_ROWS.get(scope["method"], _OTHER) + _COLUMNS.get(response.status, 0)] += 1
        counts[BYTES] += response.sent
        # As in `_observe`, which would cost a call. Most requests are in the first bucket.
        counts[_FIRST_BUCKET if seconds <= _SHORTEST else _FIRST_BUCKET + bisect_left(_BOUNDS, seconds)] += 1
        counts[_SECONDS] += seconds
        if not response.complete:
            self._abort(error_of(task))

    def _abort(self, error: BaseException | None) -> None:
        self._counts[ABORTED + REASONS.index(_reason(error))] += 1
        if isinstance(error, SourceError):
            self.failed()

    def refused(self, scope: Scope, data: bytes, status: int) -> None:  # noqa: ARG002 - as the log needs them
        """Count a request that the server refused before the app. Its method is "other": it may not have one."""
        self._counts[_OTHER + status - 99] += 1

    def opened(self, source: SourceKind, seconds: float) -> None:
        """Count the opening of a source."""
        _observe(self._counts, SOURCE_SECONDS[source], seconds)

    def failed(self) -> None:
        """Count a source that could not be opened or read."""
        self._counts[SOURCE_ERRORS] += 1

    def flush(self) -> None:
        """Add what was counted to the page."""
        counts, page = self._counts, self._page
        for place, count in enumerate(counts):
            if count:
                page[place] += count
                counts[place] = 0


def _observe(counts: list[float], histogram: Histogram, seconds: float) -> None:
    place, bounds = histogram
    counts[place + bisect_left(bounds, seconds)] += 1
    counts[place + len(bounds) + 1] += seconds


def _reason(error: BaseException | None) -> str:
    """Return why a response is incomplete; `error` is what the app raised."""
    if error is None or isinstance(error, ConnectionError):
        return "client"  # it has left; most apps end without an error then
    if isinstance(error, SendStalled):
        return "stalled"
    if isinstance(error, SourceError):
        return "source"
    return "error" if isinstance(error, Exception) else "shutdown"  # which cancels the app
