"""A set of byte positions as half-open spans: the bytes of a file that are held."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
        """Collect spans in any order. An empty span adds nothing; raises ValueError if a span ends before it starts."""
        merged: list[Span] = []
        for start, stop in sorted(spans):
            if not 0 <= start <= stop:
                raise ValueError(f"not a span of bytes: {start} to {stop}")
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(stop, merged[-1][1])
            elif start < stop:
                merged.append((start, stop))
        return cls(tuple(merged))

    def add(self, start: int, stop: int) -> Self:
        """Return the set with these positions added."""
        if not 0 <= start <= stop:
            raise ValueError(f"not a span of bytes: {start} to {stop}")
        if start == stop:
            return self
        before = tuple(span for span in self.spans if span[1] < start)
        after = tuple(span for span in self.spans if span[0] > stop)
        if merged := self.spans[len(before) : len(self.spans) - len(after)]:
            start, stop = min(start, merged[0][0]), max(stop, merged[-1][1])
        return type(self)((*before, (start, stop), *after))

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


NOTHING: Final = Spans()
