"""A set of byte positions as half-open spans: the bytes of a file that are held."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Self

__all__ = ["NOTHING", "Span", "Spans"]


Span = tuple[int, int]  # the bytes from the first position to before the second


@dataclass(frozen=True, slots=True)
class Spans:
    """A set of byte positions. `spans` ascend, and no two of them overlap or touch.

    >>> held = Spans().add(0, 10).add(20, 30)
    >>> held.size, list(held.missing(40)), held.add(10, 20).spans
    (20, [(10, 20), (30, 40)], ((0, 30),))
    """

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Self:
        """Collect spans in any order. An empty span adds nothing. Raises ValueError if a span ends before it starts."""
        merged: list[Span] = []
        for start, stop in sorted(spans):
            _check(start, stop)
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], stop)
            elif start < stop:
                merged.append((start, stop))
        return cls(tuple(merged))

    def add(self, start: int, stop: int) -> Self:
        """Return the set with these positions added."""
        _check(start, stop)
        if start == stop:
            return self
        first = bisect_left(self.spans, start, key=itemgetter(1))
        last = bisect_right(self.spans, stop, key=itemgetter(0))
        if merged := self.spans[first:last]:
            start, stop = min(start, merged[0][0]), max(stop, merged[-1][1])
        return type(self)((*self.spans[:first], (start, stop), *self.spans[last:]))

    def first_missing(self, stop: int, *, bridge: int) -> Span | None:
        """Return the first missing span before `stop`. It may include held spans shorter than `bridge` bytes."""
        found: Span | None = None
        for start, end in self.missing(stop):
            if found and start - found[1] >= bridge:
                break
            found = (found[0] if found else start), end
        return found

    def missing(self, stop: int) -> Iterator[Span]:
        """Yield the spans before `stop` that are not in the set, in order."""
        at = 0
        for span in self.spans:
            if span[0] >= stop:
                break
            if at < span[0]:
                yield at, span[0]
            at = span[1]
        if at < stop:
            yield at, stop

    def until(self, stop: int) -> Self:
        """Return the set without the positions from `stop` on."""
        return type(self)(tuple((start, min(end, stop)) for start, end in self.spans if start < stop))

    @property
    def size(self) -> int:
        """The number of positions."""
        return sum(stop - start for start, stop in self.spans)

    @property
    def end(self) -> int:
        """The position after the last one; 0 for an empty set."""
        return self.spans[-1][1] if self.spans else 0


def _check(start: int, stop: int) -> None:
    if not 0 <= start <= stop:
        raise ValueError(f"not a span of bytes: {start} to {stop}")


NOTHING: Final = Spans()
