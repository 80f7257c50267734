"""What became of each request, for the access log and the metrics: the bytes that were really sent, not Content-Length.

The observer runs around every request, so it is written for speed: `ObservedResponse.send` is no coroutine, and most
messages pass through it without one.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from ..sending import ZERO_COPY_SEND, Message, Receive, Scope, Send

__all__ = ["ObservedResponse", "RequestListener", "RequestObserver"]


class RequestListener(Protocol):
    """What an observer calls, on the event loop; it must not block."""

    def ended(self, scope: Scope, response: "ObservedResponse", seconds: float) -> None:
        """Take the response to a request whose app has ended, or has failed."""

    def refused(self, scope: Scope, data: bytes, status: int) -> None:
        """Take a request that the server refused before the app: the connection's scope, and the bytes that came."""


class RequestObserver:
    """An ASGI app around another one; it calls each listener when a request has ended."""

    def __init__(self, app: Any, listeners: Sequence[RequestListener]) -> None:
        self._app = app
        self._listeners = listeners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, then call the listeners, also if the app failed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response = ObservedResponse(scope, send)
        started = time.monotonic()
        try:
            await self._app(scope, receive, response.send)
        except BaseException as error:
            response.error = error
            raise
        finally:
            seconds = time.monotonic() - started
            for listener in self._listeners:
                listener.ended(scope, response, seconds)

    def log_refusal(self, scope: Scope, data: bytes, status: int) -> None:
        """Call the listeners for a request that the server refused before the app."""
        for listener in self._listeners:
            listener.refused(scope, data, status)


class ObservedResponse:
    """What was sent of a response.

    `status` is None until the app begins the response. `bytes` counts the part of the body that the server accepted,
    and the bytes of file regions that the socket accepted; it is never less than the client has received. A message
    that was sent only in part counts as whole, and a body that the server leaves out of a response to HEAD does not
    count. `error` is what the app raised.
    """

    __slots__ = ("_has_body", "_send", "_taken", "bytes", "complete", "error", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self.status: int | None = None
        self.bytes: int = 0
        self.complete: bool = False
        self.error: BaseException | None = None
        self._send = send
        self._has_body = scope["method"] != "HEAD"
        self._taken = _taken_by_socket(scope)

    def send(self, message: Message) -> Awaitable[None]:
        """Count a message and send it."""
        kind = message["type"]
        if kind == ZERO_COPY_SEND:
            return self._send_region(message)
        if kind == "http.response.start":
            self.status = message["status"]
        elif kind == "http.response.body":
            if self._has_body:
                self.bytes += len(message.get("body", b""))
            if not message.get("more_body", False):
                return self._send_last(message)
        return self._send(message)

    async def _send_last(self, message: Message) -> None:
        await self._send(message)
        self.complete = True

    async def _send_region(self, message: Message) -> None:
        before = self._taken()
        try:
            await self._send(message)
        finally:
            self.bytes += self._taken() - before
        self.complete = not message.get("more_body", False)


def _taken_by_socket(scope: Scope) -> Callable[[], int]:
    """Return a function that counts the bytes of file regions that the socket took: 0 without the extension."""
    extension = (scope.get("extensions") or {}).get(ZERO_COPY_SEND)
    return extension["taken"] if extension else int
