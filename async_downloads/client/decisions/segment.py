"""The bytes that one connection of a download fetches, and what to do after its response."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["MIB", "Admission", "Segment", "segment_size"]


MIB: Final = 1024 * 1024


@dataclass(slots=True, eq=False)
class Segment:
    """The bytes that one connection fetches: from `start` to before `stop` (None: to the end of the file).

    All bytes of the segment before `done` are in the part file, and all bytes before `received` have arrived. If the
    segment is not `ranged`, its request is for the whole file. `served` says that a response was accepted. Its body
    ends at `body_stop`, or at the end of the file if that is None.
    """

    start: int
    stop: int | None
    done: int
    ranged: bool = True
    received: int = 0
    served: bool = False
    body_stop: int | None = None

    @property
    def received_count(self) -> int:
        """The number of bytes that have arrived."""
        return max(self.received - self.start, 0)

    @property
    def left(self) -> int:
        """The number of bytes to come; 0 if the end is unknown, or if a split cut off bytes that had arrived."""
        return 0 if self.stop is None else max(self.stop - self._reached, 0)

    def split(self, size: int) -> "Segment":
        """Cut off the last `size` bytes, or the second half of the missing bytes if that is smaller. Return them."""
        at = self._reached + self.left - min(size, self.left - self.left // 2)
        tail = Segment(at, self.stop, at)
        self.stop = at
        return tail

    @property
    def _reached(self) -> int:
        return max(self.done, self.received)


def segment_size(total: int, connections: int) -> int:
    """Return the bytes of one request: an equal share for each connection, but at least 1 MiB.

    With smaller segments, more connections would be closed early, because a split ends the connection of its segment.
    """
    return max(-(-total // connections), MIB)


class Admission(Enum):
    """What to do after a response."""

    STORE = "store the body in the segment"
    RETRY = "request again: this response cannot be used"
    END_WORKER = "end this worker: its connection leads to another server than the one that serves the file"
    END = "end: no byte was missing, and the size is known now"
    RESTART = "start over: the held bytes belong to a version that the server no longer has"
