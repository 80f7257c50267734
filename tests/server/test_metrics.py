"""The numbers of a worker, and the page that Prometheus scrapes, read with Prometheus' own parsers."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from harness.asgi import ask, scope
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from async_downloads.errors import NotFound, SendStalled, SourceBusy, SourceTruncated
from async_downloads.server.http1.flow_control import ClientDisconnected
from async_downloads.server.metrics import PAGE_SIZE, WorkerMetrics
from async_downloads.server.metrics_page import MetricsPage
from async_downloads.server.shared_pages import SharedPages
from async_downloads.source_events import listen_to_sources, note_failure, timed

_OPENMETRICS = ("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _labels(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def _samples(families: Iterable[Any]) -> Samples:
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


async def scraped(pages: SharedPages) -> Samples:
    """Return the samples of a page, the same in both formats, without the prefix of their names."""
    text = await ask(MetricsPage(pages, lambda: None), "/metrics")
    assert text.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    other = await ask(MetricsPage(pages, lambda: None), "/metrics", fields=[_OPENMETRICS])
    assert other.fields["content-type"].startswith("application/openmetrics-text; version=")
    samples = _samples(parser.text_string_to_metric_families(text.body.decode()))
    families = openmetrics.text_string_to_metric_families(other.body.decode())  # type: ignore[no-untyped-call] # theirs
    assert samples == _samples(families)
    return {(name.removeprefix("async_downloads_"), labels): value for (name, labels), value in samples.items()}


@dataclass(slots=True)
class _Response:
    status: int | None = 200
    complete: bool = True
    sent: int = 4


async def _end(
    page: "memoryview[float]", response: _Response, *, error: BaseException | None = None, method: str = "GET"
) -> None:
    """Count a request that was begun a quarter of a second ago, and whose app raised the error."""

    async def app() -> None:
        if error:
            raise error

    task = asyncio.create_task(app())
    await asyncio.wait([task])
    metrics = WorkerMetrics(page)
    metrics.end(scope(method=method), response, time.monotonic() - 0.25, task)
    metrics.flush()


@pytest.fixture
def pages() -> SharedPages:
    """The pages of two workers."""
    return SharedPages(2, PAGE_SIZE)


async def test_the_numbers_of_all_workers_are_added_up(pages: SharedPages) -> None:
    for page, count in zip(pages, (1, 2), strict=True):
        for _ in range(count):
            await _end(page, _Response(206))
    samples = await scraped(pages)
    assert samples["requests_total", _labels(method="GET", status="206")] == 3
    assert samples["response_bytes_total", _labels()] == 12
    assert samples["request_seconds_count", _labels()] == 3
    assert samples["request_seconds_bucket", _labels(le="+Inf")] == 3
    assert samples["request_seconds_bucket", _labels(le="0.1")] == 0
    assert samples["request_seconds_bucket", _labels(le="10.0")] == 3
    assert 0.75 <= samples["request_seconds_sum", _labels()] < 20
    assert {value for (name, _), value in samples.items() if name == "aborted_total"} == {0}


@pytest.mark.parametrize(
    ("method", "status", "labels"),
    [
        pytest.param("HEAD", 304, _labels(method="HEAD", status="304"), id="known"),
        pytest.param("BREW", 200, _labels(method="other", status="200"), id="method"),
        pytest.param("other", 599, _labels(method="other", status="599"), id="the word itself"),
        pytest.param("GET", 600, _labels(method="GET", status="none"), id="status above"),
        pytest.param("GET", 99, _labels(method="GET", status="none"), id="status below"),
        pytest.param("GET", None, _labels(method="GET", status="none"), id="no status"),
        pytest.param("GET", 100, _labels(method="GET", status="100"), id="lowest"),
    ],
)
async def test_no_client_and_no_app_adds_labels(
    pages: SharedPages, method: str, status: int | None, labels: frozenset[tuple[str, str]]
) -> None:
    await _end(pages[1], _Response(status), method=method)
    requests = {key: value for key, value in (await scraped(pages)).items() if key[0] == "requests_total"}
    assert requests == {("requests_total", labels): 1}


async def test_refused_requests_are_counted_by_their_status_alone(pages: SharedPages) -> None:
    metrics = WorkerMetrics(pages[0])
    metrics.refused(scope(), b"GET /" + b"a" * 20_000, 414)
    assert ("requests_total", _labels(method="other", status="414")) not in await scraped(pages)
    metrics.flush()
    metrics.flush()
    assert (await scraped(pages))["requests_total", _labels(method="other", status="414")] == 1


async def test_the_first_bucket_has_the_requests_that_are_in_no_other(pages: SharedPages) -> None:
    metrics = WorkerMetrics(pages[0])
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    for round_number in (1, 2):
        for seconds in (-9.0, -9.0, 1000.0, 8000.0):
            metrics.end(scope(), _Response(), time.monotonic() - seconds, task)
        metrics.refused(scope(), b"", 400)  # an app has not seen it, so it has no time
        metrics.flush()
        samples = await scraped(pages)
        limits = ("0.001", "300.0", "1800.0", "+Inf")
        buckets = [samples["request_seconds_bucket", _labels(le=limit)] for limit in limits]
        assert buckets == [round_number * count for count in (2, 2, 3, 4)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(None, "client", id="app that returns when the client has left"),
        pytest.param(ClientDisconnected(), "client", id="app that does not"),
        pytest.param(SendStalled("slow"), "stalled", id="stalled client"),
        pytest.param(SourceTruncated("short"), "source", id="source"),
        pytest.param(asyncio.CancelledError(), "shutdown", id="end of the process"),
        pytest.param(RuntimeError("broken"), "error", id="error of the app"),
    ],
)
async def test_an_incomplete_response_has_a_reason(
    pages: SharedPages, error: BaseException | None, reason: str
) -> None:
    await _end(pages[0], _Response(complete=False), error=error)
    samples = await scraped(pages)
    aborted = {dict(labels)["reason"]: value for (name, labels), value in samples.items() if name == "aborted_total"}
    assert aborted == {each: float(each == reason) for each in ("client", "stalled", "source", "shutdown", "error")}
    assert samples["source_errors_total", _labels()] == (reason == "source")


async def test_sources_are_timed_and_their_failures_counted(pages: SharedPages) -> None:
    @timed("sqlite")
    async def open_source(error: Exception | None) -> str:
        if error:
            raise error
        return "source"

    assert await open_source(None) == "source"  # is not measured yet
    metrics = WorkerMetrics(pages[0])
    listen_to_sources(metrics)
    try:
        assert await open_source(None) == "source"
        with pytest.raises(NotFound):
            await open_source(NotFound("no such file"))
        note_failure(NotFound("no such file"))
        note_failure(SourceBusy("full"))
    finally:
        listen_to_sources(None)
    metrics.flush()
    samples = await scraped(pages)
    assert samples["source_seconds_count", _labels(source="sqlite")] == 2
    assert ("source_seconds_count", _labels(source="file")) not in samples
    assert samples["source_errors_total", _labels()] == 1


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [("/", "GET", 404), ("/metrics/", "GET", 404), ("/metrics", "POST", 405), ("/metrics", "HEAD", 200)],
)
async def test_the_page_is_at_one_path(pages: SharedPages, target: str, method: str, status: int) -> None:
    assert (await ask(MetricsPage(pages, lambda: None), target, method=method)).status == status
