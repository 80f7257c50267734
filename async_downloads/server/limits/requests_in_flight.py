"""Limit the requests that a client behind a proxy has at the same time, instead of its connections."""

from typing import Any, Final

from ...asgi import error_response
from ...sending import Receive, Scope, Send, send_response
from ..proxies.forwarded_scope import IS_FORWARDED
from .client_counter import ClientCounter

__all__ = ["RequestsInFlight"]


_RETRY_AFTER: Final = ("Retry-After", "1")


class RequestsInFlight:
    """An ASGI app around another one. If a proxy names the client, the client gets 429 for a request beyond `most`.

    A proxy uses the same connections for all of its clients. So this class counts unfinished requests.
    """

    def __init__(self, app: Any, most: int) -> None:
        self._app = app
        self._counter = ClientCounter(most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, or respond with 429."""
        if not scope.get(IS_FORWARDED):
            await self._app(scope, receive, send)
            return
        client = scope["client"]  # the app may change it
        try:
            if self._counter.add(client):
                await send_response(error_response(429, _RETRY_AFTER), scope, None, send)
            else:
                await self._app(scope, receive, send)
        finally:
            self._counter.remove(client)
