"""RFC 9530, with a base64 reader of our own as the judge."""

import re
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.digests import repr_digest

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def read(value: str) -> bytes:
    """Read the SHA-256 out of a dictionary with one byte sequence (RFC 8941 §3.3.5): 43 letters and a pad."""
    found = re.fullmatch(r"sha-256=:([A-Za-z0-9+/]{43})=:", value)
    assert found, value
    number = 0
    for letter in found[1]:
        number = number * 64 + ALPHABET.index(letter)
    assert number % 4 == 0  # 43 letters are 258 bits: the last two are none
    return (number // 4).to_bytes(32, "big")


def test_the_example_of_rfc_9530_appendix_b_1() -> None:
    content = b'{"hello": "world"}\n'
    assert repr_digest(sha256(content).digest()) == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


@given(st.binary(min_size=32, max_size=32))
def test_a_written_digest_is_read_back(digest: bytes) -> None:
    assert read(repr_digest(digest)) == digest
