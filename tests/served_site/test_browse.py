"""A listing as data: the page is right whatever the names of the files."""

import json
import os
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.site.browse import Folder, as_html, as_json
from async_downloads.site.html import asset_text
from async_downloads.site.names import labelled, marked
from async_downloads.site.rows import readable_size, row_of
from async_downloads.site.view import View
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
    "aria-current", "aria-hidden", "aria-label", "aria-live", "aria-pressed", "charset", "class", "content",
    "data-whole", "datetime", "formaction", "href", "id", "lang", "name", "placeholder", "role", "title", "type",
    "value",
}  # fmt: skip


def _of(*names: str, truncated: bool = False) -> Listing:
    return Listing(tuple(Entry(name, False, 5, 0) for name in names), truncated)


def _html(key: str, listing: Listing, query: bytes = b"") -> bytes:
    return as_html(Folder(key, listing), View.parse(query))


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("directory", [False, True], ids=["file", "directory"])
def test_a_link_leads_to_the_entry_and_nowhere_else(name: str, directory: bool) -> None:
    line = row_of(Entry(name, directory), {})
    slash = "/" if directory else ""
    assert (line.name, line.kind == "dir") == (_shown(name), directory)
    assert line.url.isascii()
    there = urlsplit(urljoin("http://host/files/", line.url))
    assert (there.netloc, there.query, there.fragment) == ("host", "", "")
    if name != "..":  # which no directory has as an entry
        assert unquote_to_bytes(there.path) == b"/files/" + os.fsencode(name) + slash.encode()


@pytest.mark.parametrize("name", _NAMES)
def test_the_page_shows_the_name_and_escapes_markup(name: str) -> None:
    html = _html("", _of(name))
    page = read(html)
    assert page.names == ["".join(part.text for part in marked(_shown(name))).strip()]
    assert page.fields[0]["aria-label"] == "Filter by name"
    assert page.buttons[-2]["aria-label"] == f"Download {labelled(_shown(name))}"
    assert page.attributes <= _ATTRIBUTES
    assert "script" not in page.texts


@pytest.mark.parametrize("name", _NAMES)
def test_the_path_is_shown_and_its_markup_escaped(name: str) -> None:
    page = read(_html(f"{name}/sub/", Listing(())))
    assert page.texts["title"] == page.texts["h1"] == [f"Index of /{labelled(_shown(name))}/sub/"]
    assert "script" not in page.texts


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20))
def test_any_name_survives_the_page(name: str) -> None:
    html = _html("", _of(name)).decode("utf-8")
    shown = html.partition("<bdi>")[2].partition("</bdi>")[2].partition("<bdi>")[2].partition("</bdi>")[0]
    characters = re.sub(r"<i>U\+([0-9A-F]+)</i>", lambda mark: chr(int(mark[1], 16)), shown)
    assert unescape(characters) == name
    assert not set(characters) & set("<>\"'") - set(name)


@pytest.mark.parametrize("key", ["", "a/", "a/b/c/"])
def test_the_only_links_are_the_parent_and_each_entry_once(key: str) -> None:
    page = read(_html(key, Listing((Entry("sub", True), Entry("a b.csv", False, 5, 0), Entry("x:y", False, 5, 0)))))
    assert [target for target, _ in page.links] == [*(["../"] if key else []), "sub/", "a%20b.csv", "x%3Ay"]
    assert page.names == ["sub", "a b.csv", "x:y"]


def test_the_path_is_made_of_buttons_which_no_crawler_follows() -> None:
    page = read(_html("a/b c/", Listing(())))
    assert [button["formaction"] for button in page.buttons if "formaction" in button] == ["../../", "../"]
    assert read(_html("", Listing(()))).texts["b"] == ["Files"]


def test_an_empty_directory_says_so() -> None:
    assert "This folder is empty." in _html("", Listing(())).decode()
    assert "This folder is empty." not in _html("", _of("a")).decode()


def test_a_truncated_listing_says_so() -> None:
    note = "This list is not complete: the folder has more entries."
    assert note in _html("", _of("a", truncated=True)).decode()
    assert note not in _html("", _of("a")).decode()


def test_a_file_has_a_size_a_date_and_a_download_button_and_a_directory_its_date() -> None:
    entries = (Entry("d", True, modified=1_600_000_000), Entry("f", False, 1536, 1_700_000_000))
    page = read(_html("", Listing(entries)))
    assert page.entries == [("d/", "d"), ("f", "f")]
    assert page.saved == ["f"]
    assert page.texts["data"] == ["1.5 KiB"]
    assert page.texts["time"] == ["2020-09-13 12:26", "2023-11-14 22:13"]


def test_an_entry_that_may_not_be_opened_looks_closed_and_has_no_button() -> None:
    html = _html("", Listing((Entry("f", False, 5, 0, is_readable=False),)))
    assert b'<li class="file closed">' in html
    assert "(not readable)" in html.decode()
    assert read(html).saved == []


def test_a_long_name_has_its_whole_text_as_title() -> None:
    assert b'title="' + b"n" * 255 in _html("", _of("n" * 255))
    assert b"title=" not in _html("", _of("n" * 60))


def test_a_list_that_only_the_server_can_filter_has_a_box_to_search() -> None:
    assert 'placeholder="Filter 3 entries" aria-label="Filter by name"' in _html("", _of("a", "b", "c")).decode()
    page = _html("", _of("a", "b", "c"), b"limit=2").decode()
    assert 'placeholder="Search 3 entries" aria-label="Search by name"' in page


