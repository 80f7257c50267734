"""How many bytes to read for one chunk."""

from typing import Final

__all__ = ["ChunkSizer"]


class ChunkSizer:
    """The size of the next chunk in bytes (`chunk`), computed from the times that the client needed for earlier ones.

    The kernel buffers the first few MiB even if the client reads nothing, and a chunk that the client does not take
    stays in memory. So chunks have the `modest` size until 4 MiB were sent without a wait. Then their size doubles up
    to `large`. After a wait it is `small`.
    """

    __slots__ = ("_calm", "_large", "_small", "chunk")

    WHOLE_BYTES: Final = 64 * 1024  # a body up to this size is read in one chunk, which the socket's buffer can take
    _CALM_BYTES: Final = 4 * 1024 * 1024
    _WAIT_SECONDS: Final = 0.1  # shorter times may come from other work on the loop

    def __init__(self, *, small: int = 16 * 1024, modest: int = 64 * 1024, large: int = 512 * 1024) -> None:
        self.chunk: int = modest
        self._small = small
        self._large = large
        self._calm = 0

    def took(self, seconds: float) -> None:
        """Record how many seconds the client needed for the last chunk."""
        if seconds > self._WAIT_SECONDS:
            self.chunk, self._calm = self._small, 0
            return
        self._calm += self.chunk
        if self._calm >= self._CALM_BYTES:
            self.chunk = min(2 * self.chunk, self._large)
