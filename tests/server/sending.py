"""Apps that send files in the ways under test."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from harness.asgi import App, Message
from harness.served import Connection

from async_downloads.open_file import OpenFile
from async_downloads.sending import ZERO_COPY_SEND, Receive, Scope, Send

__all__ = ["ZERO_COPY", "Recorded", "app_that", "body", "head", "length", "sending", "unchunked"]

ZERO_COPY: Final = ZERO_COPY_SEND


class Recorded:
    """An app that records the messages sent and the extensions offered."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.sent: list[Message] = []
        self.extensions: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""

        async def recording(message: Message) -> None:
            await send(message)
            self.sent.append(message)

        self.extensions = list(scope.get("extensions") or {})
        await self._app(scope, receive, recording)

    def bytes_by(self, kind: str) -> int:
        """Return how many bytes were sent by messages of that type."""
        found = [message for message in self.sent if message["type"] == kind]
        return sum(message["count"] if kind == ZERO_COPY_SEND else len(message.get("body", b"")) for message in found)


def head(*fields: tuple[bytes, bytes], status: int = 200) -> Message:
    """Return the message that starts a response."""
    return {"type": "http.response.start", "status": status, "headers": fields}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    """Return a part of a body."""
    return {"type": "http.response.body", "body": data, "more_body": more}


def length(count: int) -> tuple[bytes, bytes]:
    """Return a Content-Length field."""
    return (b"content-length", str(count).encode())


def app_that(respond: Callable[[Receive, Send], Awaitable[None]]) -> App:
    """Return an app that handles HTTP requests with the function."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await respond(receive, send)

    return app


def sending(path: Path, *parts: tuple[int, int], fields: tuple[tuple[bytes, bytes], ...] = ()) -> App:
    """Return an app that sends regions of a file, given by offset and length, and never calls `receive`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        file = OpenFile(str(path))
        try:
            with suppress(ConnectionError):  # the client has left
                await send(head(*fields))
                for offset, count in parts:
                    await send(
                        {"type": ZERO_COPY_SEND, "file": file, "offset": offset, "count": count, "more_body": True}
                    )
                await send(body())
        finally:
            file.close()

    return app


async def unchunked(connection: Connection) -> bytes:
    """Read one body in the chunked coding (RFC 9112 §7.1)."""
    body = b""
    while size := int(await connection.reader.readline(), 16):
        body += await connection.reader.readexactly(size)
        assert await connection.reader.readexactly(2) == b"\r\n"
    assert await connection.reader.readexactly(2) == b"\r\n"
    return body
