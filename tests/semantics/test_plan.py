"""The response to each of the examples of RFC 9110 §13 to §15, for one representation."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from async_downloads.semantics.dates import format_date
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.plan import Policy, plan
from async_downloads.semantics.ranges import UNBOUNDED, ByteRange
from async_downloads.semantics.representation import Representation, RequestHead, Validators
from semantics import wire
from semantics.asking import CACHING, CONTENT, MODIFIED, NOW, PDF, ask, content_of, names


def test_a_plain_get_has_the_whole_representation() -> None:
    response = ask()
    assert (response.status, content_of(response)) == (200, CONTENT)
    assert dict(response.fields) == {
        "Content-Type": "application/pdf",
        "Content-Length": "10000",
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "Last-Modified": format_date(MODIFIED),
        "ETag": '"v1"',
    }


@pytest.mark.parametrize(
    ("selected", "policy", "field"),
    [
        pytest.param(replace(PDF, coding="gzip"), Policy(), ("Content-Encoding", "gzip"), id="§8.4 the coding"),
        pytest.param(
            replace(PDF, negotiated=True), Policy(), ("Vary", "Accept-Encoding"), id="§12.5.5 what it hangs on"
        ),
        pytest.param(
            replace(PDF, negotiated=True),
            Policy(fields=(("Vary", "Accept"),)),
            ("Vary", "Accept, Accept-Encoding"),
            id="§12.5.5 all names in one field, for nginx before 1.23",
        ),
        pytest.param(
            replace(PDF, filename="a.pdf"),
            Policy(disposition="attachment"),
            ("Content-Disposition", "attachment; filename=a.pdf"),
            id="RFC 6266 the name to save under",
        ),
        pytest.param(PDF, Policy(disposition="inline"), ("Content-Disposition", "inline"), id="RFC 6266 no name"),
        pytest.param(
            replace(PDF, digest=sha256(b"").digest()),
            Policy(),
            ("Repr-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
            id="RFC 9530 the digest",
        ),
        pytest.param(
            replace(PDF, language="de"), Policy(), ("Content-Language", "de"), id="§8.5 the language of its readers"
        ),
        pytest.param(
            replace(PDF, cache_control="max-age=9"),
            Policy(fields=CACHING),
            ("Cache-Control", "max-age=9"),
            id="RFC 9111 §5.2 what was stored with it",
        ),
        pytest.param(PDF, Policy(fields=CACHING), CACHING[0], id="RFC 9111 §5.2 how long it is fresh"),
        pytest.param(replace(PDF, ranges=False), Policy(), ("Accept-Ranges", "none"), id="§14.3 no ranges"),
        pytest.param(replace(PDF, size=None), Policy(), ("Accept-Ranges", "none"), id="§14.3 no ranges without a size"),
        pytest.param(
            replace(PDF, validators=Validators(last_modified=NOW + 9)),
            Policy(),
            ("Last-Modified", format_date(NOW)),
            id="§8.8.2.1 no date in the future",
        ),
    ],
)
def test_each_property_of_a_representation_has_its_field(
    selected: Representation, policy: Policy, field: tuple[str, str]
) -> None:
    assert field in ask(selected=selected, policy=policy).fields


def test_a_representation_without_validators_has_no_field_for_them() -> None:
    assert not names(ask(selected=replace(PDF, validators=Validators()))) & {"ETag", "Last-Modified"}


@pytest.mark.parametrize(
    ("value", "content_range", "content"),
    [
        pytest.param("bytes=0-499", "bytes 0-499/10000", CONTENT[:500], id="§14.1.2 the first 500 bytes"),
        pytest.param("bytes=500-999", "bytes 500-999/10000", CONTENT[500:1000], id="§14.1.2 the second 500 bytes"),
        pytest.param("bytes=-500", "bytes 9500-9999/10000", CONTENT[-500:], id="§14.1.2 the final 500, a suffix"),
        pytest.param("bytes=9500-", "bytes 9500-9999/10000", CONTENT[9500:], id="§14.1.2 the final 500, a position"),
        pytest.param("bytes=500-700,601-999", "bytes 500-999/10000", CONTENT[500:1000], id="§15.3.7.2 one is left"),
        pytest.param("bytes=0-9,20000-", "bytes 0-9/10000", CONTENT[:10], id="§15.3.7.2 one can be satisfied"),
        pytest.param("bytes=0-", "bytes 0-9999/10000", CONTENT, id="§14.1.2 all of it"),
    ],
)
def test_one_range_gets_its_bytes(value: str, content_range: str, content: bytes) -> None:
    response = ask({"range": value})
    assert (response.status, content_of(response)) == (206, content)
    assert dict(response.fields)["Content-Range"] == content_range
    assert dict(response.fields)["Content-Length"] == str(len(content))


def test_the_example_of_section_15_3_7_1() -> None:
    response = ask({"range": "bytes=21010-"}, selected=Representation(47022, "image/gif"))
    assert {("Content-Range", "bytes 21010-47021/47022"), ("Content-Length", "26012")} <= {*response.fields}


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        pytest.param("bytes=0-0,-1", [(0, 1), (9999, 10000)], id="§14.1.2 the first and last bytes"),
        pytest.param(
            "bytes= 0-999, 4500-5499, -1000", [(0, 1000), (4500, 5500), (9000, 10000)], id="§14.1.2 first, middle, last"
        ),
        pytest.param("bytes=500-999,7000-7999", [(500, 1000), (7000, 8000)], id="§15.3.7.2 the example"),
        pytest.param("bytes=7000-7999,500-999", [(7000, 8000), (500, 1000)], id="§15.3.7.2 in the order asked"),
    ],
)
def test_several_ranges_get_one_part_each(value: str, spans: list[tuple[int, int]]) -> None:
    response = ask({"range": value})
    parts = wire.parts(dict(response.fields)["Content-Type"], content_of(response))
    assert parts == [
        ("application/pdf", f"bytes {start}-{stop - 1}/10000", CONTENT[start:stop]) for start, stop in spans
    ]


def test_a_multipart_response_has_no_content_range_of_its_own() -> None:
    assert "Content-Range" not in names(ask({"range": "bytes=0-0,-1"}))


@pytest.mark.parametrize("value", ["bytes=0-9", "bytes=0-9,-9"])
def test_a_part_is_described_like_the_whole(value: str) -> None:
    selected = replace(PDF, coding="gzip", filename="a.pdf", negotiated=True, digest=bytes(32))
    policy = Policy(disposition="attachment", fields=CACHING)
    framing = {"Content-Type", "Content-Length", "Content-Range"}
    whole, part = ask(selected=selected, policy=policy), ask({"range": value}, selected=selected, policy=policy)
    assert [field for field in part.fields if field[0] not in framing] == [
        field for field in whole.fields if field[0] not in framing
    ]


@pytest.mark.parametrize(
    ("fields", "selected", "policy"),
    [
        pytest.param({"range": "lines=0-9"}, PDF, Policy(), id="§14.2 an unknown unit"),
        pytest.param({"range": "bytes=9-0"}, PDF, Policy(), id="§14.2 a malformed Range"),
        pytest.param({"range": "bytes=0-0,2-2,4-4"}, PDF, Policy(max_ranges=2), id="§17.15 too many ranges"),
        pytest.param({"range": "bytes=0-4999,5001-"}, PDF, Policy(), id="§14.2 parts longer than the whole"),
        pytest.param({"range": "bytes=0-9"}, replace(PDF, ranges=False), Policy(), id="§14.2 no ranges"),
        pytest.param({"range": "bytes=0-9"}, PDF, Policy(conditional=False), id="§14.2 ranges not wanted"),
        pytest.param({"if-none-match": "*"}, PDF, Policy(conditional=False), id="§13.2.1 conditions not wanted"),
        pytest.param({"if-range": '"v1"'}, PDF, Policy(), id="§13.1.5 If-Range without Range"),
        pytest.param({"if-range": '"v2"', "range": "bytes=0-9"}, PDF, Policy(), id="§13.1.5 another version"),
        pytest.param({"if-range": '"v2"', "range": "bytes=20000-"}, PDF, Policy(), id="§13.1.5 never 416"),
        pytest.param({"if-range": 'W/"v1"', "range": "bytes=0-9"}, PDF, Policy(), id="§13.1.5 a weak tag"),
        pytest.param({"if-range": "", "range": "bytes=0-9"}, PDF, Policy(), id="§13.1.5 an invalid condition"),
        pytest.param(
            {"if-range": format_date(MODIFIED - 1), "range": "bytes=0-9"}, PDF, Policy(), id="§13.1.5 another date"
        ),
        pytest.param(
            {"if-range": format_date(NOW), "range": "bytes=0-9"},
            replace(PDF, validators=Validators(last_modified=NOW)),
            Policy(),
            id="§8.8.2.2 the date of this second",
        ),
        pytest.param(
            {"if-range": format_date(NOW), "range": "bytes=0-9"},
            replace(PDF, validators=Validators(last_modified=NOW + 1)),
            Policy(),
            id="§8.8.2.2 a date in the future",
        ),
    ],
)
def test_the_whole_is_sent_when(fields: dict[str, str], selected: Representation, policy: Policy) -> None:
    response = ask(fields, selected=selected, policy=policy)
    assert (response.status, response.pieces) == (200, (ByteRange(0, len(CONTENT)),))
    assert "Content-Range" not in names(response)


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param('"v1"', id="§13.1.5 the strong tag"),
        pytest.param(format_date(MODIFIED), id="§13.1.5 the exact date"),
    ],
)
def test_a_part_is_sent_when_if_range_holds(condition: str) -> None:
    assert ask({"if-range": condition, "range": "bytes=0-9"}).status == 206


@pytest.mark.parametrize("size", [0, None])
@pytest.mark.parametrize("value", ["bytes=0-0", "bytes=-1", "bytes=5-"])
def test_a_range_of_an_empty_or_endless_representation_is_ignored(value: str, size: int | None) -> None:
    assert ask({"range": value}, selected=replace(PDF, size=size)) == ask(selected=replace(PDF, size=size))


def test_an_empty_representation_is_one_of_no_pieces() -> None:
    response = ask(selected=replace(PDF, size=0))
    assert (response.status, response.pieces, dict(response.fields)["Content-Length"]) == (200, (), "0")


def test_a_representation_of_unknown_size_has_no_content_length() -> None:
    response = ask(selected=replace(PDF, size=None))
    assert response.pieces == (UNBOUNDED,)
    assert "Content-Length" not in names(response)


@pytest.mark.parametrize(
    "change",
    [
        {"size": 27},
        {"media_type": "text/plain"},
        {"coding": "gzip"},
        {"validators": Validators(ETag("other"))},
        {"filename": "b.txt"},
        {"ranges": False},
        {"negotiated": True},
        {"digest": bytes(32)},
        {"language": "de"},
        {"cache_control": "no-store"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_plan_is_never_one_of_another_representation(change: dict[str, Any]) -> None:
    request, first = RequestHead("GET", NOW), Representation(26, filename="a.txt")
    policy = Policy(disposition="attachment")
    before = plan(request, first, policy)
    assert plan(request, replace(first, **change), policy) != before
    assert plan(request, replace(first), policy) == before


@pytest.mark.parametrize(
    "change", [{"disposition": "attachment"}, {"fields": (("X-A", "1"),)}, {"conditional": False}], ids=str
)
def test_a_plan_is_never_one_of_another_policy(change: dict[str, Any]) -> None:
    request, selected, policy = RequestHead("GET", NOW), Representation(26, filename="a.txt"), Policy()
    before = plan(request, selected, policy)
    assert plan(request, selected, replace(policy, **change)) != before
    assert plan(request, selected, replace(policy)) == before
    assert plan(request._replace(method="HEAD"), selected, policy) == before._replace(pieces=())
