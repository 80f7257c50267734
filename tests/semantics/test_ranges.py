"""RFC 9110 §14.1, §14.2 and §14.4."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.ranges import ByteRange, ContentRange, RangeSpec, parse_range, resolve

LIMIT = 64
LARGEST = 2**63 - 1

positions = st.integers(0, 40)
specs = st.builds(RangeSpec, st.none(), positions) | st.builds(
    lambda first, more: RangeSpec(first, None if more is None else first + more),
    positions,
    st.none() | st.integers(0, 5),
)
spans = st.builds(
    lambda start, more: ByteRange(start, start + more), st.integers(0, LARGEST // 2), st.integers(1, 10**9)
)


def asked(value: str, size: int) -> tuple[tuple[int, int], ...] | None:
    """Return the first and last byte of each requested range, or None if the field is ignored."""
    found = parse_range(value, limit=LIMIT)
    return None if found is None else tuple((span.start, span.stop - 1) for span in resolve(found, size))


def selected(spec: RangeSpec, size: int) -> set[int]:
    """Return the positions that one range selects, by the text of §14.1.2."""
    if spec.first is None:
        return set(range(size)[-spec.last :]) if spec.last else set()
    return {at for at in range(size) if spec.first <= at and (spec.last is None or at <= spec.last)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("bytes=0-499", ((0, 499),), id="§14.1.2 the first 500 bytes"),
        pytest.param("bytes=500-999", ((500, 999),), id="§14.1.2 the second 500 bytes"),
        pytest.param("bytes=-500", ((9500, 9999),), id="§14.1.2 the final 500 bytes, a suffix"),
        pytest.param("bytes=9500-", ((9500, 9999),), id="§14.1.2 the final 500 bytes, from a position"),
        pytest.param("bytes=0-0,-1", ((0, 0), (9999, 9999)), id="§14.1.2 the first and last bytes only"),
        pytest.param(
            "bytes= 0-999, 4500-5499, -1000", ((0, 999), (4500, 5499), (9000, 9999)), id="§14.1.2 first, middle, last"
        ),
        pytest.param("bytes=500-600,601-999", ((500, 999),), id="§14.1.2 the second 500 bytes, touching"),
        pytest.param("bytes=500-700,601-999", ((500, 999),), id="§14.1.2 the second 500 bytes, overlapping"),
        pytest.param("bytes=9999-", ((9999, 9999),), id="§14.1.2 the last byte"),
        pytest.param("bytes=0-99999", ((0, 9999),), id="§14.1.2 a last position beyond the end"),
        pytest.param("bytes=-99999", ((0, 9999),), id="§14.1.2 a suffix longer than the whole"),
        pytest.param("bytes=10000-", (), id="§14.1.2 a first position at the end is unsatisfiable"),
        pytest.param("bytes=-0", (), id="§14.1.2 an empty suffix is unsatisfiable"),
        pytest.param("bytes=-0,10000-,0-0", ((0, 0),), id="§15.5.17 one that can be satisfied is enough"),
        pytest.param("bytes=5-9,0-4", ((0, 9),), id="§15.3.7.2 touching ones are coalesced"),
        pytest.param("bytes=5-9,20-29,0-4", ((0, 9), (20, 29)), id="§15.3.7.2 in the place of the first of them"),
        pytest.param("bytes=9000-,0-9", ((9000, 9999), (0, 9)), id="§15.3.7.2 in the order asked"),
        pytest.param("BYTES=0-0", ((0, 0),), id="§14.1 units are case-insensitive"),
        pytest.param("bytes=,0-0, ,\t5-5,", ((0, 0), (5, 5)), id="§5.6.1.2 empty elements"),
        pytest.param("bytes=0007-0009", ((7, 9),), id="§14.1.2 leading zeros"),
        pytest.param(f"bytes=0-{'9' * 500}", ((0, 9999),), id="§14.1.2 digits of any length"),
        pytest.param(f"bytes={'9' * 500}-", (), id="§14.1.2 a far-away first position"),
        pytest.param(f"bytes={'0' * 500}1-1", ((1, 1),), id="§14.1.2 zeros of any length"),
    ],
)
def test_a_range_of_ten_thousand_bytes_selects(value: str, expected: tuple[tuple[int, int], ...]) -> None:
    assert asked(value, 10_000) == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("lines=0-9", id="§14.2 an unknown unit"),
        pytest.param("none=0-9", id="§14.3 none is no unit"),
        pytest.param("bytes", id="§14.2 no set"),
        pytest.param("bytes:0-9", id="§14.2 no equals sign"),
        pytest.param("bytes =0-9", id="§14.2 a space after the unit"),
        pytest.param(" bytes=0-9", id="§14.2 a space before the unit"),
        pytest.param("", id="§14.2 nothing"),
        pytest.param("bytes=", id="§14.1.1 an empty set"),
        pytest.param("bytes=, ,", id="§14.1.1 a set of empty elements"),
        pytest.param("bytes=-", id="§14.1.1 no position"),
        pytest.param("bytes=9-0", id="§14.1.1 the last before the first"),
        pytest.param(f"bytes={'9' * 30}-{'9' * 29}8", id="§14.1.1 the last before the first, both far away"),
        pytest.param("bytes=0-0,9-0", id="§14.1.1 one invalid among valid ones"),
        pytest.param("bytes=0", id="§14.1.1 no dash"),
        pytest.param("bytes=0-1-2", id="§14.1.1 two dashes"),
        pytest.param("bytes=--1", id="§14.1.1 a negative suffix"),
        pytest.param("bytes=+0-1", id="§14.1.1 a sign"),
        pytest.param("bytes=0 - 9", id="§14.1.1 spaces around the dash"),
        pytest.param("bytes=0x0-9", id="§14.1.1 hexadecimal"),
        pytest.param("bytes=1_0-20", id="§14.1.1 an underscore"),
        pytest.param("bytes=\u0660-\u0669", id="§14.1.1 digits beyond ASCII"),
        pytest.param("bytes=0-9;1-2", id="§14.1.1 another separator"),
        pytest.param("bytes=0-9\n", id="§14.1.1 a line break"),
        pytest.param("bytes=0-9, bytes=20-29", id="§5.3 the field twice"),
    ],
)
def test_a_malformed_range_is_ignored(value: str) -> None:
    assert parse_range(value, limit=LIMIT) is None


@pytest.mark.parametrize(
    ("count", "taken"),
    [pytest.param(LIMIT, True, id="§17.15 at the limit"), pytest.param(LIMIT + 1, False, id="§17.15 beyond it")],
)
def test_more_ranges_than_the_limit_are_ignored(count: int, *, taken: bool) -> None:
    assert (parse_range("bytes=" + ",".join(["0-0"] * count), limit=LIMIT) is not None) is taken


def test_as_many_empty_members_as_ranges_are_ignored() -> None:
    assert parse_range("bytes=" + ",,".join(["0-0"] * LIMIT), limit=LIMIT) is not None  # §5.6.1.2
    assert parse_range("bytes=" + "," * 2 * LIMIT + "0-0", limit=LIMIT) is None


@pytest.mark.parametrize(
    ("value", "span", "size"),
    [
        pytest.param("bytes 42-1233/1234", ByteRange(42, 1234), 1234, id="§14.4 the complete length is known"),
        pytest.param("bytes 42-1233/*", ByteRange(42, 1234), None, id="§14.4 the complete length is unknown"),
        pytest.param("bytes */1234", None, 1234, id="§14.4 unsatisfied"),
        pytest.param("bytes 0-499/1234", ByteRange(0, 500), 1234, id="§14.4 the first 500 bytes"),
        pytest.param("bytes 500-999/1234", ByteRange(500, 1000), 1234, id="§14.4 the second 500 bytes"),
        pytest.param("bytes 500-1233/1234", ByteRange(500, 1234), 1234, id="§14.4 all but the first 500 bytes"),
        pytest.param("bytes 734-1233/1234", ByteRange(734, 1234), 1234, id="§14.4 the last 500 bytes"),
        pytest.param("bytes 21010-47021/47022", ByteRange(21010, 47022), 47022, id="§15.3.7.1 a single part"),
        pytest.param("bytes */47022", None, 47022, id="§15.5.17 the current length"),
        pytest.param("bytes */0", None, 0, id="§14.4 an empty representation"),
    ],
)
def test_a_content_range_says_which_bytes_of_how_many(value: str, span: ByteRange | None, size: int | None) -> None:
    assert ContentRange.parse(value) == ContentRange(span, size)
    assert str(ContentRange(span, size)) == value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("bytes 9-0/10", id="§14.4 the last before the first"),
        pytest.param("bytes 0-10/10", id="§14.4 the last beyond the complete length"),
        pytest.param("bytes */*", id="§14.4 nothing known"),
        pytest.param(f"bytes 0-{2**63 - 1}/{2**63}", id="§14.4 more than there can be"),
        pytest.param("bytes 0-9", id="§14.4 no complete length"),
        pytest.param("bytes 0-/10", id="§14.4 no last position"),
        pytest.param("bytes=0-9/10", id="§14.4 written as a Range"),
        pytest.param("lines 0-9/10", id="§14.4 another unit"),
        pytest.param("bytes 0-9/10, bytes 20-29/30", id="§14.4 two of them"),
        pytest.param("bytes \u0660-\u0669/10", id="§14.4 digits beyond ASCII"),
        pytest.param("", id="§14.4 nothing"),
    ],
)
def test_an_invalid_content_range_is_absent(value: str) -> None:
    assert ContentRange.parse(value) is None


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (5, 5), (5, 4), (-1, 1)])
def test_a_byte_range_is_never_empty_or_negative(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="range of bytes"):
        ByteRange(start, stop)


@given(st.builds(ContentRange, spans, st.none()) | st.builds(ContentRange, st.none(), st.integers(0, LARGEST)))
def test_a_written_content_range_is_read_back(content_range: ContentRange) -> None:
    assert ContentRange.parse(str(content_range)) == content_range


@given(spans, st.integers(0, 10**9))
def test_a_written_content_range_of_a_known_size_is_read_back(span: ByteRange, more: int) -> None:
    content_range = ContentRange(span, span.stop + more)
    assert ContentRange.parse(str(content_range)) == content_range


@given(st.lists(specs), positions)
def test_resolved_ranges_cover_exactly_the_requested_bytes(several: list[RangeSpec], size: int) -> None:
    covered = {at for span in resolve(several, size) for at in range(span.start, span.stop)}
    assert covered == set().union(*(selected(spec, size) for spec in several))


@given(st.lists(specs), positions)
def test_resolved_ranges_never_touch(several: list[RangeSpec], size: int) -> None:
    ordered = sorted(resolve(several, size), key=lambda span: span.start)
    assert all(left.stop < right.start for left, right in pairwise(ordered))


@given(st.lists(specs), positions)
def test_resolved_ranges_are_in_the_requested_order(several: list[RangeSpec], size: int) -> None:
    chosen = [selected(spec, size) for spec in several]
    resolved = [set(range(span.start, span.stop)) for span in resolve(several, size)]
    first_requested = [min(place for place, one in enumerate(chosen) if one & span) for span in resolved]
    assert first_requested == sorted(first_requested)


@given(st.lists(st.builds(RangeSpec, st.none(), st.integers(0, LARGEST)) | specs), st.integers(0, LARGEST))
def test_resolved_ranges_are_inside_the_representation(several: list[RangeSpec], size: int) -> None:
    assert all(0 <= span.start < span.stop <= size for span in resolve(several, size))


@given(st.lists(specs, min_size=1, max_size=LIMIT))
def test_a_written_range_is_read_back(several: list[RangeSpec]) -> None:
    text = ",".join("-".join("" if end is None else str(end) for end in spec) for spec in several)
    assert parse_range(f"bytes={text}", limit=LIMIT) == tuple(several)


@given(st.text() | st.from_regex(r"bytes[= ][-0-9,*/ ]*", fullmatch=True), st.integers(0, LARGEST))
def test_no_text_raises(value: str, size: int) -> None:
    ContentRange.parse(value)
    resolve(parse_range(value, limit=LIMIT) or (), size)


def test_work_grows_no_faster_than_the_field(hostile: str) -> None:
    ContentRange.parse(hostile)
    resolve(parse_range(hostile, limit=len(hostile)) or (), 10_000)
