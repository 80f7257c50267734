"""How many bytes of an object to ask for at a time."""

from typing import Final

__all__ = ["ReadAhead"]


class ReadAhead:
    """The size of the next chunk, and how many chunks are requested before the client takes them.

    The kernel takes the first few hundred KiB whatever the client does. So chunks are small until the client has taken
    512 KiB without a pause. Then each chunk is twice as large as the one before, and the next ones are read ahead.
    After a pause the client counts as slow again, because thousands of slow clients must fit into memory.
    """

    _LEAST_BYTES: Final = 64 * 1024
    _AHEAD_BYTES: Final = 256 * 1024  # the least that is read ahead
    _MOST_BYTES: Final = 2 * 1024 * 1024
    _CALM_BYTES: Final = 512 * 1024
    _PAUSE_SECONDS: Final = 0.1
    _MOST_AHEAD: Final = 4

    def __init__(self) -> None:
        self._slow_down()

    def _slow_down(self) -> None:
        self.chunk_bytes: int = self._LEAST_BYTES
        self.ahead: int = 0
        self._calm = 0

    def took(self, count: int, seconds: float) -> None:
        """Note how many bytes the client took, and how long it needed for them."""
        if seconds > self._PAUSE_SECONDS:
            self._slow_down()
            return
        self._calm += count
        if self._calm >= self._CALM_BYTES:
            self.ahead = min(self.ahead + 1, self._MOST_AHEAD) if self.chunk_bytes == self._MOST_BYTES else 1
            self.chunk_bytes = min(max(2 * self.chunk_bytes, self._AHEAD_BYTES), self._MOST_BYTES)
