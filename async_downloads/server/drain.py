"""`DrainGate` counts the running requests of a process, and says whether the process is ready for more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..asgi import log_cut_response, refusal
from ..errors import DownloadError
from ..health import HEALTHY_PATH, READY_PATH, healthy, not_ready
from ..request_target import in_origin_form
from ..sending import Receive, Scope, Send, send_response

__all__ = ["DrainGate"]


class DrainGate:
    """An ASGI app around another one: it serves `/-/healthy`, counts requests, and says when the last one has ended.

    serving ── retire ──> retiring ── drain ──> draining ── the last running request has ended ──> drained

    From `retire` on, the response of `/-/ready` is a 503, so that a balancer sends no more requests. Before, the app
    responds there. All other requests are passed to the app in every state: clients that send a request while the
    process drains may not know it yet. `Shutdown` owns the gate and changes its state. All methods run on the event
    loop.
    """

    def __init__(self, app: Any) -> None:
        self._pass: Callable[..., Awaitable[None]] = app
        self._running = 0
        self._is_retiring = False
        self.is_open: bool = False  # the app has started, and requests come
        self._draining = asyncio.Event()
        self._empty = asyncio.Event()

    @property
    def running(self) -> int:
        """The number of requests that the app responds to."""
        return self._running

    def retire(self) -> None:
        """Respond with 503 to `/-/ready` from now on."""
        self._is_retiring = True

    def drain(self) -> None:
        """Begin to wait for the end of the running requests."""
        self._is_retiring = True
        self._draining.set()

    async def draining(self) -> None:
        """Wait for `drain`."""
        await self._draining.wait()

    async def drained(self) -> None:
        """Wait for `drain`, then for the last running request to end."""
        await self._draining.wait()
        while self._running:
            self._empty.clear()
            await self._empty.wait()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request to the app. Respond to `/-/healthy`, and to `/-/ready` once the process is retiring."""
        if scope["type"] != "http":
            return self._pass(scope, receive, send)
        scope = in_origin_form(scope)
        if scope["path"] == HEALTHY_PATH:
            return send_response(refusal(scope) or healthy(), scope, None, send)
        if scope["path"] == READY_PATH and self._is_retiring:
            return send_response(not_ready(), scope, None, send)
        return self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request, and count it while it runs.

        If the body cannot be sent whole, log it. The connection gets the error, too: it closes, and does not log the
        error again. If the app calls `sys.exit`, only this request fails: otherwise the event loop would end, and with
        it all requests.
        """
        self._running += 1
        try:
            await self._pass(scope, receive, send)
        except DownloadError as error:
            log_cut_response(error, scope)
            raise
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError(f"the app raised {error!r}") from error
        finally:
            self._running -= 1
            if not self._running and self._draining.is_set():
                self._empty.set()
