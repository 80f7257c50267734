"""RFC 9110 §12.5.3, with the weights of §12.4.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.codings import acceptable

OFFERED = ("br", "gzip", "compress")

weights = st.integers(0, 1000).map(lambda thousandths: f"{thousandths / 1000:.3f}")
elements = st.builds("{};q={}".format, st.sampled_from([*OFFERED, "zstd", "*", "identity"]), weights)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("compress, gzip", ("gzip", "compress"), id="§12.5.3 two of equal weight, as they are offered"),
        pytest.param("", (), id="§12.5.3 empty: no coding"),
        pytest.param("*", OFFERED, id="§12.5.3 any coding"),
        pytest.param("compress;q=0.5, gzip;q=1.0", ("gzip", "compress"), id="§12.5.3 by weight"),
        pytest.param("gzip;q=1.0, identity; q=0.5, *;q=0", ("gzip",), id="§12.5.3 all others refused"),
        pytest.param("identity", (), id="§12.5.3 identity alone"),
        pytest.param("identity, gzip;q=0.5", (), id="§12.5.3 none is liked better"),
        pytest.param("identity;q=0.5, gzip;q=0.5", ("gzip",), id="§12.5.3 none is liked no better"),
        pytest.param("*;q=0.1, br;q=0", ("gzip", "compress"), id="§12.5.3 the star is for those not listed"),
        pytest.param("gzip;q=0", (), id="§12.4.2 weight 0 is not acceptable"),
        pytest.param("gzip;q=0.000", (), id="§12.4.2 weight 0 with decimals"),
        pytest.param("gzip;q=0.001", ("gzip",), id="§12.4.2 the least weight"),
        pytest.param("br;q=0.5, gzip;q=0.501", ("gzip", "br"), id="§12.4.2 three decimals count"),
        pytest.param("gzip;Q=0.5", ("gzip",), id="§12.4.2 the parameter's name is case-insensitive"),
        pytest.param("gzip\t; \tq=1.", ("gzip",), id="§5.6.6 whitespace around the semicolon"),
        pytest.param("GZip", ("gzip",), id="§8.4.1 codings are case-insensitive"),
        pytest.param("x-gzip", ("gzip",), id="§8.4.1.3 x-gzip is gzip"),
        pytest.param(", gzip,, br,", ("br", "gzip"), id="§5.6.1.2 empty elements"),
        pytest.param("zstd, deflate", (), id="§12.5.3 none that is offered"),
    ],
)
def test_accepted_codings_are_ordered_by_weight(value: str, expected: tuple[str, ...]) -> None:
    assert acceptable(value, OFFERED) == expected


@pytest.mark.parametrize(
    "element",
    [
        pytest.param("gzip;q=2", id="§12.4.2 a weight above 1"),
        pytest.param("gzip;q=1.001", id="§12.4.2 a weight just above 1"),
        pytest.param("gzip;q=0.1234", id="§12.4.2 four decimals"),
        pytest.param("gzip;q=-1", id="§12.4.2 a negative weight"),
        pytest.param("gzip;q=", id="§12.4.2 no weight"),
        pytest.param("gzip;q=nan", id="§12.4.2 no number"),
        pytest.param("gzip;q=\u0660", id="§12.4.2 a digit beyond ASCII"),
        pytest.param("gzip;level=9", id="§12.5.3 another parameter"),
        pytest.param("gzip br", id="§12.5.3 no comma"),
        pytest.param('"gzip"', id="§5.6.2 no token"),
    ],
)
def test_a_malformed_element_is_ignored(element: str) -> None:
    assert acceptable(f"{element}, br", OFFERED) == ("br",)


def test_the_first_64_members_count() -> None:
    assert acceptable("a," * 63 + "br", OFFERED) == ("br",)
    assert acceptable("a," * 64 + "br", OFFERED) == acceptable("," * 64 + "br", OFFERED) == ()


@given(st.lists(elements), st.permutations(OFFERED))
def test_only_offered_codings_are_chosen_and_each_once(several: list[str], offered: list[str]) -> None:
    chosen = acceptable(",".join(several), offered)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(offered)


@given(st.lists(elements, unique_by=lambda element: element.partition(";")[0]))
def test_a_coding_that_is_refused_is_never_chosen(several: list[str]) -> None:
    refused = {coding for coding, _, weight in (element.partition(";q=") for element in several) if float(weight) == 0}
    assert not refused & set(acceptable(",".join(several), OFFERED))


@given(st.text() | st.from_regex(r"[a-z*,; =q.01]+", fullmatch=True))
def test_no_text_raises(value: str) -> None:
    acceptable(value, OFFERED)


def test_work_grows_no_faster_than_the_field(hostile: str) -> None:
    assert acceptable(hostile, ("br",)) == ()
