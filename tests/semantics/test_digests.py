"""RFC 9530, checked with a base64 reader of its own."""

import re
from base64 import b64encode
from hashlib import sha256, sha512

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.digests import parse_digest, repr_digest

CONTENT = b'{"hello": "world"}\n'
SHA256 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
SHA512 = "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:"
BOTH = {"sha-256": sha256(CONTENT).digest(), "sha-512": sha512(CONTENT).digest()}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def read(value: str) -> bytes:
    """Read the SHA-256 out of a dictionary with one byte sequence (RFC 8941 §3.3.5): 43 letters and a pad."""
    found = re.fullmatch(r"sha-256=:([A-Za-z0-9+/]{43})=:", value)
    assert found, value
    number = 0
    for letter in found[1]:
        number = number * 64 + ALPHABET.index(letter)
    assert number % 4 == 0  # 43 letters are 258 bits; the last two must be zero
    return (number // 4).to_bytes(32, "big")


def test_the_example_of_rfc_9530_appendix_b_1() -> None:
    assert repr_digest(BOTH["sha-256"]) == SHA256


@given(st.binary(min_size=32, max_size=32))
def test_a_written_digest_is_read_back(digest: bytes) -> None:
    assert read(repr_digest(digest)) == digest


@pytest.mark.parametrize(
    ("value", "algorithms"),
    [
        pytest.param(SHA256, "sha-256", id="RFC 9530 appendix B.1"),
        pytest.param(SHA512, "sha-512", id="RFC 9530 appendix B.5"),
        pytest.param(f"{SHA256},{SHA512}", "sha-256 sha-512", id="RFC 9530 §3 two"),
        pytest.param(f" {SHA512} \t,\t {SHA256} ", "sha-256 sha-512", id="RFC 8941 §4.2.2 spaces"),
        pytest.param(f"md5=:AAAA:, unixsum=:AA==:, {SHA256}", "sha-256", id="RFC 9530 §5 others promise nothing"),
        pytest.param(
            f"{SHA256};a;b=1;c=:AA==:, d, e=1.5, f=?0, g=h", "sha-256", id="RFC 8941 §3.2 whatever else there is"
        ),
        pytest.param(f'x="a, \\"b\\"", {SHA256}', "sha-256", id="RFC 8941 §3.3.3 a comma in a string"),
        pytest.param(SHA256.replace("=:", ":").replace("256:", "256=:"), "sha-256", id="RFC 8941 §4.2.7 no padding"),
        pytest.param(f"sha-256=:AAAA:, {SHA256}", "sha-256", id="RFC 8941 §4.2.2 the last of a key counts"),
        pytest.param(f"{SHA256}, sha-256", "", id="RFC 8941 §4.2.2 also when it is none"),
        pytest.param("sha-256=:AAAA:, sha-512=::", "", id="a wrong length"),
        pytest.param(f"{SHA512.replace('512', '256')}", "", id="the length of another"),
        pytest.param("sha-256=deadbeef", "", id="no byte sequence"),
        pytest.param("", "", id="RFC 8941 §3.2 nothing"),
        pytest.param(f"{SHA256},", "", id="RFC 8941 §4.2.2 a comma at the end"),
        pytest.param(f"{SHA256},,{SHA512}", "", id="RFC 8941 §4.2.2 an empty member"),
        pytest.param(f"{SHA256} {SHA512}", "", id="RFC 8941 §4.2.2 no comma"),
        pytest.param(SHA256.upper(), "", id="RFC 8941 §3.1.2 a key is in lower case"),
        pytest.param(SHA256[:-1], "", id="RFC 8941 §4.2.7 no end"),
        pytest.param(SHA256.replace("/", "_"), "", id="RFC 8941 §4.2.7 another alphabet"),
        pytest.param(f"{SHA256}, x=(a b)", "", id="RFC 9530 §2 an inner list is no digest"),
    ],
)
def test_the_digests_of_a_field_are_read(value: str, algorithms: str) -> None:
    assert parse_digest(value) == {algorithm: BOTH[algorithm] for algorithm in algorithms.split()}


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_written_digests_are_read_back(short: bytes, long: bytes) -> None:
    value = f"{repr_digest(short)}, sha-512=:{b64encode(long).decode()}:"
    assert parse_digest(value) == {"sha-256": short, "sha-512": long}


@given(st.text(st.sampled_from('sha-256=:A, ;"')) | st.text())
def test_a_digest_is_read_or_not_whatever_the_field(text: str) -> None:
    assert set(parse_digest(text)) <= {"sha-256", "sha-512"}


@pytest.mark.parametrize("before", ["", "sha-256=:", 'a="', "a;"])
def test_work_grows_no_faster_than_the_field(before: str, hostile: str) -> None:
    parse_digest(before + hostile)
