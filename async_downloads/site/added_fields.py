"""Fields that the settings add to every response. Those of CORS let pages of other origins read the response."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ..access.private_responses import SANDBOX
from ..asgi import plain_response
from ..config import Settings
from ..semantics.representation import Field
from ..sending import Message, Receive, Scope, Send, send_response

__all__ = ["AddedFields", "added_fields"]


# Browsers hide the other fields of a response from scripts. A script that resumes or verifies a download needs these.
_EXPOSED: Final = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Repr-Digest"
# The fields that a script may send. A list, because `*` means only itself in a request with credentials.
_ALLOWED: Final = (
    "Authorization, Cache-Control, If-Match, If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since, Range, "
    "Want-Repr-Digest"
)
_PREFLIGHT_FIELDS: Final = (
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    ("Access-Control-Allow-Headers", _ALLOWED),
    ("Access-Control-Max-Age", "7200"),  # the longest time that all browsers accept
)
_LISTS: Final = frozenset({b"link", b"set-cookie", b"vary"})  # fields that a response may have several times


def added_fields(settings: Settings) -> tuple[Field, ...]:
    """Return the fields that the settings add to every response."""
    return (*_cors_fields(settings.cors), *map(_parsed, settings.header))


def _parsed(line: str) -> Field:
    name, _, value = line.partition(":")
    return name, value.strip()


def _cors_fields(origin: str | None) -> Iterator[Field]:
    """Yield the fields that let the pages of an origin read a response (Fetch standard, CORS protocol).

    Only pages of one named origin may send cookies and passwords. The fields are the same for every request, so a
    cache needs no `Vary: Origin`.
    """
    if origin is None:
        return
    yield "Access-Control-Allow-Origin", origin
    yield "Access-Control-Expose-Headers", _EXPOSED
    if origin != "*":
        yield "Access-Control-Allow-Credentials", "true"


class AddedFields:
    """An ASGI app around another one: it adds fields to every response.

    If a response already has a field of the same name, it keeps its own field. Only the sandbox of a private document
    is sent beside an added policy, and browsers then apply both. With `cors`, preflight requests get a response here,
    whatever their path.
    """

    def __init__(self, app: Any, fields: Sequence[Field], *, cors: bool) -> None:
        self._app = app
        self._fields = [(name.lower().encode(), value.encode()) for name, value in fields]
        self._has_cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the app with a `send` that adds the fields. Other scopes are unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._has_cors and _is_preflight(scope):
            await send_response(plain_response(204, b"", _PREFLIGHT_FIELDS), scope, receive, self._adding(send))
        else:
            await self._app(scope, receive, self._adding(send))

    def _adding(self, send: Send) -> Send:
        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]} - _LISTS
                if SANDBOX in message["headers"]:
                    present.discard(SANDBOX[0])
                added = [field for field in self._fields if field[0] not in present]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        return send_with_fields


def _is_preflight(scope: Scope) -> bool:
    """Return whether this is a preflight request: a browser asks whether a script of another origin may read."""
    names = {name for name, _ in scope["headers"]}
    return scope["method"] == "OPTIONS" and names >= {b"origin", b"access-control-request-method"}
