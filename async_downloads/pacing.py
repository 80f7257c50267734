"""How many bytes to read at once."""

from typing import Final

__all__ = ["ChunkSizer"]


class ChunkSizer:
    """How many bytes to read at once, from how long the client took over the last ones.

    The kernel swallows the first few MiB whatever the client does, and a chunk that got stuck stays in memory.
    So chunks are modest until that much went without a wait, then double, and are small after a wait.
    """

    __slots__ = ("_calm", "_large", "_small", "chunk")

    WHOLE: Final = 128 * 1024  # up to here in one piece: the socket's buffer takes it
    _CALM: Final = 4 * 1024 * 1024
    _WAIT: Final = 0.1  # seconds; the loop's other work passes for no wait

    def __init__(self, *, small: int = 16 * 1024, modest: int = 64 * 1024, large: int = 512 * 1024) -> None:
        self.chunk: int = modest
        self._small = small
        self._large = large
        self._calm = 0

    def took(self, seconds: float) -> None:
        """Note that the client took that long over the last chunk."""
        if seconds > self._WAIT:
            self.chunk, self._calm = self._small, 0
            return
        self._calm += self.chunk
        if self._calm >= self._CALM:
            self.chunk = min(2 * self.chunk, self._large)
