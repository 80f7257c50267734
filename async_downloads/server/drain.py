"""The gate of a serving process: it counts running requests and refuses new ones while the process drains."""

import asyncio
from typing import Any, Final

from ..asgi import error_response, log_cut_response, plain_response, refusal
from ..errors import DownloadError
from ..request_target import in_origin_form
from ..responder import Response
from ..sending import Receive, Scope, Send, send_response

__all__ = ["DrainGate"]


_HEALTH_PATH: Final = "/-/healthy"


class DrainGate:
    """An ASGI app around another one: it serves `/-/healthy`, counts requests, and refuses new ones at the end.

    States: serving, then draining (after `drain`), then drained (when the last running request has ended). There is no
    way back. While it drains, running requests continue and new ones get a 503. `_Shutdown` of the worker owns it and
    decides when to drain; all of it runs on the event loop.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._running = 0
        self._draining = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def is_draining(self) -> bool:
        """Whether `drain` was called."""
        return self._draining.is_set()

    @property
    def running(self) -> int:
        """The number of requests that the app responds to."""
        return self._running

    def drain(self) -> None:
        """Refuse new requests from now on."""
        self._draining.set()

    async def draining(self) -> None:
        """Wait for `drain`."""
        await self._draining.wait()

    async def drained(self) -> None:
        """Wait for `drain`, then for the last running request to end."""
        await self._draining.wait()
        await self._empty.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the app; while draining, respond with 503. Report health at `/-/healthy`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = in_origin_form(scope)
        if self._draining.is_set():
            await send_response(error_response(503, ("Retry-After", "5"), *_closing_fields(scope)), scope, None, send)
        elif scope["path"] == _HEALTH_PATH:
            await send_response(refusal(scope) or _healthy(), scope, None, send)
        else:
            await self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request and count it as long as it runs.

        If the body cannot be sent whole, log that. The error goes on to the connection, which closes, and does not log
        it again.
        """
        self._running += 1
        self._empty.clear()
        try:
            await self._app(scope, receive, send)
        except DownloadError as error:
            log_cut_response(error, scope)
            raise
        finally:
            self._running -= 1
            if not self._running:
                self._empty.set()


def _healthy() -> Response:
    fields = (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "3"), ("Cache-Control", "no-store"))
    return plain_response(200, b"ok\n", fields)


def _closing_fields(scope: Scope) -> tuple[tuple[str, str], ...]:
    """Return the field that closes the connection, whatever the framing of the request. HTTP/2 has no such field."""
    return (("Connection", "close"),) if scope["http_version"].startswith("1") else ()
