"""Chunked bodies (RFC 9112 §7.1): whole, byte by byte, and with something behind."""

import pytest

from async_downloads.server.http1.chunked_body import ChunkedBody
from async_downloads.server.http1.request_head import BadRequest

GOOD = [
    pytest.param(b"0\r\n\r\n", b"", id="empty"),
    pytest.param(b"3\r\nabc\r\n0\r\n\r\n", b"abc", id="one chunk"),
    pytest.param(b"3\r\nabc\r\n00A\r\n0123456789\r\n000\r\n\r\n", b"abc0123456789", id="leading zeros"),
    pytest.param(b'1;a=b;c="d"\r\nx\r\n0 ;e\r\n\r\n', b"x", id="extensions"),
    pytest.param(b"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", b"x", id="trailers"),
    pytest.param(b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n", id="line breaks in the content"),
]


def decode(data: bytes, step: int) -> tuple[bytes, bytes, bool]:
    """Feed pieces of `step` bytes; return the content, what follows, and whether the body has ended."""
    body, content, rest = ChunkedBody(), b"", b""
    for start in range(0, len(data), step):
        if body.ended:
            rest += data[start : start + step]
            continue
        part, rest = body.feed(data[start : start + step])
        content += part
        while body.has_more:
            part, rest = body.feed(b"")
            content += part
    return content, rest, body.ended


def test_thousands_of_chunks_are_decoded_in_several_calls() -> None:
    body = ChunkedBody()
    content, rest = body.feed(b"1\r\nx\r\n" * 5000 + b"0\r\n\r\nrest")
    assert (content, rest, body.has_more, body.ended) == (b"x" * 2048, b"", True, False)
    assert decode(b"1\r\nx\r\n" * 5000 + b"0\r\n\r\nrest", 100_000) == (b"x" * 5000, b"rest", True)


@pytest.mark.parametrize(("data", "content"), GOOD)
@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("behind", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_body_is_decoded_and_what_follows_is_kept(data: bytes, content: bytes, step: int, behind: bytes) -> None:
    assert decode(data + behind, step) == (content, behind, True)


@pytest.mark.parametrize(("data", "content"), GOOD)
def test_a_body_that_lacks_its_last_byte_has_not_ended(data: bytes, content: bytes) -> None:
    assert decode(data[:-1], 10_000) == (content, b"", False)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"\r\n", 400, id="no size"),
        pytest.param(b"x\r\n", 400, id="no number"),
        pytest.param(b"-1\r\n", 400, id="a sign"),
        pytest.param(b"0x1\r\n", 400, id="a prefix"),
        pytest.param(b" 1\r\n", 400, id="a space before"),
        pytest.param(b"1_0\r\n", 400, id="an underscore"),
        pytest.param(b"1" * 16 + b"\r\n", 400, id="a size beyond 60 bits"),
        pytest.param(b"1\na\r\n0\r\n\r\n", 400, id="a bare LF"),
        pytest.param(b"1;a\nb\r\n", 400, id="LF in an extension"),
        pytest.param(b"1\r\nab\r\n", 400, id="more than the size says"),
        pytest.param(b"2\r\na\r\n0\r\n\r\n", 400, id="less than the size says"),
        pytest.param(b"1;" + b"a" * 5000, 400, id="a line that has no end"),
        pytest.param(b"0\r\nA b\r\n\r\n", 400, id="a trailer without a colon"),
        pytest.param(b"0\r\n A: b\r\n\r\n", 400, id="a folded trailer"),
        pytest.param(b"0\r\nA: \0\r\n\r\n", 400, id="NUL in a trailer"),
        pytest.param(b"0\r\n" + b"A: b\r\n" * 5000, 431, id="many trailers"),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_body_is_refused(data: bytes, status: int, step: int) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(data, step)
    assert refused.value.status == status
