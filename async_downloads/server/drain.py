"""The door of a serving process: it counts who is inside, and lets nobody in while the process drains."""

import asyncio
from typing import Any, Final

from ..asgi import error_response, in_origin_form, plain_response, refusal
from ..responder import Response
from ..sending import Receive, Scope, Send, closing_if_ambiguous, send_response

__all__ = ["DrainGate"]


_HEALTH: Final = "/-/healthy"


class DrainGate:
    """An ASGI app around another: `/-/healthy`, and the way from serving to having drained.

    After `drain`, requests that are running go on, new ones are 503, and `drained` returns with the last of them.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._running = 0
        self._draining = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def is_draining(self) -> bool:
        """Whether the process is about to end."""
        return self._draining.is_set()

    def drain(self) -> None:
        """Let nobody in from now on."""
        self._draining.set()

    async def drained(self) -> None:
        """Wait for `drain`, then for the last request to end."""
        await self._draining.wait()
        await self._empty.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it at the door."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = in_origin_form(scope)
        if self.is_draining:
            await send_response(error_response(503, ("Retry-After", "5"), *_closing_fields(scope)), scope, None, send)
        elif scope["path"] == _HEALTH:
            await send_response(refusal(scope) or _healthy(), scope, None, closing_if_ambiguous(scope, send))
        else:
            await self._admit(scope, receive, closing_if_ambiguous(scope, send))

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._running += 1
        self._empty.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            if not self._running:
                self._empty.set()


def _healthy() -> Response:
    return plain_response(200, b"ok\n", (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "3")))


def _closing_fields(scope: Scope) -> tuple[tuple[str, str], ...]:
    """Have the connection closed, however the request is framed."""
    return (("Connection", "close"),) if scope["http_version"].startswith("1") else ()  # no such field in HTTP/2
