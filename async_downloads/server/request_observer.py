"""What became of each request, for the access log and the metrics: the bytes that were really sent, not Content-Length.

It runs for every request, so it wraps neither the app nor its `send`: connections count what they send anyway, and
an observer looks at that once, when the request has ended.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from ..sending import Scope

__all__ = ["Observe", "ObservedResponse", "RequestObserver", "error_of", "observe_by"]


class ObservedResponse(Protocol):
    """What was sent of a response.

    `status` is None if no response was begun. `sent` counts the bytes of the body that the transport accepted, and of
    file regions those that the socket accepted; it is never less than the client has received. A body that the server
    leaves out of a response to HEAD does not count.
    """

    status: int | None
    complete: bool
    sent: int


class RequestObserver(Protocol):
    """What `Http1Server` calls for the requests of all connections, on the event loop; it must not block."""

    def end(self, scope: Scope, response: ObservedResponse, started: float, task: "asyncio.Task[None]") -> None:
        """Look at the response to a request whose app has ended, in `task`.

        The connection has already responded in the place of an app that has failed. `started` is when the request
        began, by the monotonic clock.
        """

    def refused(self, scope: Scope, data: bytes, status: int) -> None:
        """Take a request that the server refused before the app: the connection's scope, and the bytes that came."""


Observe = Callable[[Scope, ObservedResponse, float, "asyncio.Task[None]"], None]


def observe_by(observers: Sequence[RequestObserver]) -> Observe | None:
    """Return a function that calls `end` of all observers; None if there are none."""
    if len(observers) < 2:
        return observers[0].end if observers else None

    def observe(scope: Scope, response: ObservedResponse, started: float, task: "asyncio.Task[None]") -> None:
        for observer in observers:
            observer.end(scope, response, started, task)

    return observe


def error_of(task: "asyncio.Task[None]") -> BaseException | None:
    """Return the error that has ended a task."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()
