"""Which entries a view of a folder shows, and in what order."""

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.site.view import MAX_ROWS, Selected, View, select
from async_downloads.sources.base import Entry

_ENTRIES = (
    Entry("b10", is_directory=True, modified=5),
    Entry("b9", is_directory=True, modified=7),
    Entry("small.txt", is_directory=False, size=1, modified=30),
    Entry("Large.bin", is_directory=False, size=900, modified=10),
    Entry("middle.txt", is_directory=False, size=50, modified=20),
)


def _names(query: bytes) -> list[str]:
    return [entry.name for entry in select(_ENTRIES, View.parse(query)).entries]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (b"", ["b9", "b10", "Large.bin", "middle.txt", "small.txt"]),
        (b"order=desc", ["b10", "b9", "small.txt", "middle.txt", "Large.bin"]),
        (b"sort=size", ["b9", "b10", "Large.bin", "middle.txt", "small.txt"]),
        (b"sort=size&order=asc", ["b9", "b10", "small.txt", "middle.txt", "Large.bin"]),
        (b"sort=date", ["b9", "b10", "small.txt", "middle.txt", "Large.bin"]),
        (b"sort=date&order=asc", ["b10", "b9", "Large.bin", "middle.txt", "small.txt"]),
        (b"q=TXT", ["middle.txt", "small.txt"]),
        (b"q=t+sm", ["small.txt"]),
        (b"q=+", ["b9", "b10", "Large.bin", "middle.txt", "small.txt"]),
        (b"q=none", []),
        (b"limit=2", ["b9", "b10"]),
        (b"limit=2&after=b10%2F", ["Large.bin", "middle.txt"]),
        (b"after=middle.txt", ["small.txt"]),
        (b"after=b9", ["Large.bin", "middle.txt", "small.txt"]),  # without a slash it is a file
        (b"after=b9.5%2F", ["b10", "Large.bin", "middle.txt", "small.txt"]),
        (b"after=m", ["middle.txt", "small.txt"]),
        (b"after=m&order=desc", ["Large.bin"]),
        (b"after=c%2F&order=desc", ["b10", "b9", "small.txt", "middle.txt", "Large.bin"]),
        (b"after=gone&sort=size", ["b9", "b10", "Large.bin", "middle.txt", "small.txt"]),
        (b"after=Large.bin&sort=size", ["middle.txt", "small.txt"]),
    ],
)
def test_a_view_shows_these_entries_in_this_order(query: bytes, names: list[str]) -> None:
    assert _names(query) == names


@pytest.mark.parametrize(
    "query",
    [b"sort=color", b"order=up", b"limit=-1", b"limit=x", b"limit=%C2%B2", b"view=map", b"&&==", b"a=1&" * 200],
)
def test_what_is_not_valid_in_a_query_is_ignored(query: bytes) -> None:
    assert View.parse(query) == View()


def test_a_limit_is_bounded() -> None:
    assert View.parse(b"limit=999999999").limit == MAX_ROWS
    assert View.parse(b"limit=" + b"9" * 50).limit == 0


_VIEWS = st.builds(
    View,
    sort=st.sampled_from(["name", "size", "date"]),
    order=st.sampled_from(["asc", "desc"]),
    q=st.text(st.characters(categories=["L", "N", "P"]), max_size=9),
    view=st.sampled_from(["list", "grid"]),
    after=st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    limit=st.integers(0, MAX_ROWS),
    select=st.booleans(),
)


@given(_VIEWS)
def test_a_view_survives_its_query(view: View) -> None:
    assert View.parse(view.query(after=view.after).removeprefix("?").removeprefix(".").encode()) == view


def test_a_query_has_names_whose_bytes_are_not_utf_8() -> None:
    view = View.parse(b"after=" + quote_from_bytes(b"\xff").encode())
    assert view.after == "\udcff"
    assert view.query(after=view.after) == "?after=%FF"


@given(
    st.lists(
        st.builds(
            Entry,
            name=st.text("ab19", min_size=1, max_size=4),
            is_directory=st.booleans(),
            size=st.one_of(st.none(), st.integers(0, 3)),
            modified=st.one_of(st.none(), st.integers(0, 3)),
        ),
        unique_by=lambda entry: entry.name,
        max_size=30,
    ),
    st.sampled_from(["name", "size", "date"]),
    st.sampled_from(["asc", "desc"]),
    st.integers(1, 7),
)
def test_the_pages_together_have_each_entry_once(entries: list[Entry], sort: str, order: str, limit: int) -> None:
    view = View.parse(f"sort={sort}&order={order}&limit={limit}".encode())
    whole = select(entries, View.parse(f"sort={sort}&order={order}".encode()))
    found: list[Entry] = []
    pages: list[Selected] = []
    while True:
        part = select(entries, view)
        assert part.start == len(found)
        assert _page_before(entries, view, part) == (pages[-1] if pages else None)
        found += part.entries
        pages.append(part)
        if part.after is None:
            break
        view = View.parse(view.query(after=part.after).removeprefix("?").encode())
    assert found == list(whole.entries)
    assert sorted(entry.name for entry in found) == sorted(entry.name for entry in entries)


def _page_before(entries: list[Entry], view: View, page: Selected) -> Selected | None:
    if page.before is None:
        return None
    return select(entries, View.parse(view.query(after=page.before).removeprefix("?").encode()))


@pytest.mark.parametrize(
    ("query", "sort", "order"),
    [
        (b"", "name", "desc"),
        (b"order=desc", "name", "asc"),
        (b"", "size", "desc"),
        (b"", "date", "desc"),
        (b"sort=size", "name", "asc"),
        (b"sort=size", "size", "asc"),
    ],
)
def test_the_button_of_a_column_sorts_by_it_and_then_the_other_way(query: bytes, sort: str, order: str) -> None:
    assert View.parse(query).order_of(sort) == order
