"""The result of each request, for the access log and the metrics: the bytes that were really sent, not Content-Length.

Observers run for every request, so they must be fast. They do not wrap the app or its `send`: connections count the
bytes that they send anyway, and an observer reads the counts once, when the request has ended.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from ..sending import Scope

__all__ = ["Observe", "ObservedResponse", "RequestObserver", "error_of", "observe_by"]


class ObservedResponse(Protocol):
    """A response, as far as it was sent.

    `status` is None if no response was begun. `sent` is the number of bytes of the body that the transport has
    accepted, or, for regions of files, the socket; the client has never received more. If the server leaves out the
    body of a response to HEAD, its bytes do not count.
    """

    status: int | None
    complete: bool
    sent: int


class RequestObserver(Protocol):
    """The methods that `Http1Server` calls for all requests, on the event loop. They must not block."""

    def end(self, scope: Scope, response: ObservedResponse, started: float, task: "asyncio.Task[None]") -> None:
        """Observe the response to a request whose app, in `task`, has ended.

        If the app has failed, the connection has already responded instead. `started` is the time at which the request
        began, by the monotonic clock.
        """

    def refused(self, scope: Scope, data: bytes, status: int) -> None:
        """Observe a request that the server refused before the app: the connection's scope and the received bytes."""


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
