"""RFC 6266 and RFC 8187, read with the standard library's parser (old clients) and Werkzeug's (new ones)."""

import re
import unicodedata
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from async_downloads.semantics.disposition import Disposition, content_disposition

# What a field can carry of a name: neither controls nor lone surrogates (RFC 8187 §3.2 encodes characters as UTF-8).
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)
ascii_names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="%"), min_size=1)


def old_name(value: str) -> str | None:
    """Return the name that a client without RFC 8187 saves under."""
    message = Message()
    message["Content-Disposition"] = value.partition("; filename*=")[0]
    return message.get_filename()


def new_name(value: str) -> str | None:
    """Return the name that a client with RFC 8187 saves under."""
    return parse_options_header(value)[1].get("filename")


@pytest.mark.parametrize(
    ("disposition", "filename", "value"),
    [
        pytest.param("attachment", "example.html", "attachment; filename=example.html", id="RFC 6266 §5 a token"),
        pytest.param(
            "inline", "an example.html", 'inline; filename="an example.html"', id="RFC 6266 §5 a quoted-string"
        ),
        pytest.param(
            "attachment",
            "€ rates",
            "attachment; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates",
            id="RFC 6266 §5 both, the fallback first",
        ),
        pytest.param(
            "attachment",
            "£ and € rates",
            "attachment; filename=\"_ and _ rates\"; filename*=UTF-8''%C2%A3%20and%20%E2%82%AC%20rates",
            id="RFC 8187 §3.2.3 percent-encoded UTF-8",
        ),
        pytest.param(
            "attachment",
            "100%41.txt",
            "attachment; filename=100%41.txt; filename*=UTF-8''100%2541.txt",
            id="RFC 6266 appendix D both for a percent sign",
        ),
        pytest.param("inline", None, "inline", id="RFC 6266 §4.2 no name"),
        pytest.param("attachment", "", 'attachment; filename=""', id="RFC 6266 §4.3 an empty name"),
    ],
)
def test_the_field_is_written_by_the_grammar(disposition: Disposition, filename: str | None, value: str) -> None:
    assert content_disposition(disposition, filename) == value


@pytest.mark.parametrize(
    ("filename", "old", "new"),
    [
        pytest.param('a"b.txt', 'a"b.txt', 'a"b.txt', id="§5.6.4 a quote does not end the name"),
        pytest.param("a\\b.txt", "a\\b.txt", "a\\b.txt", id="§5.6.4 a backslash escapes nothing"),
        pytest.param('"; filename=evil', '"; filename=evil', '"; filename=evil', id="RFC 6266 §7 no second name"),
        pytest.param("a\r\nSet-Cookie: b", "a__Set-Cookie: b", "a__Set-Cookie: b", id="§5.5 no second field"),
        pytest.param("a\0b", "a_b", "a_b", id="§5.5 no NUL"),
        pytest.param("a\x85b", "a_b", "a_b", id="§5.5 no control beyond ASCII"),
        pytest.param("a\ud800b", "a_b", "a_b", id="RFC 8187 §3.2 no lone surrogate"),
        pytest.param("naïve.txt", "naive.txt", "naïve.txt", id="RFC 6266 §4.3 accents fall off the fallback"),
        pytest.param(
            "．．／x", "___x", "．．／x", id="RFC 6266 §4.3 what only looks like a separator does not become one"
        ),
        pytest.param("日本.pdf", "__.pdf", "日本.pdf", id="RFC 6266 §4.3 other scripts become underscores"),
        pytest.param("🎉.zip", "_.zip", "🎉.zip", id="RFC 8187 §3.2 beyond the basic plane"),
    ],
)
def test_a_hostile_or_foreign_name_is_read_as(filename: str, old: str, new: str) -> None:
    value = content_disposition("attachment", filename)
    assert (old_name(value), new_name(value)) == (old, new)


@given(names)
def test_a_name_survives_the_field(name: str) -> None:
    assert new_name(content_disposition("attachment", name)) == name


@given(ascii_names)
def test_a_name_in_ascii_survives_for_old_clients(name: str) -> None:
    assert old_name(content_disposition("attachment", name)) == name.strip()  # which `get_filename` does


@given(st.text() | st.text(st.sampled_from('"\\;=%*\r\n\0\x7f\u2028 a')))
def test_no_name_leaves_the_printable_part_of_ascii(name: str) -> None:
    assert re.fullmatch(r"[\x20-\x7e]*", content_disposition("inline", name))


@given(st.text())
def test_the_disposition_stays_what_it_is(name: str) -> None:
    assert parse_options_header(content_disposition("inline", name))[0] == "inline"


@given(names.filter(lambda name: not name.isascii()))
def test_the_extended_name_holds_attr_chars_alone(name: str) -> None:
    extended = content_disposition("inline", name).partition("filename*=UTF-8''")[2]
    assert re.fullmatch(r"([!#$&+.^_`|~0-9A-Za-z-]|%[0-9A-F]{2})+", extended)


@given(names)
def test_the_fallback_comes_first(name: str) -> None:
    assert content_disposition("inline", name).startswith("inline; filename=")


def test_an_accent_apart_from_its_letter_falls_off_too() -> None:
    assert old_name(content_disposition("inline", unicodedata.normalize("NFD", "naïve"))) == "naive"


def test_work_grows_no_faster_than_the_name(hostile: str) -> None:
    content_disposition("attachment", hostile)
