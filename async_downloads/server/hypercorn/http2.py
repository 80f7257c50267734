"""What Hypercorn's HTTP/2 needs to send files: a stream that holds no more than its client takes."""

from typing import Final

from hypercorn.protocol import h2
from hypercorn.protocol.h2 import BufferCompleteError, StreamBuffer

__all__ = ["BoundedStreamBuffer", "bound_streams"]


class BoundedStreamBuffer(StreamBuffer):
    """Bytes of a stream on their way to the client.

    Hypercorn's own lets its writer go on after every short read of the buffer, whatever it still holds. A client that
    never opens its window then has a whole file pulled into memory, and is never seen to stall.
    """

    HIGH_WATER: Final = 32 * 1024
    LOW_WATER: Final = 16 * 1024

    async def push(self, data: bytes) -> None:
        """Take bytes; return when there is room for more."""
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        await self._is_empty.clear()
        if len(self.buffer) >= self.HIGH_WATER:
            await self._paused.clear()
            await self._paused.wait()

    async def pop(self, max_length: int) -> bytes:
        """Give back that many bytes at most."""
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < self.LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data


def bound_streams() -> None:
    """Have Hypercorn use bounded buffers, in this process and its children."""
    h2.StreamBuffer = BoundedStreamBuffer  # type: ignore[misc] # there is no setting for it
