"""An ASGI server of one request, driven by hand."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import unquote

import httpx

__all__ = ["App", "Exchange", "Message", "ask", "scope"]

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
Fields = Iterable[tuple[str, str]]


def scope(target: str = "/", *, method: str = "GET", fields: Fields = (), **more: Any) -> Message:
    """Return the scope of a request as Hypercorn would."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.1"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields],
        "extensions": {},
        **more,
    }


class Exchange:
    """One request and the messages that the app sends. The client leaves when `left` is set.

    `at` maps a number of messages to a function that is called as soon as the app has sent this number.

    `send` never suspends, like Hypercorn's on a dead connection. It asserts that messages come in the right order.
    """

    def __init__(self, scope: Message) -> None:
        self.scope = scope
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self.at: dict[int, Callable[[], object]] = {}
        self._asked = False

    async def receive(self) -> Message:
        """Return the request's empty body first, then wait until the client leaves."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Note a message of the app."""
        always = ("http.response.start", "http.response.body")
        known = message["type"] in always or message["type"] in self.scope["extensions"]
        assert known, "an unknown message"
        assert (message["type"] == "http.response.start") is (not self.sent), "one start, and first"
        assert not self.complete, "nothing after the end"
        self.sent.append(message)
        self.at.get(len(self.sent), bool)()

    @property
    def complete(self) -> bool:
        """Whether the app has ended the response."""
        return len(self.sent) > 1 and not self.sent[-1].get("more_body", False)

    @property
    def status(self) -> int:
        """The status of the response."""
        return int(self.sent[0]["status"])

    @property
    def fields(self) -> httpx.Headers:
        """The fields of the response."""
        return httpx.Headers(self.sent[0]["headers"])

    @property
    def chunks(self) -> list[bytes]:
        """The chunks of the body, as the app sent them."""
        return [message["body"] for message in self.sent[1:]]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)


async def ask(app: App, target: str = "/", *, method: str = "GET", fields: Fields = (), **more: Any) -> Exchange:
    """Send one request to an app. Returns when the app has returned."""
    exchange = Exchange(scope(target, method=method, fields=fields, **more))
    await app(exchange.scope, exchange.receive, exchange.send)
    return exchange
