"""Laws that hold for every response, whatever the request says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.dates import format_date
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.plan import Plan, Policy
from async_downloads.semantics.representation import Representation, Validators
from semantics import wire
from semantics.asking import CONTENT, MODIFIED, NOW, PDF, ask, content_of

positions = st.integers(0, len(CONTENT) + 100)
range_specs = st.one_of(
    st.builds("{}-{}".format, positions, positions | st.just("")), st.builds("-{}".format, positions)
)
ranges = st.lists(range_specs, min_size=1, max_size=8).map(lambda specs: f"bytes={','.join(specs)}")
satisfiable = st.lists(st.integers(0, len(CONTENT) - 1), min_size=1, max_size=8).map(
    lambda starts: "bytes=" + ",".join(f"{start}-{start + 99}" for start in starts)
)
tags = st.sampled_from(['"v1"', 'W/"v1"', '"v2"', '"v1", "v2"', "*", "v1"])
dates = st.integers(MODIFIED - 1, MODIFIED + 1).map(format_date)

conditions = st.fixed_dictionaries(
    {},
    optional={
        "if-match": tags | st.text(),
        "if-none-match": tags | st.text(),
        "if-modified-since": dates | st.text(),
        "if-unmodified-since": dates | st.text(),
    },
)
requests = st.builds(
    dict.__or__,
    conditions,
    st.fixed_dictionaries({}, optional={"range": ranges | st.text(), "if-range": tags | dates | st.text()}),
)
validators = st.builds(
    Validators,
    st.sampled_from([None, ETag("v1"), ETag("v1", weak=True)]),
    st.sampled_from([None, MODIFIED, NOW, NOW + 1]),
)
representations = st.builds(
    replace, st.just(PDF), validators=validators, size=st.sampled_from([len(CONTENT), 0, None]), ranges=st.booleans()
)


def parts_of(response: Plan) -> list[wire.Part]:
    """Return the parts of a 206, which may have one or several."""
    described = dict(response.fields)
    if "Content-Range" in described:
        return [(described["Content-Type"], described["Content-Range"], content_of(response))]
    return wire.parts(described["Content-Type"], content_of(response))


@given(requests, representations)
def test_head_has_the_fields_of_get_and_no_pieces(fields: dict[str, str], selected: Representation) -> None:
    get, head = (ask(fields, method=method, selected=selected) for method in ("GET", "HEAD"))
    assert (head.status, head.fields, head.pieces) == (get.status, get.fields, ())


@given(requests, representations)
def test_no_response_is_longer_than_the_representation(fields: dict[str, str], selected: Representation) -> None:
    response = ask(fields, selected=selected)
    assert selected.size is None or sum(map(len, response.pieces)) <= selected.size


@given(requests, representations.filter(lambda selected: selected.size is not None))
def test_the_content_length_is_that_of_the_body(fields: dict[str, str], selected: Representation) -> None:
    response = ask(fields, selected=selected)
    assert dict(response.fields).get("Content-Length", "0") == str(len(content_of(response)))


@given(conditions, ranges)
def test_a_304_or_412_is_the_same_with_any_range(fields: dict[str, str], value: str) -> None:
    without = ask(fields)
    assert without.status == 200 or ask(fields | {"range": value}) == without


@given(satisfiable)
def test_every_part_is_sent_under_its_position(value: str) -> None:
    assert all(
        wire.named_bytes(content_range, CONTENT) == part for _, content_range, part in parts_of(ask({"range": value}))
    )


@given(satisfiable)
def test_every_requested_range_is_in_a_part(value: str) -> None:
    starts = [int(spec.partition("-")[0]) for spec in value.removeprefix("bytes=").split(",")]
    parts = [part for _, _, part in parts_of(ask({"range": value}))]
    assert all(any(CONTENT[start : start + 100] in part for part in parts) for start in starts)


@given(st.lists(st.integers(0, 50), min_size=100, max_size=100))
def test_a_hundred_overlapping_ranges_never_enlarge_the_response(starts: list[int]) -> None:
    value = "bytes=" + ",".join(f"{start}-" for start in starts)
    response = ask({"range": value}, policy=Policy(max_ranges=100))
    assert content_of(response) == CONTENT[min(starts) :]


@given(st.integers(1, 3000))
def test_ranges_of_single_bytes_never_enlarge_the_response(distance: int) -> None:
    value = "bytes=" + ",".join(f"{at}-{at}" for at in range(0, len(CONTENT), distance + 1))
    assert len(content_of(ask({"range": value}, policy=Policy(max_ranges=len(CONTENT))))) <= len(CONTENT)


@given(requests, representations)
def test_no_field_of_a_response_has_a_line_break(fields: dict[str, str], selected: Representation) -> None:
    response = ask(fields, selected=replace(selected, filename="a\r\nb"), policy=Policy(disposition="inline"))
    assert not any(set("\r\n\0") & set(name + value) for name, value in response.fields)
