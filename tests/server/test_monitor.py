"""What a worker shows of itself: until its last request."""

import socket

from harness.asgi import scope

from async_downloads.server.metrics import METHODS, PAGE_SIZE, REQUESTS, STATUSES
from async_downloads.server.monitor import WorkerMonitor
from async_downloads.server.shared_pages import SharedPages
from async_downloads.server.systemd import ServiceManager
from async_downloads.source_events import listen_to_sources

_OTHER_400 = REQUESTS + METHODS.index("other") * len(STATUSES) + STATUSES.index("400")


async def test_requests_that_are_cut_at_the_end_are_counted() -> None:
    pages = SharedPages(1, PAGE_SIZE)
    listener = socket.create_server(("127.0.0.1", 0))
    monitor = WorkerMonitor(pages, 0, ServiceManager(), metrics=listener, is_only_worker=True)
    [observer] = monitor.observers()
    try:
        async with monitor.serving_metrics():
            with monitor.running(lambda: 1, lambda: 1):
                observer.refused(scope(), b"", 400)
            assert pages[0][_OTHER_400] == 1
            observer.refused(scope(), b"", 400)  # as connections that are aborted after the last beat
    finally:
        listen_to_sources(None)
    assert pages[0][_OTHER_400] == 2
