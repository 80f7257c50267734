"""How a file is cut up between connections."""

from dataclasses import dataclass
from typing import Final

__all__ = ["FIRST", "Piece", "largest", "piece_size", "split"]

MIB: Final = 1024 * 1024
FIRST: Final = MIB  # what the first request asks for: enough to be of use, and no great loss if it is asked for again
_SPLIT: Final = 4 * MIB  # below that, another connection would come too late


@dataclass(slots=True, eq=False)
class Piece:
    """What one connection has to bring: from `start` to before `stop`; None is the end, wherever that is.

    All before `done` is in the file, and all before `came` has come, if that is further. A piece that is not `ranged`
    is asked for as a whole file is.
    """

    start: int
    stop: int | None
    done: int
    ranged: bool = True
    came: int = 0

    @property
    def gained(self) -> int:
        """How many bytes of it have come."""
        return max(self.came - self.start, 0)

    @property
    def left(self) -> int:
        """How many bytes are still to come; 0 when nobody knows, or more came than the half that was not given away."""
        return 0 if self.stop is None else max(self.stop - max(self.done, self.came), 0)


def piece_size(total: int, connections: int) -> int:
    """Return how many bytes to ask for at once: each connection has its share, of which others take when they are done.

    To come back more often would cost connections, since one that was fast is given up.
    """
    return max(-(-total // connections), MIB)


def largest(running: list[Piece]) -> Piece | None:
    """Return the piece with most left, if that is worth a second connection."""
    piece = max((each for each in running if each.ranged), key=lambda each: each.left, default=None)
    return piece if piece and piece.left > _SPLIT else None


def split(piece: Piece) -> Piece:
    """Take the second half of what is left of a piece away from it."""
    middle = max(piece.done, piece.came) + piece.left // 2
    half = Piece(middle, piece.stop, middle)
    piece.stop = middle
    return half
