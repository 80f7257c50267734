"""The scope of a request as the client sees it, not as the last proxy does."""

from collections.abc import Awaitable
from typing import Any, Final

from ...sending import Receive, Scope, Send
from .forwarded import origin_of
from .trusted import TrustedProxies

__all__ = ["IS_FORWARDED", "ForwardedScope"]


IS_FORWARDED: Final = "async_downloads.is_forwarded"  # a key of the scope: `client` comes from a field of the request


class ForwardedScope:
    """An ASGI app around another one: it sets `client`, `scheme` and Host to the values that trusted proxies report.

    Requests from other addresses pass unchanged.
    """

    def __init__(self, app: Any, trusted: TrustedProxies) -> None:
        self._app = app
        self._trusted = trusted

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Run the app, with a changed scope if the request comes from a trusted proxy."""
        if scope["type"] == "http" and self._trusted.trusts(scope["client"]):
            scope.update(_forwarded(scope, self._trusted))  # so that the access log has the client, too
        running: Awaitable[None] = self._app(scope, receive, send)
        return running


def _forwarded(scope: Scope, trusted: TrustedProxies) -> dict[str, Any]:
    """Return the items of the scope that differ."""
    origin = origin_of(scope["headers"], trusted.trusts)
    changed: dict[str, Any] = {}
    if origin.client is not None:
        changed |= {"client": origin.client, IS_FORWARDED: True}
    if origin.scheme is not None:
        changed["scheme"] = origin.scheme
    if origin.host is not None:
        others = (field for field in scope["headers"] if field[0] != b"host")
        changed["headers"] = [(b"host", origin.host), *others]
    return changed
