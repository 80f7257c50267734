"""The counts of a worker: its page of numbers, and the observer that writes them.

    page    BEAT ACCEPTS | gauges | counters | histograms | requests: a row for each method, a column for each status

Each number has a fixed place. So the pages of all workers can be added up place by place, and no client can make a page
larger. A worker writes its page once per second. Counting a request takes half a microsecond. `prometheus_client` would
need a lock, so it only makes the page that Prometheus scrapes.
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


BEAT: Final = 0  # the time at which the worker was last active, in seconds of the monotonic clock
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
_COLUMNS: Final[Mapping[int | None, int]] = {None: 0, **{status: status - 99 for status in range(100, 600)}}
_BOUNDS: Final = REQUEST_SECONDS.bounds
_FIRST_BUCKET: Final = REQUEST_SECONDS.place
_SHORTEST: Final = _BOUNDS[0]


class WorkerMetrics:
    """Observes requests and sources, and counts them for the page of one worker.

    `_requests` counts requests by method and status, `_refused` those of them that no app has seen, and `_counts` what
    has a place before `REQUESTS`. `flush` adds all of it to the page, once a second, and before the page is read by the
    worker itself: shared memory is slower.
    """

    __slots__ = ("_bytes", "_counts", "_page", "_refused", "_requests", "_seconds")

    def __init__(self, page: "memoryview[float]") -> None:
        self._page = page
        self._clear()

    def _clear(self) -> None:
        self._requests: dict[tuple[str, int | None], int] = {}
        self._refused = self._bytes = 0
        self._seconds = 0.0
        self._counts: list[float] = [0.0] * REQUESTS

    def end(self, scope: Scope, response: ObservedResponse, started: float, task: "asyncio.Task[None]") -> None:
        """Count a request that has ended."""
        seconds = time.monotonic() - started
        try:
            self._requests[scope["method"], response.status] += 1
        except KeyError:
            self._count(scope["method"], response.status)
        self._bytes += response.sent
        self._seconds += seconds
        if seconds > _SHORTEST:  # `flush` computes the first bucket, which most requests are in
            self._counts[_FIRST_BUCKET + bisect_left(_BOUNDS, seconds)] += 1
        if not response.complete:
            self._abort(error_of(task))

    def _count(self, method: str, status: int | None) -> None:
        """Count a request whose method and status may be unknown; a client could invent any number of them."""
        key = (method if method in _ROWS else "other", status if status in _COLUMNS else None)
        self._requests[key] = self._requests.get(key, 0) + 1

    def _abort(self, error: BaseException | None) -> None:
        self._counts[ABORTED + REASONS.index(_reason(error))] += 1
        if isinstance(error, SourceError):
            self.failed()

    def refused(self, scope: Scope, data: bytes, status: int) -> None:  # noqa: ARG002 - as the log needs them
        """Count a request that the server refused before the app. Its method is "other", because it may have none."""
        self._count("other", status)
        self._refused += 1

    def opened(self, source: SourceKind, seconds: float) -> None:
        """Count the opening of a source."""
        place, bounds = SOURCE_SECONDS[source]
        self._counts[place + bisect_left(bounds, seconds)] += 1
        self._counts[place + len(bounds) + 1] += seconds

    def failed(self) -> None:
        """Count a source that could not be opened or read."""
        self._counts[SOURCE_ERRORS] += 1

    def flush(self) -> None:
        """Add what was counted to the page."""
        page, counts, requests = self._page, self._counts, self._requests
        long = sum(counts[_FIRST_BUCKET + 1 : _FIRST_BUCKET + len(_BOUNDS) + 1])
        counts[_FIRST_BUCKET] = sum(requests.values()) - self._refused - long
        counts[BYTES], counts[REQUEST_SECONDS.end - 1] = self._bytes, self._seconds
        for (method, status), count in requests.items():
            page[_ROWS[method] + _COLUMNS[status]] += count
        for place, number in enumerate(counts):
            if number:  # the places of gauges have none
                page[place] += number
        self._clear()


def _reason(error: BaseException | None) -> str:
    """Return why a response is incomplete; `error` is what the app raised."""
    if error is None or isinstance(error, ConnectionError):
        return "client"  # the client has left, and most apps then end without an error
    if isinstance(error, SendStalled):
        return "stalled"
    if isinstance(error, SourceError):
        return "source"
    return "error" if isinstance(error, Exception) else "shutdown"  # the shutdown cancels the app
