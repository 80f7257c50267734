"""RFC 6266 and RFC 8187, read with the standard library's parser (old clients) and Werkzeug's (new ones)."""

import re
import unicodedata
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from async_downloads.semantics.disposition import Disposition, content_disposition, parse_filename

# A field can hold neither controls nor lone surrogates (RFC 8187 §3.2 encodes characters as UTF-8).
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


@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param("Attachment; filename=example.html", "example.html", id="RFC 6266 §5 a token"),
        pytest.param('INLINE; FILENAME= "an example.html"', "an example.html", id="RFC 6266 §5 any case, a space"),
        pytest.param("attachment; filename*= UTF-8''%e2%82%ac%20rates", "€ rates", id="RFC 6266 §5 extended"),
        pytest.param(
            "attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates",
            "€ rates",
            id="RFC 6266 §5 both, the fallback first",
        ),
        pytest.param("a; filename*=utf-8''b; filename=c", "b", id="RFC 6266 §4.3 the order means nothing"),
        pytest.param("a; filename*=iso-8859-1'en'%A3%20rates", "£ rates", id="RFC 8187 §3.2.3 ISO-8859-1, English"),
        pytest.param("a; filename*=UTF-8''%c2%a3%20and%20%e2%82%ac%20rates", "£ and € rates", id="RFC 8187 §3.2.3"),
        pytest.param("a; filename=b; filename*=UTF-8''%ff", "b", id="RFC 8187 §3.2.1 no UTF-8"),
        pytest.param("a; filename=b; filename*=UTF-16''%00c", "b", id="RFC 8187 §3.2.1 another charset"),
        pytest.param("a; filename=b; filename*=c", "b", id="RFC 8187 §3.2 no ext-value"),
        pytest.param("a; filename=b; filename*=UTF-8''%4", "b", id="RFC 8187 §3.2 half an escape"),
        pytest.param("a; filename=b; filename*=\"UTF-8''%\"", "b", id="RFC 8187 §3.2 quoted, and none"),
        pytest.param("a; filename*=UTF-8''", "", id="RFC 8187 §3.2 an empty name"),
        pytest.param('a; filename="\\"b\\\\c\\d"', '"b\\cd', id="§5.6.4 a quoted-pair is what is quoted"),
        pytest.param('a; filename="x; filename=y"', "x; filename=y", id="§5.6.4 a semicolon in quotes"),
        pytest.param('a; filename="é日"', "é日", id="§5.5 obs-text"),
        pytest.param("a; filename=%41", "%41", id="RFC 6266 appendix D a percent sign is one"),
        pytest.param("a ;\t;size=1; filename=b;", "b", id="§5.6.6 empty parameters, and others"),
        pytest.param("attachment", None, id="RFC 6266 §4.1 no parameter"),
        pytest.param("", None, id="RFC 6266 §4.1 nothing"),
        pytest.param("filename=a", None, id="RFC 6266 §4.1 no disposition"),
        pytest.param('"a"; filename=b', None, id="RFC 6266 §4.1 a disposition in quotes"),
        pytest.param("a; filename=b; filename=c", None, id="RFC 6266 §4.1 a parameter twice"),
        pytest.param("a; filename=b c", None, id="§5.6.2 a space in a token"),
        pytest.param("a; filename=b, a; filename=c", None, id="§5.3 two fields"),
        pytest.param("a; filename=", None, id="§5.6.6 no value"),
        pytest.param("a; filename", None, id="§5.6.6 no equals sign"),
        pytest.param('a; filename="b', None, id="§5.6.4 no closing quote"),
        pytest.param('a; filename="b\\"', None, id="§5.6.4 a closing quote that is quoted"),
        pytest.param('a; filename="b\nc"', None, id="§5.6.4 a control"),
        pytest.param("a filename=b", None, id="RFC 6266 §4.1 no semicolon"),
    ],
)
def test_the_name_that_a_field_suggests_is(value: str, name: str | None) -> None:
    assert parse_filename(value) == name


@given(st.sampled_from(["inline", "attachment"]), names | st.just(""))
def test_a_written_name_is_read_back(disposition: Disposition, name: str) -> None:
    assert parse_filename(content_disposition(disposition, name)) == name


@given(st.text(st.sampled_from("a;=\"\\ '%*e2-")) | st.text())
def test_a_name_is_read_or_not_whatever_the_field(text: str) -> None:
    assert parse_filename(f"a; filename={text}") is None or text


def test_work_grows_no_faster_than_the_name(hostile: str) -> None:
    content_disposition("attachment", hostile)


@pytest.mark.parametrize("before", ["", "a; filename=", 'a; filename="', "a; filename*=UTF-8''"])
def test_work_grows_no_faster_than_the_field(before: str, hostile: str) -> None:
    parse_filename(before + hostile)
