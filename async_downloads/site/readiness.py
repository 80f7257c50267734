"""`/-/ready`: whether a balancer may send requests to this process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from ..asgi import refusal
from ..errors import DownloadError, NotFound
from ..health import READY_PATH, not_ready, ready
from ..request_target import in_origin_form
from ..responder import Response
from ..sending import Receive, Scope, Send, closing_if_ambiguous, send_response
from ..sources.database.catalogue import Catalogue
from .shared_work import SharedWork

__all__ = ["Probe", "Readiness", "probe_database"]


Probe = Callable[[], Awaitable[None]]
_FRESH_SECONDS: Final = 10.0
_LOOK_UP_SECONDS: Final = 2.0


class Readiness:
    """An ASGI app around another one. It responds to `/-/ready` with 200, or with 503 if a probe fails.

    A probe looks something up in the database or in the object store, and raises DownloadError if there is no response.
    A good result is valid for 10 seconds. Requests that come during a look-up wait for it, for at most 2 seconds.
    Without a probe the response is always 200.
    """

    def __init__(self, app: Any, probes: Sequence[Probe]) -> None:
        self._pass: Callable[..., Awaitable[None]] = app
        self._probes = probes
        self._look_ups = SharedWork[bool](lambda _: 0)
        self._fresh_until = float("-inf")  # in the event loop's time

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request for any other path to the app."""
        if scope["type"] == "http" and in_origin_form(scope)["path"] == READY_PATH:
            return self._respond(scope, send)
        return self._pass(scope, receive, send)

    async def _respond(self, scope: Scope, send: Send) -> None:
        response = refusal(scope) or await self._response()
        await send_response(response, scope, None, closing_if_ambiguous(scope, send))

    async def _response(self) -> Response:
        if not self._probes or await self._is_responding():
            return ready()
        return not_ready()

    async def _is_responding(self) -> bool:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._fresh_until and await self._look_ups.get(READY_PATH, self._look_up):
            self._fresh_until = loop.time() + _FRESH_SECONDS
        return loop.time() < self._fresh_until

    async def _look_up(self) -> bool:
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                await asyncio.gather(*(probe() for probe in self._probes))
        except (DownloadError, TimeoutError):
            return False
        return True


async def probe_database(catalogue: Catalogue) -> None:
    """Look up a file, which need not exist. Raises DownloadError if the database does not respond.

    This does not read the bytes of a file, so a process can call it before it forks.
    """
    with suppress(NotFound):
        source = await catalogue.open_id("1", "integer")
        await source.aclose()
