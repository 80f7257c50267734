"""Range requests: RFC 9110 §14.

In code a range is half-open: from `start` to before `stop`. A field names the last byte inclusively. Only this file
converts between the two.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

__all__ = ["UNBOUNDED", "ByteRange", "ContentRange", "RangeSpec", "parse_range", "resolve"]


_SPEC = re.compile(r"([0-9]*+)-([0-9]*+)")
_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]+)-([0-9]+)|\*)/([0-9]+|\*)", re.IGNORECASE)
# No representation is so large. `int` would take quadratic time for a position of many thousand digits.
_BEYOND: Final = 10**19


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from position `start` to before `stop`. Raises ValueError if the range is empty or starts below 0."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"not a range of bytes: {self.start} to {self.stop}")

    def __len__(self) -> int:
        return self.stop - self.start


UNBOUNDED: Final = ByteRange(0, 2**63 - 1)  # the whole of a representation of unknown size


class RangeSpec(NamedTuple):
    """One range of a Range field, both ends inclusive: `first-`, `first-last`, or `-last` for the last `last` bytes."""

    first: int | None
    last: int | None

    def within(self, size: int) -> ByteRange | None:
        """Return the range within a representation of `size` bytes, or None if it is outside (§14.1.2)."""
        if self.first is None:
            start, stop = size - min(self.last or 0, size), size
        else:
            start, stop = self.first, size if self.last is None else min(self.last + 1, size)
        return ByteRange(start, stop) if start < stop else None


def parse_range(value: str, *, limit: int) -> tuple[RangeSpec, ...] | None:
    """Read a Range field; return None if the server must or may ignore it.

    It ignores an unknown unit, a malformed value (§14.2), and more than `limit` ranges or empty members (§17.15).

    >>> parse_range("bytes=0-499,-500", limit=8)
    (RangeSpec(first=0, last=499), RangeSpec(first=None, last=500))
    """
    unit, equals, ranges = value.partition("=")
    if not equals or unit.lower() != "bytes":
        return None
    specs: list[RangeSpec] = []
    members = ranges.split(",", 2 * limit)
    for text in filter(None, (member.strip(" \t") for member in members)):  # a member may be empty (§5.6.1.2)
        spec = _parse_spec(text)
        if spec is None or len(specs) == limit:
            return None
        specs.append(spec)
    return tuple(specs) if specs and len(members) <= 2 * limit else None


def _parse_spec(text: str) -> RangeSpec | None:
    found = _SPEC.fullmatch(text)
    if not found:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if first and last and _magnitude(last) < _magnitude(first):
        return None
    return RangeSpec(_position(first), _position(last))


def _magnitude(digits: str) -> tuple[int, str]:
    """Return a key that compares like the number, without converting all its digits."""
    digits = digits.lstrip("0")
    return len(digits), digits


def _position(digits: str) -> int | None:
    if not digits:
        return None
    length, digits = _magnitude(digits)
    return int(digits or "0") if length < 20 else _BEYOND


def resolve(specs: Iterable[RangeSpec], size: int) -> tuple[ByteRange, ...]:
    """Return the ranges to send, each byte once; () if none can be satisfied.

    Ranges that overlap or touch become one (§15.3.7.2), at the position of the one that was requested first.

    >>> resolve([RangeSpec(50, 59), RangeSpec(0, 4), RangeSpec(5, 9)], 100)
    (ByteRange(start=50, stop=60), ByteRange(start=0, stop=10))
    """
    requested = [span for spec in specs if (span := spec.within(size))]
    merged: list[tuple[int, ByteRange]] = []
    for place, span in sorted(enumerate(requested), key=lambda item: item[1].start):
        if merged and span.start <= merged[-1][1].stop:
            earlier, left = merged[-1]
            merged[-1] = (min(earlier, place), ByteRange(left.start, max(left.stop, span.stop)))
        else:
            merged.append((place, span))
    return tuple(span for _, span in sorted(merged, key=lambda item: item[0]))


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The value of Content-Range (§14.4): `span` is None for a 416, `size` is None if it is unknown.

    >>> str(ContentRange(ByteRange(0, 500), 1234)), str(ContentRange(None, 1234))
    ('bytes 0-499/1234', 'bytes */1234')
    """

    span: ByteRange | None
    size: int | None

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """Read a Content-Range; return None if it is malformed, contradicts itself (§14.4) or is impossibly large."""
        found = _CONTENT_RANGE.fullmatch(value)
        if not found:
            return None
        first, last, total = (_position(text) if text and text != "*" else None for text in found.groups())
        if max(last or 0, total or 0) >= UNBOUNDED.stop:
            return None
        if first is None or last is None:
            return cls(None, total) if total is not None else None
        if last < first or (total is not None and last >= total):
            return None
        return cls(ByteRange(first, last + 1), total)

    def __str__(self) -> str:
        span = f"{self.span.start}-{self.span.stop - 1}" if self.span else "*"
        return f"bytes {span}/{'*' if self.size is None else self.size}"
