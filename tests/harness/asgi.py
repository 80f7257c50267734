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
    """One request and what the app says to it; set `left`, and the client has gone.

    What is in `at` under a number is called when so many messages have been sent.

    `send` never suspends, as Hypercorn's does not on a dead connection; a message out of order is refused.
    """

    def __init__(self, scope: Message) -> None:
        self.scope = scope
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self.at: dict[int, Callable[[], object]] = {}
        self._asked = False

    async def receive(self) -> Message:
        """Give the request's empty body, then nothing until the client leaves."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take what the app says."""
        assert (message["type"] == "http.response.start") is (not self.sent), "one start, and first"
        assert not self.complete, "nothing after the end"
        self.sent.append(message)
        self.at.get(len(self.sent), bool)()

    @property
    def complete(self) -> bool:
        """Whether the app has ended the answer."""
        return len(self.sent) > 1 and not self.sent[-1].get("more_body", False)

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.sent[0]["status"])

    @property
    def fields(self) -> httpx.Headers:
        """The fields of the answer."""
        return httpx.Headers(self.sent[0]["headers"])

    @property
    def chunks(self) -> list[bytes]:
        """The body as it was sent."""
        return [message["body"] for message in self.sent[1:]]

    @property
    def body(self) -> bytes:
        """The body, put together."""
        return b"".join(self.chunks)


async def ask(app: App, target: str = "/", *, method: str = "GET", fields: Fields = (), **more: Any) -> Exchange:
    """Make one request of an app, and return when the app has returned."""
    exchange = Exchange(scope(target, method=method, fields=fields, **more))
    await app(exchange.scope, exchange.receive, exchange.send)
    return exchange
