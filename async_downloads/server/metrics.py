"""What a worker counts: its page of numbers, and the listener that writes them.

    page    BEAT ACCEPTS | gauges | counters | histograms | requests: a row for each method, a column for each status

Everything has its place, so the numbers of all workers can be added up place by place, and no client can make the page
larger. Gauges are written once a second; what the listener counts is written at once. A request costs about a
microsecond: `prometheus_client` counts with a lock, so it only writes the page that is scraped.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Final, NamedTuple

from ..errors import SendStalled, SourceError
from ..sending import Scope
from ..source_events import SOURCES, SourceKind
from .request_observer import ObservedResponse

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


class WorkerMetrics:
    """A listener of requests and of sources, which counts on the page of one worker."""

    def __init__(self, page: "memoryview[float]") -> None:
        self._page = page

    def ended(self, scope: Scope, response: ObservedResponse, seconds: float) -> None:
        """Count a request that has ended."""
        page, status = self._page, response.status
        column = status - 99 if status is not None and 100 <= status < 600 else 0
        page[_ROWS.get(scope["method"], _OTHER) + column] += 1
        page[BYTES] += response.bytes
        _observe(page, REQUEST_SECONDS, seconds)
        if not response.complete:
            page[ABORTED + REASONS.index(_reason(response))] += 1
            if isinstance(response.error, SourceError):
                self.failed()

    def refused(self, scope: Scope, data: bytes, status: int) -> None:  # noqa: ARG002 - as the log needs them
        """Count a request that the server refused before the app. Its method is "other": it may not have one."""
        self._page[_OTHER + status - 99] += 1

    def opened(self, source: SourceKind, seconds: float) -> None:
        """Count the opening of a source."""
        _observe(self._page, SOURCE_SECONDS[source], seconds)

    def failed(self) -> None:
        """Count a source that could not be opened or read."""
        self._page[SOURCE_ERRORS] += 1


def _observe(page: "memoryview[float]", histogram: Histogram, seconds: float) -> None:
    place, bounds = histogram
    page[place + bisect_left(bounds, seconds)] += 1
    page[place + len(bounds) + 1] += seconds


def _reason(response: ObservedResponse) -> str:
    """Return why a response is incomplete."""
    error = response.error
    if isinstance(error, ConnectionError) or (error is None and response.status is not None):
        return "client"  # it has left; most apps end without an error then
    if isinstance(error, SendStalled):
        return "stalled"
    if isinstance(error, SourceError):
        return "source"
    is_cancelled = error is not None and not isinstance(error, Exception)
    return "shutdown" if is_cancelled else "error"
