"""Names as people read them: in natural order, with marks in the place of characters that deceive."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.site.names import NamePart, labelled, marked, natural_key

_NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=20)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["file 2", "file 10", "file 100"], id="numbers"),
        pytest.param(["a", "B", "c"], id="capitals"),
        pytest.param(["1.9.txt", "1.10.txt"], id="versions"),
        pytest.param(["2", "10", "a"], id="numbers-before-letters"),
        pytest.param(["a", "a1", "a1b", "a2"], id="prefixes"),
        pytest.param(["A07", "a7", "a8"], id="leading-zeros-have-the-same-value"),
        pytest.param(["x0", "x1"], id="zero"),
        pytest.param(["v" + "9" * 254, "v1" + "0" * 254], id="long-numbers"),
    ],
)
def test_names_sort_as_people_sort_them(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(backwards, key=natural_key) == names


@given(_NAMES, _NAMES)
def test_two_names_have_the_same_key_only_if_they_are_the_same(one: str, other: str) -> None:
    assert (natural_key(one) == natural_key(other)) == (one == other)


@given(st.lists(st.integers(0, 10**30), min_size=2, unique=True), st.text("ab", max_size=3))
def test_numbers_sort_by_their_value(numbers: list[int], prefix: str) -> None:
    keys = [natural_key(f"{prefix}{number}.txt") for number in sorted(numbers)]
    assert all(first < second for first, second in pairwise(keys))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("plain.txt", "plain.txt", id="plain"),
        pytest.param("rtl\u202egpj.exe", "rtl<U+202E>gpj.exe", id="turned-direction"),
        pytest.param("two\nlines", "two<U+000A>lines", id="newline"),
        pytest.param("\x1b[31m", "<U+001B>[31m", id="escape"),
        pytest.param("a\u200bb", "a<U+200B>b", id="zero-width-space"),
        pytest.param("a\u2028", "a<U+2028>", id="line-separator"),
        pytest.param("\u3164", "<U+3164>", id="letter-without-ink"),
        pytest.param("\U000e0041", "<U+E0041>", id="tag"),
        pytest.param("naïve 日本 🎈", "naïve 日本 🎈", id="unicode"),
        pytest.param("👩\u200d🚀", "👩\u200d🚀", id="joined-emoji"),
        pytest.param("می\u200cخواهم", "می\u200cخواهم", id="persian"),
        pytest.param("שלום", "שלום", id="hebrew"),
    ],
)
def test_deceiving_characters_are_shown_as_marks(name: str, shown: str) -> None:
    assert labelled(name) == shown


@given(_NAMES)
def test_the_parts_have_every_character_of_the_name_once(name: str) -> None:
    parts = marked(name)
    characters = (chr(int(part.text.removeprefix("U+"), 16)) if part.is_mark else part.text for part in parts)
    assert "".join(characters) == name
    assert not [part for part in parts if not part.is_mark and {"Cc", "Cf"} & _categories(part)]


def _categories(part: NamePart) -> set[str]:
    return {unicodedata.category(each) for each in part.text if each not in "\u200c\u200d"}