def test_the_number_of_entries_of_a_folder_is_shown_if_it_is_known() -> None:
    folder = Folder("", Listing((Entry("one", True), Entry("two", True), Entry("new", True))), {"one": 1, "two": 2})
    page = as_html(folder, View()).decode()
    assert page.count("1 item<") == page.count("2 items<") == 1
    assert page.count(" item") == 2


_MIXED = Listing((Entry("b", True), Entry("i.png", False, 5, 0), Entry("v.webm", False, 5, 0), Entry("t.txt", False)))


def test_the_grid_shows_pictures_and_videos_that_load_late() -> None:
    page = _html("", _MIXED, b"view=grid").decode()
    assert '<img loading="lazy" src="i.png" alt="">' in page
    assert '<video preload="none" muted src="v.webm"></video>' in page
    assert "Preview t.txt" in page
    assert "<img" not in _html("", _MIXED).decode()


def test_a_selection_is_a_form_with_a_field_for_each_name() -> None:
    folder = Folder("", Listing((*_MIXED.entries, Entry("\udcff", False))))
    page = read(as_html(folder, View(select=True)))
    boxes = [field for field in page.fields if field.get("type") == "checkbox"]
    # No form can send a name whose bytes are not UTF-8.
    assert [(box["name"], box["value"]) for box in boxes] == [("name", n) for n in ("b", "i.png", "t.txt", "v.webm")]
    assert {box["form"] for box in boxes} == {"z"}
    assert {"zip", "tar"} <= {button.get("name") for button in page.buttons}
    assert not [field for field in read(as_html(folder, View())).fields if field.get("type") == "checkbox"]


def test_every_form_keeps_the_rest_of_the_view() -> None:
    page = as_html(Folder("", _MIXED), View.parse(b"sort=size&order=asc&view=grid&q=i")).decode()
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        if 'name="q"' in form and 'type="search"' in form:
            assert re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', form) == [
                ("sort", "size"), ("order", "asc"), ("view", "grid")
            ]  # fmt: skip
        if 'name="view" value="list"' in form:
            assert re.findall(r'type="hidden" name="(\w+)"', form) == ["sort", "order", "q"]
    assert "2 of 4 entries" in page or "1 of 4 entries" in page


def test_a_page_of_a_hundred_entries_is_at_most_30_kb() -> None:
    names = [f"our notes {number:03}.md" for number in range(100)]
    listing = Listing(tuple(Entry(name, False, 10**7 + number, 10**9) for number, name in enumerate(names)))
    assert len(as_html(Folder("a/b/", listing, base="../../"), View())) <= 30_000


def test_the_script_is_at_most_10_kb_and_asks_nothing_of_other_sites() -> None:
    assert len(asset_text("page.js").encode()) <= 10_000
    for name in ("page.css", "page.js"):
        urls = set(re.findall(r"(?:https?:)?//[\w.]+[^\s'\")]*", asset_text(name)))
        assert urls <= {"http://www.w3.org/2000/svg"}


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
    assert row_of(Entry("a", False, 0, moment), {}).modified == date


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
    assert json.loads(as_json(Folder("x/y/", listing), View())) == {
        "path": "/x/y/",
        "truncated": True,
        "entries": [
            {"name": "d", "url": "d/", "kind": "directory", "size": None, "modified": None},
            {"name": "a:b", "url": "a%3Ab", "kind": "file", "size": 7, "modified": "1970-01-01T00:00:00Z"},
            {"name": "\ufffd", "url": "%FF", "kind": "file", "size": None, "modified": None},
        ],
    }


def test_json_has_the_digest_that_is_known() -> None:
    (entry,) = json.loads(as_json(Folder("", Listing((Entry("a", False, digest=b"\xab" * 32),))), View()))["entries"]
    assert entry["digest"] == f"sha256:{'ab' * 32}"


def test_json_of_a_part_has_the_url_of_the_next_one() -> None:
    document = json.loads(as_json(Folder("", _of("a b", "c", truncated=True)), View.parse(b"limit=1&sort=size")))
    assert (document["next"], document["truncated"]) == ("?sort=size&after=a%20b&limit=1&json", False)


@pytest.mark.parametrize(
    ("query", "buttons"),
    [
        (b"limit=1", [("Next page", "a")]),
        (b"limit=1&after=a", [("Previous page", None), ("Next page", "b")]),
        (b"limit=1&after=b", [("First page", None), ("Previous page", "a"), ("Next page", "c")]),
        (b"limit=1&after=c", [("First page", None), ("Previous page", "b")]),
    ],
)
def test_a_page_leads_to_the_first_the_previous_and_the_next_one(
    query: bytes, buttons: list[tuple[str, str | None]]
) -> None:
    html = as_html(Folder("", _of("a", "b", "c", "d"), base=""), View.parse(query)).decode()
    (pages,) = re.findall(r'<form class="pages">(.*)</form>', html)
    shown = re.findall(r'<button(?: name="after" value="(.*?)")?>(.*?)</button>', pages)
    assert [(label, after or None) for after, label in shown] == buttons
    assert '<input type="hidden" name="limit" value="1">' in pages


def test_a_real_directory_is_listed_with_names_of_any_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).touch()
    names = os.listdir(tmp_path)
    assert read(_html("", _of(*names))).names == ["\ufffd"]
