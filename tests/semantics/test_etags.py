"""RFC 9110 §8.8.3, §13.1.1 and §13.1.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.etags import ANY, ETag, ETags, any_match, parse_etags

XYZZY, WEAK_XYZZY = ETag("xyzzy"), ETag("xyzzy", weak=True)

etagc = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f')
tags = st.builds(ETag, st.text(etagc), st.booleans())


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [
        pytest.param('W/"1"', 'W/"1"', False, True, id='§8.8.3.2 W/"1" W/"1"'),
        pytest.param('W/"1"', 'W/"2"', False, False, id='§8.8.3.2 W/"1" W/"2"'),
        pytest.param('W/"1"', '"1"', False, True, id='§8.8.3.2 W/"1" "1"'),
        pytest.param('"1"', '"1"', True, True, id='§8.8.3.2 "1" "1"'),
    ],
)
def test_the_table_of_comparisons(one: str, other: str, *, strong: bool, weak: bool) -> None:
    first, second = ETag.parse(one), ETag.parse(other)
    assert first
    assert (first.strongly_equals(second), first.weakly_equals(second)) == (strong, weak)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        pytest.param('"xyzzy"', XYZZY, id='§8.8.3 "xyzzy"'),
        pytest.param('W/"xyzzy"', WEAK_XYZZY, id='§8.8.3 W/"xyzzy"'),
        pytest.param('""', ETag(""), id='§8.8.3 ""'),
        pytest.param('"a,b"', ETag("a,b"), id="§8.8.3 a comma is an etagc"),
        pytest.param('"a\\"', ETag("a\\"), id="§8.8.3 a backslash escapes nothing"),
        pytest.param('"\xe9"', ETag("\xe9"), id="§8.8.3 obs-text"),
        pytest.param("xyzzy", None, id="§8.8.3 unquoted"),
        pytest.param('w/"xyzzy"', None, id="§8.8.3 the weak mark is case-sensitive"),
        pytest.param('W/ "xyzzy"', None, id="§8.8.3 a space after the mark"),
        pytest.param('"a b"', None, id="§8.8.3 a space inside"),
        pytest.param('"a\x7f"', None, id="§8.8.3 DEL inside"),
        pytest.param('"a"b"', None, id="§8.8.3 a quote inside"),
        pytest.param('"xyzzy', None, id="§8.8.3 an open quote"),
        pytest.param('"xyzzy"\n', None, id="§8.8.3 a line break after it"),
        pytest.param('"€"', None, id="§8.8.3 beyond what a field can carry"),
        pytest.param("", None, id="§8.8.3 nothing"),
    ],
)
def test_one_tag_is_read_strictly(value: str, tag: ETag | None) -> None:
    assert ETag.parse(value) == tag


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        pytest.param('"xyzzy"', (XYZZY,), id="§13.1.1 one"),
        pytest.param(
            '"xyzzy", "r2d2xxxx", "c3piozzzz"', (XYZZY, ETag("r2d2xxxx"), ETag("c3piozzzz")), id="§13.1.1 three"
        ),
        pytest.param("*", ANY, id="§13.1.1 any"),
        pytest.param(" *\t", ANY, id="§13.1.1 any, with whitespace"),
        pytest.param('W/"xyzzy"', (WEAK_XYZZY,), id="§13.1.2 a weak one"),
        pytest.param('W/"xyzzy", W/"r2d2xxxx"', (WEAK_XYZZY, ETag("r2d2xxxx", weak=True)), id="§13.1.2 weak ones"),
        pytest.param('"a" , ,"b",', (ETag("a"), ETag("b")), id="§5.6.1.2 empty elements"),
        pytest.param(',"a"', (ETag("a"),), id="§5.6.1.2 an empty element in front"),
        pytest.param('"a,b","c"', (ETag("a,b"), ETag("c")), id="§8.8.3 a comma inside a tag"),
        pytest.param('"*"', (ETag("*"),), id="§13.1.1 a tag that is a star"),
        pytest.param("", (), id="§5.6.1.3 an empty list"),
        pytest.param(",   ,", (), id="§5.6.1.3 a list of empty members"),
        pytest.param('*, "a"', (ETag("a"),), id="§13.1.1 any is no member"),
        pytest.param("**", (), id="§13.1.1 two stars"),
        pytest.param('"a" "b"', (), id="§5.6.1 no comma"),
        pytest.param('"a" "b", "c"', (ETag("c"),), id="§5.6.1 a comma too late"),
        pytest.param('"a", b', (ETag("a"),), id="§13.1.1 an unquoted member behind"),
        pytest.param('b, "a"', (ETag("a"),), id="§13.1.1 an unquoted member in front"),
        pytest.param('"a", "b', (ETag("a"),), id="§13.1.1 an open quote behind"),
        pytest.param('w/"a", "b"', (ETag("b"),), id="§8.8.3 the mark of a weak tag is a capital letter"),
        pytest.param('W/ "a"', (), id="§8.8.3 a space in a weak tag"),
        pytest.param('"a b", "c"', (ETag("c"),), id="§8.8.3 a space in a tag"),
    ],
)
def test_the_good_members_of_a_list_of_tags_count(value: str, wanted: ETags) -> None:
    assert parse_etags(value) == wanted


@pytest.mark.parametrize("member", ['"a",', "a,", ",", " ,", 'W/"",'])
def test_a_list_of_64_kib_is_read_up_to_the_256th_member(member: str) -> None:
    value = member * (65_536 // len(member)) + '"last"'
    assert set(parse_etags(value)) <= {ETag("a"), ETag("", weak=True)}
    assert len(parse_etags(value)) in {0, 256}
    assert ETag("last") in parse_etags(member * 255 + '"last"')


@pytest.mark.parametrize(
    ("wanted", "current", "strong", "matches"),
    [
        pytest.param(ANY, None, True, True, id="§13.1.1 any matches a representation without a tag"),
        pytest.param(ANY, WEAK_XYZZY, True, True, id="§13.1.1 any matches a weak tag"),
        pytest.param((XYZZY,), None, False, False, id="§13.1.1 a tag matches none that is missing"),
        pytest.param((ETag("a"), XYZZY), XYZZY, True, True, id="§13.1.1 one of several"),
        pytest.param((WEAK_XYZZY,), WEAK_XYZZY, True, False, id="§13.1.1 a weak tag is not strong"),
        pytest.param((WEAK_XYZZY,), XYZZY, False, True, id="§13.1.2 weak comparison"),
        pytest.param((ETag("a"),), XYZZY, False, False, id="§13.1.2 another tag"),
    ],
)
def test_a_list_matches_by_the_comparison_asked_for(
    wanted: ETags, current: ETag | None, *, strong: bool, matches: bool
) -> None:
    assert any_match(wanted, current, strong=strong) is matches


@pytest.mark.parametrize("opaque", ['a"b', "a b", "a\r\n", "\x7f", "日本"])
def test_a_tag_that_no_field_can_carry_is_refused(opaque: str) -> None:
    with pytest.raises(ValueError, match="entity tag"):
        ETag(opaque)


@given(tags)
def test_a_written_tag_is_read_back(tag: ETag) -> None:
    assert ETag.parse(str(tag)) == tag


@given(st.lists(tags, min_size=1))
def test_a_written_list_is_read_back(several: list[ETag]) -> None:
    assert parse_etags(", ".join(map(str, several))) == tuple(several)


@given(tags, tags)
def test_strong_equality_implies_weak(one: ETag, other: ETag) -> None:
    assert one.weakly_equals(other) or not one.strongly_equals(other)


@given(tags)
def test_a_tag_strongly_equals_itself_unless_it_is_weak(tag: ETag) -> None:
    assert tag.strongly_equals(ETag(tag.opaque, tag.weak)) is not tag.weak


@given(tags, tags)
def test_comparison_is_symmetric(one: ETag, other: ETag) -> None:
    assert one.strongly_equals(other) == other.strongly_equals(one)
    assert one.weakly_equals(other) == other.weakly_equals(one)


@given(tags)
def test_a_tag_equals_none_that_is_missing(tag: ETag) -> None:
    assert not tag.strongly_equals(None)
    assert not tag.weakly_equals(None)


@given(st.text() | st.from_regex(r'[W/" ,a*]+', fullmatch=True))
def test_no_text_raises(value: str) -> None:
    ETag.parse(value)
    parse_etags(value)


def test_work_grows_no_faster_than_the_field(hostile: str) -> None:
    assert ETag.parse(hostile) is None
    parse_etags(hostile)
