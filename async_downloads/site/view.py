"""The part of a folder that a request asks for: pure functions that select entries by a query."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from os import fsencode
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote, urlencode

from ..sources.base import Entry
from ..sources.sorting import sorted_in_runs
from .names import natural_key, readable

__all__ = ["MAX_ROWS", "PAGE_ROWS", "Selected", "View", "select"]


PAGE_ROWS: Final = 1_000  # of a page for people: about 300 kB of HTML
MAX_ROWS: Final = 10_000  # of a page for programs: about 2 MB of JSON
_MAX_FIELDS: Final = 100  # of a query
_MAX_FILTER: Final = 200  # characters
Sort = Literal["name", "size", "date"]
Order = Literal["asc", "desc"]
_ORDERS: Final[dict[str, Order]] = {"name": "asc", "size": "desc", "date": "desc"}  # the most useful order first
_Key = tuple[int, str]
_ENTRY: Final = itemgetter(1)


@dataclass(frozen=True, slots=True)
class View:
    """How a folder is shown.

    `q` is the filter. `after` is the last entry of the page before, with "/" at the end if it is a folder. `limit` is
    the number of rows; 0 means the usual number. With `select`, each row has a checkbox.
    """

    sort: Sort = "name"
    order: Order = "asc"
    q: str = ""
    view: Literal["list", "grid"] = "list"
    after: str = ""
    limit: int = 0
    select: bool = False

    @classmethod
    def parse(cls, query: bytes) -> "View":
        """Read a query. Invalid values are ignored."""
        try:
            pairs = parse_qsl(
                query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape", max_num_fields=_MAX_FIELDS
            )
        except ValueError:  # too many fields
            pairs = []
        given = dict(pairs)
        sort: Any = given.get("sort") if given.get("sort") in _ORDERS else "name"
        order: Any = given.get("order") if given.get("order") in {"asc", "desc"} else _ORDERS[sort]
        return cls(
            sort=sort,
            order=order,
            q=readable(" ".join(given.get("q", "")[:_MAX_FILTER].split())),
            view="grid" if given.get("view") == "grid" else "list",
            after=given.get("after", ""),
            limit=_limit(given.get("limit", "")),
            select="select" in given,
        )

    def fields(self, **changes: Any) -> list[tuple[str, str]]:
        """Return the parameters of the query for this view with changes. Default values are left out."""
        view = replace(self, **{"after": "", **changes})
        usual = View(sort=view.sort, order=_ORDERS[view.sort])
        pairs = ((each.name, getattr(view, each.name)) for each in fields(view))
        kept = [(name, value) for name, value in pairs if value != getattr(usual, name)]
        named = [] if view.sort == "name" else [("sort", view.sort)]
        return named + [(name, "1" if value is True else str(value)) for name, value in kept]

    def query(self, **changes: Any) -> str:
        """Return the query as text, with "?" before it; "." if it has no parameter."""
        pairs = self.fields(**changes)
        return f"?{urlencode([(name, fsencode(value)) for name, value in pairs], quote_via=quote)}" if pairs else "."

    def order_of(self, sort: str) -> Order:
        """Return the order that the button of a column sets: the opposite one if the page is sorted by this column."""
        if sort != self.sort:
            return _ORDERS[sort]
        return "desc" if self.order == "asc" else "asc"


def _limit(text: str) -> int:
    return min(int(text), MAX_ROWS) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


@dataclass(frozen=True, slots=True)
class Selected:
    """The entries of one page. `start` is the position of the first one among the `matching` ones.

    `after` is the value of `View.after` for the next page, and `before` that for the previous one; None if there is no
    such page.
    """

    entries: Sequence[Entry]
    start: int
    matching: int
    after: str | None = None
    before: str | None = None


def select(entries: Sequence[Entry], view: View, *, usual: int = PAGE_ROWS) -> Selected:
    """Return the entries that a view shows, in its order. Folders always come first."""
    found = _sorted(_matching(entries, view.q), view)
    start = _start(found, view) if view.after else 0
    size = view.limit or usual
    stop = start + size
    after = _mark(found[stop - 1]) if stop < len(found) else None
    before = _mark(found[start - size - 1]) if start > size else ""
    return Selected(found[start:stop], start, len(found), after, before if start else None)


def _matching(entries: Sequence[Entry], q: str) -> Sequence[Entry]:
    words = q.casefold().split()
    return [entry for entry in entries if _has_all(entry.name.casefold(), words)] if words else entries


def _has_all(name: str, words: Sequence[str]) -> bool:
    return all(word in name for word in words)


def _sorted(entries: Sequence[Entry], view: View) -> list[Entry]:
    is_reverse = view.order == "desc" and view.sort == "name"
    key = _key_of(view)
    return [
        entry
        for directories in (True, False)
        for entry in _sorted_by([each for each in entries if each.is_directory is directories], key, is_reverse)
    ]


def _sorted_by(entries: list[Entry], key: Callable[[Entry], _Key], is_reverse: bool) -> Iterator[Entry]:
    keyed = [(key(entry), entry) for entry in entries]  # no two keys are equal, so no entries are compared
    return map(_ENTRY, sorted_in_runs(keyed, reverse=is_reverse))


def _key_of(view: View) -> Callable[[Entry], _Key]:
    """Return the key by which a view sorts. Entries of the same size or date are in the order of their names."""
    if view.sort == "name":
        return lambda entry: (0, natural_key(entry.name))
    attribute = "size" if view.sort == "size" else "modified"
    sign = 1 if view.order == "asc" else -1

    def key(entry: Entry) -> _Key:
        value = getattr(entry, attribute)
        return sign * (-1 if value is None else value), natural_key(entry.name)

    return key


def _mark(entry: Entry) -> str:
    return f"{entry.name}/" if entry.is_directory else entry.name


def _start(found: Sequence[Entry], view: View) -> int:
    """Return the position after the entry `view.after`.

    If this entry was removed meanwhile, its name still shows its position in an order by name. In an order by size or
    date its position is unknown, so the first page comes again.
    """
    for position, entry in enumerate(found):
        if entry.name == view.after.rstrip("/") and _mark(entry) == view.after:
            return position + 1
    if view.sort != "name":
        return 0
    sign = 1 if view.order == "asc" else -1
    gone = Entry(view.after.rstrip("/"), view.after.endswith("/"))
    directories = sum(entry.is_directory for entry in found)
    part = found[:directories] if gone.is_directory else found[directories:]
    keys = [natural_key(entry.name) for entry in part][::sign]
    place = bisect_right(keys, natural_key(gone.name))
    return (0 if gone.is_directory else directories) + (place if sign == 1 else len(part) - place)
