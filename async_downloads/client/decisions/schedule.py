"""The plan of one download: what is known, what is held, and what to ask for next. It neither waits nor sends.

    take      a piece to fetch, or None when there is nothing to do for one more connection
    ask       what to send for it
    admit     what to make of the verdict: whether the body belongs into the piece
    wrote     bytes are in the file now
    release   the piece is fetched, or what is left of it goes back
    restart   there is another version, and nothing is held of it

One connection begins. When its answer proves that ranges work, there may be more. Without a strong validator, or on a
server that does not do ranges, there is one stream from the first byte to the last.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from ...errors import NetworkError, RemoteChanged
from .response import Asked, Changed, End, Part, Unfit, Whole
from .retries import Setback
from .spans import NOTHING, Spans
from .version import UNKNOWN, Version

__all__ = ["FIRST", "Outcome", "Piece", "Plan", "largest", "piece_size", "split"]


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


_STRIKES: Final = 3  # answers in a row that are none to the range that was asked for
_VERSIONS: Final = 5  # replacements on the server that are put up with


class Outcome(Enum):
    """What an answer leads to."""

    STORE = "the body goes into the file, from the piece's place on"
    STRIKE = "the answer is of no use: ask again"
    END = "nothing was missing: the size is known now"
    RESTART = "what is held is of a version that is gone"


class Plan:
    """The state of one download by so many `connections`, with what is held of it.

    `resumed_from` counts the bytes that were held at the start and are of use; `proven` is that the server does ranges.
    """

    def __init__(self, connections: int = 1, version: Version | None = None, held: Spans = NOTHING) -> None:
        self.connections: int = connections
        self.version: Version | None = version
        self.held: Spans = held
        self.resumed_from: int = held.size
        self.proven: bool = False
        self.running: list[Piece] = []
        self._strikes = 0
        self._replaced = 0

    @property
    def total(self) -> int | None:
        """The size of the file, when that is known."""
        return self.version.total if self.version else None

    @property
    def resumable(self) -> bool:
        """Whether what is held may be kept for another connection."""
        return self.version is not None and self.version.if_range is not None

    @property
    def complete(self) -> bool:
        """Whether all of the file is held."""
        return self.total is not None and not any(self.held.missing(self.total))

    def take(self) -> Piece | None:
        """Give out what one more connection is to fetch."""
        piece = self._next()
        if piece:
            self.running.append(piece)
        return piece

    def _next(self) -> Piece | None:
        if self.complete or (self.running and not self.proven):
            return None
        if self._strikes >= _STRIKES or (not self.resumable and self.connections == 1):
            return None if self.running else Piece(0, self.total, 0, ranged=False)
        if self.total is None:
            first = None if self.version else FIRST
            return Piece(self.held.end, first, self.held.end)
        return self._gap(self.total)

    def _gap(self, total: int) -> Piece | None:
        """Give out what nobody fetches yet, or half of what somebody does."""
        taken = self.held
        for piece in self.running:
            taken = taken.add(piece.done, total if piece.stop is None else max(piece.stop, piece.done))
        gap = next(taken.missing(total), None)
        if gap is None:
            busy = largest(self.running)
            return split(busy) if busy else None
        size = total if self.connections == 1 else piece_size(total, self.connections)
        return Piece(gap[0], min(gap[1], gap[0] + size), gap[0])

    def ask(self, piece: Piece) -> Asked:
        """Say what to send for a piece."""
        if_range = self.version.if_range if self.version else None
        return Asked(piece.done, piece.stop, piece.ranged, if_range if piece.ranged else None)

    def admit(self, piece: Piece, verdict: Whole | Part | End | Changed | Unfit) -> Outcome:
        """Take note of an answer, and say what it leads to."""
        match verdict:
            case Changed():
                return Outcome.RESTART
            case End(version):
                self.version = version
                return Outcome.END
            case Part(version, span):
                self.version, self.proven, self._strikes = version, True, 0
                piece.stop = span.stop if piece.stop is None else min(piece.stop, span.stop)
                return Outcome.STORE
            case Whole(version) if not piece.ranged or not self.proven:
                self.version = version
                self._sweep(piece)
                return Outcome.STORE
            case _:
                # Of nothing held, the whole is as good as a part. 206 without what it takes will be the same again.
                self._strikes = _STRIKES if self.version is None else self._strikes + 1
                return Outcome.STRIKE

    def _sweep(self, piece: Piece) -> None:
        """Fetch all of the version in one stream, over what is held: those are the same bytes."""
        piece.start = piece.done = piece.came = 0
        piece.stop, piece.ranged = self.total, False
        self.resumed_from = 0

    def restart(self) -> None:
        """Begin with another version, when nobody fetches the one before any more.

        RemoteChanged when the versions change faster than they can be fetched.
        """
        self._forget()
        self._strikes = 0
        self._replaced += 1
        if self._replaced > _VERSIONS:
            raise RemoteChanged(f"the file on the server was replaced {self._replaced} times while it was fetched")

    def _forget(self) -> None:
        self.version, self.held, self.resumed_from, self.proven = None, NOTHING, 0, False

    def wrote(self, piece: Piece, start: int, size: int) -> None:
        """Note that so many bytes of the piece are in the file, from `start` on."""
        self.held = self.held.add(start, start + size)
        piece.done = start + size

    def ended(self, piece: Piece) -> None:
        """Note that the body of a piece ended well: of what nobody knew the size of, that is the size.

        Setback when more of it came before: a connection without a length may break and look like that.
        """
        if piece.stop is None:
            if piece.done < self.held.end:
                raise Setback(NetworkError(f"the connection ended after {piece.done} of {self.held.end} bytes or more"))
            piece.stop = piece.done
            self.version = (self.version or UNKNOWN).sized(piece.done)

    def release(self, piece: Piece) -> None:
        """Take a piece back, whether it is fetched or not."""
        self.running.remove(piece)
        if not piece.ranged and self._strikes:
            self._strikes = _STRIKES - 1  # one stream has not brought all: give ranges one more chance
        if not self.resumable and not self.complete:
            self._forget()
