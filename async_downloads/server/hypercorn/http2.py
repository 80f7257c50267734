"""HTTP/2: a stream buffers no more than its client takes."""

from typing import Final

from hypercorn.protocol import h2
from hypercorn.protocol.h2 import BufferCompleteError, StreamBuffer

__all__ = ["BoundedStreamBuffer", "install"]


class BoundedStreamBuffer(StreamBuffer):
    """The bytes of one stream that wait for the client's flow-control window (RFC 9113 §5.2).

    Hypercorn's own buffer lets its writer continue after every short read, however much it still holds. A client that
    never opens its window then causes a whole file to be read into memory, and the stall timer never fires.
    """

    HIGH_WATER_BYTES: Final = 32 * 1024
    LOW_WATER_BYTES: Final = 16 * 1024

    async def push(self, data: bytes) -> None:
        """Append bytes; return when the buffer holds less than `HIGH_WATER_BYTES`, or was read down to the low mark."""
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        await self._is_empty.clear()
        if len(self.buffer) >= self.HIGH_WATER_BYTES:
            await self._paused.clear()
            await self._paused.wait()

    async def pop(self, max_length: int) -> bytes:
        """Remove and return at most `max_length` bytes; wake the writer below the low mark."""
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < self.LOW_WATER_BYTES:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data


def install() -> None:
    """Have Hypercorn use bounded buffers, in this process and its children."""
    h2.StreamBuffer = BoundedStreamBuffer  # type: ignore[misc] # Hypercorn has no setting for it
