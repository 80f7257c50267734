"""Error responses as HTML pages in the style of the site, for browsers."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final

from ..sending import Message, Receive, Scope, Send
from .html import asset_text, render
from .page_request import is_browser

__all__ = ["ErrorPages"]


_STYLE: Final = asset_text("page.css")
_CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode('ascii')}'; "
    "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_REPLACED: Final = {b"content-encoding", b"content-length", b"content-type", b"etag", b"last-modified"}
_EXPLANATIONS: Final = {
    400: "The server does not understand this request.",
    401: "This page needs a user name and a password.",
    403: "You have no access to this page. If you opened a link, it may be incomplete, or made for another computer.",
    404: "There is nothing at this address.",
    405: "This address accepts only GET and HEAD.",
    410: "This link has expired. Ask the person who sent it for a new one.",
    412: "The file has changed since you last loaded it.",
    413: "This folder is too large for one archive. Open it, and select some of its entries.",
    429: "Too many requests came from your address. Try again in a minute.",
    416: "The file does not have the requested part.",
    502: "The file cannot be read at the moment. Try again later.",
    503: "The server is busy. Try again in a moment.",
}


class ErrorPages:
    """An ASGI app around another one: browsers get each error as a page, and other clients get it unchanged.

    The page has the same status and fields, except for the fields that describe the body.
    """

    def __init__(self, app: Any) -> None:
        self._pass: Callable[..., Awaitable[None]] = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request to the app."""
        if scope["type"] == "http" and is_browser(scope):
            send = _ErrorPage(scope, send).send
        return self._pass(scope, receive, send)


class _ErrorPage:
    """Passes on the messages of one response, but replaces those of an error by a page.

    passing ── start of an error ──> replacing: the page is sent, and the messages of the body are dropped
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._is_replacing = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self._is_replacing = True
            await self._send_page(message)
        elif not self._is_replacing:
            await self._send(message)

    async def _send_page(self, start: Message) -> None:
        content = _page(start["status"], self._scope)
        fields = [field for field in start["headers"] if field[0].lower() not in _REPLACED]
        added = {
            b"content-type": b"text/html; charset=utf-8",
            b"content-length": str(len(content)).encode(),
            b"content-security-policy": _CONTENT_SECURITY_POLICY.encode(),
            b"vary": b"Accept",
        }
        await self._send({**start, "headers": [*fields, *added.items()]})
        body = b"" if self._scope["method"] == "HEAD" else content
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _page(status: int, scope: Scope) -> bytes:
    known = HTTPStatus(status)
    path = scope["path"]
    root = scope.get("root_path", "")
    top = f"{root}/"
    above = path.removesuffix("/").rpartition("/")[0] + "/"
    return render(
        "error.html",
        title=f"{status} {known.phrase}",
        explanation=_EXPLANATIONS.get(status, known.description),
        above="" if top in {path, above} else "../" if path.endswith("/") else "./",
        top=f"/.{top}" if root.startswith("//") else top,  # "//x/" would be a link to the host x
        style=_STYLE,
    )
