"""The signature of a link in a text for the log: a client may write the parameter in several ways."""

import pytest

from async_downloads.access.signature_parameter import without_signature


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/a?signature=x1.y-_", b"/a?signature=***"),
        (b"/a?zip&signature=x1&name=b", b"/a?zip&signature=***&name=b"),
        (b"/a?signature=x1&signature=x2", b"/a?signature=***&signature=***"),
        (b"/a?%73ignature=x1", b"/a?%73ignature=***"),
        (b"/a?zip&%53%49%47%4e%41%54%55%52%45=x1&b", b"/a?zip&%53%49%47%4e%41%54%55%52%45=***&b"),
        (b"/a?si%67nat%75re=x1", b"/a?si%67nat%75re=***"),
        (b"/a?Signature=x1", b"/a?Signature=***"),
        (b"/a?zip;signature=x1;b", b"/a?zip;signature=***"),
        (b"/a?zip&amp;signature=x1", b"/a?zip&amp;signature=***"),
        (b"/a?signature%3Dx1&b", b"/a?signature%3D***&b"),
        (b"/a%3fsignature%3dx1", b"/a%3fsignature%3d***"),
        (b"/a?zip%26signature=x1", b"/a?zip%26signature=***"),
        (b"GET /a?%73ignature=x1 HTTP/1.1", b"GET /a?%73ignature=*** HTTP/1.1"),
        (b"/a?signature=x1#b", b"/a?signature=***#b"),
        (b"/signature=a?name=signature", b"/signature=a?name=signature"),
        (b"/a?signatures=b&my-signature=c", b"/a?signatures=b&my-signature=c"),
        (b"/a%73ignature=b", b"/a%73ignature=b"),
    ],
)
def test_the_log_shows_stars_in_place_of_a_signature(target: bytes, shown: bytes) -> None:
    assert without_signature(target) == shown
