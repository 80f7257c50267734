"""The page that Prometheus scrapes, in its text format or in that of OpenMetrics. It has the sums over all workers.

Any worker can make it, because it can read the pages of all workers.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from ..asgi import error_response, refusal, uncached_response
from ..request_target import in_origin_form
from ..responder import Response
from ..sending import Receive, Scope, Send, send_response
from .metrics import (
    ABORTED,
    ACCEPTS,
    BYTES,
    CONNECTIONS,
    METHODS,
    REASONS,
    REQUEST_SECONDS,
    REQUESTS,
    RUNNING,
    SOURCE_ERRORS,
    SOURCE_SECONDS,
    STATUSES,
    Histogram,
)
from .shared_pages import SharedPages

__all__ = ["METRICS_PATH", "MetricsPage"]


METRICS_PATH: Final = "/metrics"
_PREFIX: Final = "async_downloads"
_OPENMETRICS: Final = b"application/openmetrics-text"
_TEXT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricsPage:
    """An ASGI app that serves the metrics at `/metrics`. It calls `flush` before it reads the pages."""

    def __init__(self, pages: SharedPages, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_PagesCollector(pages))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one HTTP request."""
        await send_response(self._respond(in_origin_form(scope)), scope, receive, send)

    def _respond(self, scope: Scope) -> Response:
        if refused := refusal(scope):
            return refused
        if scope["path"] != METRICS_PATH:
            return error_response(404)
        self._flush()
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
        if _OPENMETRICS in accepted:
            return uncached_response(openmetrics.generate_latest(self._registry), openmetrics.CONTENT_TYPE_LATEST)  # type: ignore[no-untyped-call] # theirs
        return uncached_response(generate_latest(self._registry), _TEXT_TYPE)


class _PagesCollector(Collector):
    """Makes the metrics of `prometheus_client` from the workers' pages, at each scrape."""

    def __init__(self, pages: SharedPages) -> None:
        self._pages = pages

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        sums = [sum(column) for column in zip(*map(memoryview.tolist, self._pages), strict=True)]
        yield _requests(sums)
        yield _counter("response_bytes", "Bytes of response bodies that were sent.", sums[BYTES])
        yield _gauge("requests_in_flight", "Requests whose responses are not complete yet.", sums[RUNNING])
        yield _gauge("connections", "Open connections.", sums[CONNECTIONS])
        yield _gauge("workers", "Worker processes that accept connections.", sums[ACCEPTS])
        yield _histograms("request_seconds", "Seconds from a request to the end of its response.", sums, [])
        yield _aborted(sums)
        yield _histograms("source_seconds", "Seconds until a source was open.", sums, ["source"])
        yield _counter("source_errors", "Sources that could not be opened or read.", sums[SOURCE_ERRORS])
        info = {"version": version("async-downloads"), "python": platform.python_version()}
        yield InfoMetricFamily(f"{_PREFIX}_build", "The versions of the program and of Python.", info)


def _requests(sums: Sequence[float]) -> Metric:
    family = CounterMetricFamily(f"{_PREFIX}_requests", "Requests that have ended.", labels=["method", "status"])
    for row, method in enumerate(METHODS):
        start = REQUESTS + row * len(STATUSES)
        for column, count in enumerate(sums[start : start + len(STATUSES)]):
            if count:
                family.add_metric([method, STATUSES[column]], count)
    return family


def _aborted(sums: Sequence[float]) -> Metric:
    family = CounterMetricFamily(f"{_PREFIX}_aborted", "Responses that were not completed.", labels=["reason"])
    for index, reason in enumerate(REASONS):
        family.add_metric([reason], sums[ABORTED + index])
    return family


def _histograms(name: str, text: str, sums: Sequence[float], labels: Sequence[str]) -> Metric:
    """Return the histogram of the requests, or with a label the histograms of the sources that were used."""
    family = HistogramMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)
    measured: Iterable[tuple[list[str], Histogram]] = (
        [([source], histogram) for source, histogram in SOURCE_SECONDS.items()] if labels else [([], REQUEST_SECONDS)]
    )
    for values, (place, bounds) in measured:
        counts = list(accumulate(sums[place : place + len(bounds) + 1]))
        if counts[-1] or not labels:
            limits = [*(f"{float(bound)}" for bound in bounds), "+Inf"]
            family.add_metric(values, list(zip(limits, counts, strict=True)), sums[place + len(bounds) + 1])
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"{_PREFIX}_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=value)
