"""A relay of bytes in front of any server, TLS or not, that breaks connections when a test asks for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["Relay"]

_PIECE = 64 * 1024


@dataclass(slots=True, kw_only=True)
class Relay:
    """A relay to the port `server`. A connection breaks after `breaks_after` bytes of the server's."""

    server: int
    breaks_after: float = float("inf")
    brought: int = 0  # bytes of the server, over all connections
    _carrying: set["asyncio.Task[None]"] = field(default_factory=set)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Relay until the end of the block. Yields the port."""
        listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
            for task in self._carrying:
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._relay(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _relay(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server)
        asking = asyncio.create_task(_carry(from_client, to_server))
        try:
            await self._bring(from_server, to_client)
        finally:
            asking.cancel()
            to_server.close()
            to_client.close()

    async def _bring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.breaks_after
        with suppress(ConnectionError):
            while left and (data := await reader.read(int(min(left, _PIECE)))):
                left -= len(data)
                self.brought += len(data)
                writer.write(data)
                await writer.drain()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
