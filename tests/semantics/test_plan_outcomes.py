"""Responses without a representation: RFC 9110 §15.4.5, §15.5.13 and §15.5.17; and what HEAD and other methods get."""

from dataclasses import replace

import pytest

from async_downloads.semantics.dates import format_date
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.plan import Policy
from async_downloads.semantics.ranges import ByteRange
from async_downloads.semantics.representation import Representation, Validators
from semantics.asking import CACHING, CONTENT, MODIFIED, PDF, ask, names

SAME, OTHER = {"if-none-match": '"v1"'}, {"if-match": '"v2"'}
FULL = replace(PDF, coding="gzip", filename="a.pdf", negotiated=True, digest=bytes(32))
OFFERED = Policy(disposition="attachment", fields=CACHING)


def test_a_304_repeats_the_fields_of_section_15_4_5_and_no_others() -> None:
    response = ask(SAME, selected=FULL, policy=OFFERED)
    assert response.status == 304
    assert dict(response.fields) == {"ETag": '"v1"', "Vary": "Accept-Encoding", **dict(CACHING)}


def test_a_304_has_the_date_if_there_is_no_tag() -> None:
    selected = replace(PDF, validators=Validators(last_modified=MODIFIED))
    response = ask({"if-modified-since": format_date(MODIFIED)}, selected=selected)
    assert (response.status, response.fields) == (304, (("Last-Modified", format_date(MODIFIED)),))


def test_a_304_of_a_representation_without_validators_has_none() -> None:
    response = ask({"if-none-match": "*"}, selected=replace(PDF, validators=Validators()))
    assert (response.status, response.fields) == (304, ())


def test_a_304_keeps_a_weak_tag_weak() -> None:
    selected = replace(PDF, validators=Validators(ETag("v1", weak=True)))
    assert ask(SAME, selected=selected).fields == (("ETag", 'W/"v1"'),)


def test_a_412_carries_no_representation() -> None:
    response = ask(OTHER, selected=FULL, policy=OFFERED)
    assert (response.status, response.fields) == (412, (("Content-Length", "0"),))


def test_a_416_has_the_current_length_as_in_section_15_5_17() -> None:
    response = ask({"range": "bytes=47022-"}, selected=Representation(47022, "image/gif"))
    assert response.status == 416
    assert dict(response.fields) == {"Content-Range": "bytes */47022", "Content-Length": "0"}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("bytes=10000-", id="§14.1.2 it begins at the end"),
        pytest.param("bytes=-0", id="§14.1.2 an empty suffix"),
        pytest.param("bytes=10000-,20000-", id="§15.5.17 none of several"),
        pytest.param(f"bytes={'9' * 500}-", id="§14.1.2 a far-away position"),
    ],
)
def test_a_416_says_that_none_can_be_satisfied(value: str) -> None:
    assert ask({"range": value}).status == 416


@pytest.mark.parametrize("fields", [SAME, OTHER, {"range": "bytes=10000-"}])
def test_a_response_without_a_representation_has_no_pieces(fields: dict[str, str]) -> None:
    assert ask(fields, selected=FULL).pieces == ()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param(SAME | {"range": "bytes=0-9"}, 304, id="§13.2.2 304 before 206"),
        pytest.param(SAME | {"range": "bytes=10000-"}, 304, id="§13.2.2 304 before 416"),
        pytest.param(OTHER | {"range": "bytes=0-9"}, 412, id="§13.2.2 412 before 206"),
        pytest.param(OTHER | {"range": "bytes=10000-"}, 412, id="§13.2.2 412 before 416"),
        pytest.param(SAME | OTHER, 412, id="§13.2.2 412 before 304"),
    ],
)
def test_preconditions_come_before_the_range(fields: dict[str, str], status: int) -> None:
    assert ask(fields).status == status


@pytest.mark.parametrize("fields", [SAME, OTHER, {"range": "bytes=0-9"}, {"range": "bytes=10000-"}])
def test_conditions_and_ranges_are_for_get_and_head_only(fields: dict[str, str]) -> None:
    response = ask(fields, method="POST")
    assert (response.status, response.pieces) == (200, (ByteRange(0, len(CONTENT)),))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_policy_without_conditions_offers_no_ranges(method: str) -> None:
    assert "Accept-Ranges" not in names(ask(method=method, policy=Policy(conditional=False)))


def test_the_boundary_depends_on_the_secret() -> None:
    one, other = (ask({"range": "bytes=0-0,-1"}, policy=Policy(secret=secret)) for secret in (b"one", b"other"))
    assert dict(one.fields)["Content-Type"] != dict(other.fields)["Content-Type"]


def test_the_boundary_depends_on_the_version() -> None:
    later = replace(PDF, validators=Validators(ETag("v2"), MODIFIED))
    one, other = (ask({"range": "bytes=0-0,-1"}, selected=selected) for selected in (PDF, later))
    assert dict(one.fields)["Content-Type"] != dict(other.fields)["Content-Type"]
