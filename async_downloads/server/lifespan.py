"""The start and the shutdown of an ASGI app (the lifespan protocol)."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

from ..sending import Message, Scope

__all__ = ["Lifespan", "StartFailed"]


_log: Final = logging.getLogger("async_downloads")
_SHUTDOWN_SECONDS: Final = 2.0  # mainly for the app's database connections to close


class StartFailed(Exception):
    """The app cannot start. The message is that of the app."""


class Lifespan:
    """Runs an app's lifespan in one task.

    States: starting (`start`), running, shutting down (`stop`), ended. If an app has no lifespan, it raises or returns
    at the first message, and runs without a lifespan. If it raises after it has asked for this message, the error is
    logged. The worker owns this object.
    """

    def __init__(self, app: Any) -> None:
        self.state: dict[str, Any] = {}  # what the app stores for its requests
        self._app = app
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._response: asyncio.Future[str | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._started = False
        self._has_asked = False  # the app has asked for a message, so it most likely has a lifespan

    async def start(self) -> None:
        """Start the app. Raises StartFailed if the app reports that it cannot start."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = asyncio.get_running_loop().create_task(self._run(scope))
        failure = await self._ask("startup")
        if failure is not None:
            raise StartFailed(failure)
        self._started = True

    async def stop(self) -> None:
        """Shut down the app, if it has started, within two seconds."""
        if self._task is None:
            return
        if self._started:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SHUTDOWN_SECONDS):
                    await self._ask("shutdown")
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_SHUTDOWN_SECONDS)

    async def _run(self, scope: Scope) -> None:
        """Await the app. It may also be a plain function that raises, or that returns an awaitable of any type."""
        await self._app(scope, self._receive, self._send)

    async def _ask(self, phase: str) -> str | None:
        """Ask the app to start or to shut down; return its message if it failed."""
        task = self._task
        if task is None or task.done():
            return None
        self._response = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": f"lifespan.{phase}"})
        either: list[asyncio.Future[Any]] = [self._response, task]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._response.done():
            return self._response.result()
        if (error := task.exception()) and self._has_asked:
            _log.warning("the %s of the app has failed, and the app continues without it: %r", phase, error)
        return None

    async def _receive(self) -> Message:
        self._has_asked = True
        return await self._messages.get()

    async def _send(self, message: Message) -> None:
        if self._response is not None and not self._response.done():
            failed = message["type"].endswith(".failed")
            self._response.set_result(str(message.get("message", "")) if failed else None)
