"""Apps that send files in the ways under test, and what this process has mapped of a file."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from harness.asgi import App, Message
from harness.served import Connection

from async_downloads.open_file import OpenFile
from async_downloads.sending import ZERO_COPY_SEND, Receive, Scope, Send

__all__ = ["IDLE", "ZERO_COPY", "Recorded", "app_that", "body", "head", "length", "mapped", "sending", "unchunked"]

ZERO_COPY: Final = ZERO_COPY_SEND
IDLE: Final = 30.0
"""Seconds that a mapped part which nobody uses stays mapped where a test says so: the clock has to be put forward."""


def mapped(path: Path) -> int:
    """Return how many parts of a file are mapped into this process, even when it was deleted or renamed."""
    inode = f" {path.stat().st_ino} " if path.exists() else f"{path} (deleted)"
    return sum(inode in line for line in Path("/proc/self/maps").read_text().splitlines())


class Recorded:
    """An app that remembers what was sent by which message, and what it was offered."""

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
        """Return how many bytes of bodies went by that kind of message."""
        found = [message for message in self.sent if message["type"] == kind]
        return sum(message["count"] if kind == ZERO_COPY_SEND else len(message.get("body", b"")) for message in found)


def head(*fields: tuple[bytes, bytes], status: int = 200) -> Message:
    """Return the start of an answer."""
    return {"type": "http.response.start", "status": status, "headers": fields}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    """Return a part of a body."""
    return {"type": "http.response.body", "body": data, "more_body": more}


def length(count: int) -> tuple[bytes, bytes]:
    """Return the field that promises so many bytes."""
    return (b"content-length", str(count).encode())


def app_that(answer: Callable[[Receive, Send], Awaitable[None]]) -> App:
    """Return an app that answers so."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer(receive, send)

    return app


def sending(path: Path, *parts: tuple[int, int], fields: tuple[tuple[bytes, bytes], ...] = ()) -> App:
    """Return an app that sends parts of a file, each told by its offset and length, and never asks for the client."""

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
    """Read a body that comes in chunks (RFC 9112 §7.1), and nothing after it."""
    body = b""
    while size := int(await connection.reader.readline(), 16):
        body += await connection.reader.readexactly(size)
        assert await connection.reader.readexactly(2) == b"\r\n"
    assert await connection.reader.readexactly(2) == b"\r\n"
    return body
