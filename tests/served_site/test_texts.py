"""Texts as HTML: encodings, colours, numbers of lines, and subtitles."""

from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.site.texts import coloured, coloured_as, decoded, numbered, vtt_of

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=60)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("naïve 日本".encode(), "naïve 日本"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("marked ü".encode("utf-16"), "marked ü"),
        (b"\xfe\xff\0a", "a"),
        (b"caf\xe9 \x80", "café €"),
        ("Grüße, café".encode()[:-1], "Grüße, caf\ufffd"),
        ("a mark: \ufffd".encode(), "a mark: \ufffd"),
        (b"PK\x03\x04\0\0", None),
    ],
)
def test_a_text_is_decoded_by_its_mark_or_as_utf_8_or_else_as_windows_1252(data: bytes, text: str | None) -> None:
    assert decoded(data) == text


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", ["a.py", "a.json", "a.html", "a.txt", "noext", "a.c"])
@given(text=_TEXTS)
def test_colours_change_no_character_and_allow_no_markup(name: str, text: str) -> None:
    shown = _Text()
    shown.feed(numbered(coloured(name, text)))
    shown.close()
    assert shown.text.rstrip("\n") == text.rstrip("\n")
    assert shown.tags <= {"span"}


def test_a_language_has_colours_and_an_unknown_one_has_none() -> None:
    assert 'class="k"' in coloured_as("python", "def f(): pass")
    assert 'class="k"' in coloured("f.py", "def f(): pass")
    assert coloured_as("no such language", "<b>") == "&lt;b&gt;"
    assert unescape(coloured("notes.txt", "def <f>")) == "def <f>"


def test_each_line_has_a_number() -> None:
    assert numbered("a\n\nb\n") == '<span id="L1">a\n</span><span id="L2">\n</span><span id="L3">b\n</span>'


def test_subtitles_become_webvtt() -> None:
    srt = (
        "\r\n1\r\n00:00:01,500 --> 00:00:04,5  X1:40\r\n<font color=red>Hello</font> <i>you</i>\r\n\r\n"
        "2\r\n1:02:03.004 --> 100:02:03,004\r\n{\\an8}a --> b\r\n"
    )
    assert vtt_of(srt) == (
        "WEBVTT\n\n1\n00:00:01.500 --> 00:00:04.500\nHello <i>you</i>\n\n2\n01:02:03.004 --> 100:02:03.004\na → b\n"
    )
