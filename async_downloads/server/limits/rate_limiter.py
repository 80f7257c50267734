"""Limit the bytes per second of response bodies of any kind."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from ...health import HEALTHY_PATH, READY_PATH
from ...sending import PACED_SEND, ZERO_COPY_SEND, Message, Receive, Scope, Send
from ...timeouts import StallTimer
from .rates import Allowance, Rates

__all__ = ["RateLimiter"]


# If these responses had to wait for downloads, a balancer would think that the server is dead.
_UNLIMITED_PATHS: Final = frozenset({HEALTHY_PATH, READY_PATH})


class RateLimiter:
    """An ASGI app around another one: it sends bodies in pieces, and each piece when the limits allow it.

    A region of a file becomes several smaller regions, which the server still sends without copying. Health checks are
    not limited.
    """

    def __init__(self, app: Any, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app. A response to HEAD is not limited, because it has no body."""
        if scope["type"] != "http" or scope["method"] == "HEAD" or scope["path"] in _UNLIMITED_PATHS:
            await self._app(scope, receive, send)
            return
        with self._rates.allowance(scope["client"]) as allowance:
            limited = _LimitedResponse(send, allowance)
            extensions = {**(scope.get("extensions") or {}), PACED_SEND: {"pauses": limited.pauses}}
            await self._app({**scope, "extensions": extensions}, receive, limited.send)


class _LimitedResponse:
    """The `send` of one response."""

    def __init__(self, send: Send, allowance: Allowance) -> None:
        self._send = send
        self._allowance = allowance
        self._timer: StallTimer | None = None

    def pauses(self, timer: StallTimer) -> None:
        """Set the timer that is paused while the response waits, because the client does not cause this wait."""
        self._timer = timer

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message as soon as the limits allow it."""
        if message["type"] == "http.response.body" and message.get("body"):
            return self._send_pieces(message, len(message["body"]), _piece_of_body)
        if message["type"] == ZERO_COPY_SEND:
            return self._send_pieces(message, message["count"], _piece_of_region)
        return self._send(message)

    async def _send_pieces(self, message: Message, size: int, cut: Callable[[Message, int, int], Message]) -> None:
        start = 0
        while start < size:
            count = await self._take(size - start)
            piece = {**message, **cut(message, start, count)}
            start += count
            if start < size:
                piece["more_body"] = True
            await self._send(piece)

    async def _take(self, wanted: int) -> int:
        if self._timer is None:
            return await self._allowance.take(wanted)
        self._timer.pause()
        try:
            return await self._allowance.take(wanted)
        finally:
            self._timer.renew()


def _piece_of_body(message: Message, start: int, count: int) -> Message:
    body = message["body"]
    return {"body": body if count == len(body) else body[start : start + count]}


def _piece_of_region(message: Message, start: int, count: int) -> Message:
    return {"offset": message["offset"] + start, "count": count}
