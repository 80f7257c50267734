"""How many bytes of an object to request at a time."""

from typing import Final

__all__ = ["ReadAhead"]


class ReadAhead:
    """The size of the next chunk, and how many chunks are requested before the client takes them.

        slow ── 256 KiB without a pause ──> steady ── 2 MiB without a pause ──> fast
          ^                                   │                                   │
          └──────────── a pause ──────────────┴───────────────────────────────────┘

    A slow client gets small chunks, none of them ahead, because thousands of such clients must fit into memory. For a
    steady client the next chunk is requested ahead. For a fast client each chunk is twice as large as the previous one,
    up to 8 MiB, because each request takes a millisecond of the store's time. Only a client that receives 80 MB/s takes
    such a chunk without a pause. A pause of the client is noticed late, because the kernel buffers up to a megabyte.
    """

    LEAST_BYTES: Final = 64 * 1024
    _MOST_BYTES: Final = 8 * 1024 * 1024
    _STEADY_BYTES: Final = 256 * 1024
    _FAST_BYTES: Final = 2 * 1024 * 1024
    _PAUSE_SECONDS: Final = 0.1
    _MOST_AHEAD: Final = 2

    def __init__(self) -> None:
        self._slow_down()

    def _slow_down(self) -> None:
        self.chunk_bytes: int = self.LEAST_BYTES
        self.ahead: int = 0
        self._taken = 0

    def took(self, count: int, seconds: float) -> None:
        """Record how many bytes the client received, and in how many seconds."""
        if seconds > self._PAUSE_SECONDS:
            self._slow_down()
            return
        self._taken += count
        if self._taken >= self._FAST_BYTES:
            self._speed_up()
        elif self._taken >= self._STEADY_BYTES:
            self.ahead = 1

    def _speed_up(self) -> None:
        if self.chunk_bytes == self._MOST_BYTES:
            self.ahead = min(self.ahead + 1, self._MOST_AHEAD)
        self.chunk_bytes = min(2 * self.chunk_bytes, self._MOST_BYTES)
