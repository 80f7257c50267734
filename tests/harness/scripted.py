"""A server that runs a function of the test for each connection."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Connection", "Script", "Scripted", "hangs", "head", "scripted"]


@dataclass(slots=True)
class Connection:
    """A client's connection, and the heads of its requests."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[str] = field(default_factory=list)

    async def request(self) -> str:
        """Return the head of the next request. Raises EOFError if the client has left."""
        self.requests.append((await self.reader.readuntil(b"\r\n\r\n")).decode())
        return self.requests[-1]

    async def send(self, *pieces: bytes) -> None:
        """Send the pieces, as fast as the client takes them."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)  # over TLS, `drain` neither waits nor notices that the client has left

    def reset(self) -> None:
        """Reset the connection; the bytes that were sent last may be lost."""
        self.writer.transport.abort()

    async def left(self) -> None:
        """Wait until the client has left, with or without a reset."""
        with suppress(ConnectionError):
            while await self.reader.read(64 * 1024):
                pass


@dataclass(slots=True)
class Scripted:
    """The address of the server, and its connections."""

    port: int
    scheme: str = "http"
    connections: list[Connection] = field(default_factory=list)
    gone: int = 0  # connections that have ended

    @property
    def url(self) -> str:
        """The URL of a resource."""
        return f"{self.scheme}://127.0.0.1:{self.port}/resource"


def head(*fields: str, status: str = "200 OK") -> bytes:
    """Return the head of a response."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


Script = Callable[[Connection], Awaitable[None]]


async def hangs(connection: Connection) -> None:
    """Read the request and send nothing."""
    await connection.left()


@asynccontextmanager
async def scripted(script: Script, *, certificate: tuple[Path, Path] | None = None) -> AsyncIterator[Scripted]:
    """Serve until the end of the block. Each connection is closed when its script returns."""
    running: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections.append(Connection(reader, writer))
        task = asyncio.create_task(follow(server.connections[-1]))
        running.add(task)
        task.add_done_callback(running.discard)

    async def follow(connection: Connection) -> None:
        try:
            with suppress(EOFError, ConnectionError):
                await script(connection)
        finally:
            connection.writer.close()
            server.gone += 1

    context = _context(certificate) if certificate else None
    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    server = Scripted(listener.sockets[0].getsockname()[1], "https" if certificate else "http")
    try:
        yield server
    finally:
        listener.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context
