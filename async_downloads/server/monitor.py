"""The state that a worker shows while it runs, and how the parent of several workers watches it.

    worker   every second    gauges and the time ──> its page
             at its start    "accepts" ──> its page, or READY=1 if it is the only one
    parent                   pages of all workers ──> READY=1, WATCHDOG=1 only if every worker was recently active

`MetricsPage` also reads the pages. Without metrics and without a service manager, nothing runs here.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from ..source_events import listen_to_sources
from .http1.server import ConnectionLimits, Http1Server
from .metrics import ACCEPTS, BEAT, CONNECTIONS, RUNNING, WorkerMetrics
from .request_observer import RequestObserver
from .shared_pages import SharedPages
from .systemd import ServiceManager

__all__ = ["WorkerMonitor", "WorkersMonitor"]


_BEAT_SECONDS: Final = 1.0
_READY_SECONDS: Final = 0.1  # in which the parent must notice that the first worker accepts connections
_MAX_SCRAPERS: Final = 64  # connections to the metrics: a page takes 20 KB


class WorkerMonitor:
    """Writes the page of one worker, and reports to the service manager if this is the only worker.

    It counts requests only if there is a listening socket for the metrics, which it closes at the end. The worker owns
    this object. Its methods run on the event loop.
    """

    def __init__(
        self,
        pages: SharedPages,
        worker: int,
        service: ServiceManager,
        *,
        metrics: socket.socket | None,
        is_only_worker: bool,
    ) -> None:
        self._pages = pages
        self._page = pages[worker]
        self._socket = metrics
        self._metrics = WorkerMetrics(self._page)
        self._beats = metrics is not None or service.is_there
        self._seconds = min(_BEAT_SECONDS, (service.watchdog_seconds or _BEAT_SECONDS) / 2)
        self._service = service if is_only_worker else ServiceManager()

    def observers(self) -> Sequence[RequestObserver]:
        """If requests are counted, begin to measure sources, and return the observer that counts requests."""
        if self._socket is None:
            return ()
        listen_to_sources(self._metrics)
        return (self._metrics,)

    @asynccontextmanager
    async def serving_metrics(self) -> AsyncIterator[None]:
        """Serve the metrics until the end of the block, if there is a socket for them."""
        if self._socket is None:
            yield
            return
        from .metrics_page import MetricsPage

        http1 = Http1Server(
            MetricsPage(self._pages, self._metrics.flush), ConnectionLimits(max_connections=_MAX_SCRAPERS)
        )
        listener = await asyncio.get_running_loop().create_server(http1.connection, sock=self._socket)
        try:
            yield
        finally:
            self._metrics.flush()  # counts the requests that the shutdown has ended
            listener.close()
            await http1.abort()

    @contextmanager
    def running(self, connections: Callable[[], int], requests: Callable[[], int]) -> Iterator[None]:
        """Until the end of the block, show that the worker runs, and the numbers that the functions return."""
        if not self._beats:
            yield
            return
        beating = asyncio.get_running_loop().create_task(self._beat(connections, requests))
        self._page[ACCEPTS] = 1
        self._service.ready()
        try:
            yield
        finally:
            beating.cancel()
            self._metrics.flush()

    def stopping(self) -> None:
        """Show that the worker is about to end."""
        self._page[ACCEPTS] = 0
        self._service.stopping()

    async def _beat(self, connections: Callable[[], int], requests: Callable[[], int]) -> None:
        while True:
            self._metrics.flush()
            self._page[BEAT] = time.monotonic()
            self._page[CONNECTIONS], self._page[RUNNING] = connections(), requests()
            self._service.alive()
            await asyncio.sleep(self._seconds)


class WorkersMonitor:
    """Reports to the service manager on behalf of the workers. The supervisor, in the parent process, owns it."""

    def __init__(self, pages: SharedPages, service: ServiceManager) -> None:
        self._pages = pages
        self._service = service

    def wait_seconds(self, most: float) -> float:
        """Return how long the parent may wait before it calls `look` again, up to `most`."""
        if self._service.is_there and not self._service.is_ready:
            return min(most, _READY_SECONDS)
        return min(most, (self._service.watchdog_seconds or 2 * most) / 2)

    def reset(self, worker: int) -> None:
        """Clear the gauges of a worker that starts or has died. The counters of its page stay."""
        page = self._pages[worker]
        page[ACCEPTS] = page[CONNECTIONS] = page[RUNNING] = 0
        page[BEAT] = time.monotonic()

    def look(self, workers: Iterable[int]) -> None:
        """Report that the service is ready if a worker accepts connections, and alive if all workers were active."""
        pages = [self._pages[worker] for worker in workers]
        if any(page[ACCEPTS] for page in pages):
            self._service.ready()
        oldest = time.monotonic() - (self._service.watchdog_seconds or 0.0)
        if pages and all(page[BEAT] > oldest for page in pages):
            self._service.alive()

    def stopping(self) -> None:
        """Report that the workers drain."""
        self._service.stopping()
