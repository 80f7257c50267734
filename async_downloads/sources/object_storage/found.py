"""The objects and the common prefixes directly below a prefix of a bucket."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

__all__ = ["Found", "FoundObject", "FoundRows"]


_SLICE_ROWS: Final = 1000


class FoundObject(NamedTuple):
    """An object: its key, its size in bytes, the time when it was stored, in seconds since 1970, and its ETag."""

    path: str
    size: int
    modified: int
    etag: str | None


class Rows(Protocol):
    """Objects that are made only when they are iterated over."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[FoundObject]: ...


@dataclass(frozen=True, slots=True)
class Found:
    """The objects below a prefix, and the longer prefixes that other keys have in common."""

    objects: Rows
    prefixes: Sequence[str]

    def __len__(self) -> int:
        return len(self.objects) + len(self.prefixes)


class FoundRows:
    """The objects of an Arrow table of obstore.

    If obstore itself makes the Python objects of a listing, no other thread can run: 100,000 keys would stop the event
    loop for half a second. A table has no Python objects. `slices` makes them from a thousand rows at a time.
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[FoundObject]:
        for rows in self.slices():
            yield from rows

    def slices(self) -> Iterator[list[FoundObject]]:
        """Yield lists of up to 1,000 objects."""
        for start in range(0, len(self), _SLICE_ROWS):
            part = self._table.slice(start, min(_SLICE_ROWS, len(self) - start))
            names = ("path", "size", "last_modified", "e_tag")
            rows = zip(*(part.column(name).to_pylist() for name in names), strict=True)
            yield [FoundObject(path, size, int(modified.timestamp()), etag) for path, size, modified, etag in rows]
