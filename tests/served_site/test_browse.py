"""A listing as data: the page is right whatever the names of the files."""

import json
import os
from html import unescape
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.site.browse import Row, as_html, as_json, readable_size, rows_of
from async_downloads.sources.base import Entry, Listing
from served_site.page import read

_NAMES = [
    pytest.param("plain.txt", id="plain"),
    pytest.param("<script>alert(1)", id="script"),
    pytest.param("\"'&<>`.txt", id="markup"),
    pytest.param("&amp;", id="already-escaped"),
    pytest.param("{{ 7 * 7 }}", id="template"),
    pytest.param("javascript:alert(1)", id="scheme"),
    pytest.param("C:", id="drive"),
    pytest.param("a?b#c;d=e", id="url-delimiters"),
    pytest.param("100%", id="percent"),
    pytest.param("%2e%2e", id="percent-dots"),
    pytest.param("..", id="dots"),
    pytest.param("...", id="more-dots"),
    pytest.param(" two  words ", id="spaces"),
    pytest.param("line\nbreak", id="newline"),
    pytest.param("naïve 日本 🎈", id="unicode"),
    pytest.param("\u202egnp.exe", id="turned-direction"),
    pytest.param(os.fsdecode(b"\xff\xfe.bin"), id="no-utf-8"),
    pytest.param("\\", id="backslash"),
]

_ATTRIBUTES = {
    "aria-label",
    "charset",
    "class",
    "colspan",
    "content",
    "datetime",
    "formaction",
    "href",
    "lang",
    "method",
    "name",
    "scope",
    "title",
}


def _of(*names: str, truncated: bool = False) -> Listing:
    return Listing(tuple(Entry(name, False, 5, 0) for name in names), truncated)


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("directory", [False, True], ids=["file", "directory"])
def test_a_link_leads_to_the_entry_and_nowhere_else(name: str, directory: bool) -> None:
    (line,) = rows_of(Listing((Entry(name, directory),)))
    slash = "/" if directory else ""
    assert line == Row(_shown(name) + slash, line.url, "directory" if directory else "file", None, None)
    assert line.url.isascii()
    there = urlsplit(urljoin("http://host/files/", line.url))
    assert (there.netloc, there.query, there.fragment) == ("host", "", "")
    if name != "..":  # which no directory has as an entry
        assert unquote_to_bytes(there.path) == b"/files/" + os.fsencode(name) + slash.encode()


@pytest.mark.parametrize("name", _NAMES)
def test_the_page_shows_the_name_and_escapes_markup(name: str) -> None:
    html = as_html("", _of(name))
    page = read(html)
    assert page.names == [_shown(name)]
    assert page.attributes <= _ATTRIBUTES
    assert "script" not in page.texts


@pytest.mark.parametrize("name", _NAMES)
def test_the_path_is_shown_and_its_markup_escaped(name: str) -> None:
    page = read(as_html(f"{name}/sub/", Listing(())))
    assert page.texts["title"] == page.texts["h1"] == [f"Index of /{_shown(name)}/sub/"]
    assert "script" not in page.texts


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20))
def test_any_name_survives_the_page(name: str) -> None:
    html = as_html("", _of(name)).decode("utf-8")
    shown = html.partition("<td><a href=")[2].partition(">")[2].partition("</a>")[0]
    assert unescape(shown) == name
    assert not set(shown) & set("<>\"'")


@pytest.mark.parametrize("key", ["", "a/", "a/b/c/"])
def test_the_only_links_are_the_parent_and_each_entry_once(key: str) -> None:
    page = read(as_html(key, Listing((Entry("sub", True), Entry("a b.csv", False, 5, 0), Entry("x:y", False, 5, 0)))))
    parent = [("../", "../")] if key else []
    assert page.links == [*parent, ("sub/", "sub/"), ("a%20b.csv", "a b.csv"), ("x%3Ay", "x:y")]


def test_an_empty_directory_says_so() -> None:
    assert "This directory is empty." in as_html("", Listing(())).decode()
    assert "This directory is empty." not in as_html("", _of("a")).decode()


def test_a_truncated_listing_says_so() -> None:
    note = "There are more entries than are shown."
    assert note in as_html("", _of("a", truncated=True)).decode()
    assert note not in as_html("", _of("a")).decode()


def test_a_file_has_a_size_a_date_and_a_download_link_and_a_directory_does_not() -> None:
    page = read(as_html("", Listing((Entry("d", True), Entry("f", False, 1536, 1_700_000_000)))))
    assert page.entries == [("d/", "d/"), ("f", "f")]
    assert page.saved == ["f"]
    assert page.texts["span"] == ["Save", "1.5 KiB"]
    assert page.texts["time"] == ["2023-11-14 22:13"]


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (10**11, "5138-11-16T09:46:40Z"),
        (10**12, "?"),
        (-(10**20), "?"),
    ],
)
def test_a_time_is_shown_as_a_date_or_a_question_mark(moment: int, date: str) -> None:
    assert rows_of(Listing((Entry("a", False, 0, moment),)))[0].modified == date


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**2, "1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**5, "1.0 PiB"),
        (1024**6, "1024.0 PiB"),
    ],
)
def test_a_size_is_formatted_for_people(size: int, shown: str) -> None:
    assert readable_size(size) == shown


def test_json_contains_the_same_entries() -> None:
    listing = Listing((Entry("d", True), Entry("a:b", False, 7, 0), Entry(os.fsdecode(b"\xff"), False)), truncated=True)
    assert json.loads(as_json("x/y/", listing)) == {
        "path": "/x/y/",
        "truncated": True,
        "entries": [
            {"name": "d", "url": "d/", "kind": "directory", "size": None, "modified": None},
            {"name": "a:b", "url": "a%3Ab", "kind": "file", "size": 7, "modified": "1970-01-01T00:00:00Z"},
            {"name": "\ufffd", "url": "%FF", "kind": "file", "size": None, "modified": None},
        ],
    }


def test_a_real_directory_is_listed_with_names_of_any_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).touch()
    names = os.listdir(tmp_path)
    assert read(as_html("", _of(*names))).names == ["\ufffd"]
