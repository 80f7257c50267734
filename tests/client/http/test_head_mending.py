"""Heads that h11 refuses and browsers read."""

import pytest
from harness.scripted import Connection, scripted

from async_downloads.client.http.head_mending import HeadMender
from async_downloads.client.http.transport import new_client

OK = b"HTTP/1.1 200 OK\r\n"


def _mended(*pieces: bytes) -> bytes:
    mender = HeadMender()
    mender.expect()
    return b"".join(mender.add(piece) for piece in pieces)


@pytest.mark.parametrize(
    ("fields", "mended"),
    [
        pytest.param(b"A: b\r\n", b"A: b\r\n", id="a correct field"),
        pytest.param(b"A : b\r\n", b"A: b\r\n", id="a space before the colon"),
        pytest.param(b"A B: c\r\nD: e\r\n", b"D: e\r\n", id="a space in a name"),
        pytest.param(b"\xc3\xa9: c\r\nD: e\r\n", b"D: e\r\n", id="a name beyond ASCII"),
        pytest.param(b"nothing\r\nD: e\r\n", b"D: e\r\n", id="no colon"),
        pytest.param(b": a\r\nD: e\r\n", b"D: e\r\n", id="no name"),
        pytest.param(b"A: b\x00c\rd\r\n", b"A: b c d\r\n", id="controls in a value"),
        pytest.param(b"Transfer-Encoding: identity\r\n", b"", id="the coding that RFC 9112 has removed"),
        pytest.param(b"Content-Length:\r\nA: b\r\n", b"A: b\r\n", id="a length that is empty"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\ntransfer-encoding : Chunked\r\n",
            b"Transfer-Encoding: chunked\r\n",
            id="a coding that is named twice",
        ),
        pytest.param(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\n", id="a coding"),
        pytest.param(b"A: b\r\n c\r\n", b"A: b\r\n c\r\n", id="a field on two lines"),
        pytest.param(b"A B: b\r\n c\r\nD: e\r\n", b"D: e\r\n", id="a malformed field on two lines"),
        pytest.param(b" c\r\nD: e\r\n", b"D: e\r\n", id="a continuation of no field"),
    ],
)
def test_a_head_is_mended(fields: bytes, mended: bytes) -> None:
    head = OK + fields + b"\r\n"
    assert _mended(head + b"body \x00 : c") == OK + mended + b"\r\n" + b"body \x00 : c"
    assert _mended(*(bytes([each]) for each in head)) == OK + mended + b"\r\n"


@pytest.mark.parametrize(
    ("head", "body", "kept"),
    [
        pytest.param(OK + b"Content-Length: 3\r\n", b"abcdef", b"abc", id="a body that is too long"),
        pytest.param(OK + b"Content-Length: 0\r\n", b"abcdef", b"", id="a body after none was announced"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n", b"abcdef", b"", id="a 304 with a body"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n", b"abcdef", b"", id="a 204 with a body"),
    ],
)
def test_bytes_after_the_end_of_a_body_are_cut_off(head: bytes, body: bytes, kept: bytes) -> None:
    for size in (len(body), 1):
        mender = HeadMender()
        mender.expect()
        pieces = [head + b"\r\n", *(body[at : at + size] for at in range(0, len(body), size))]
        assert b"".join(map(mender.add, pieces)) == head + b"\r\n" + kept
        assert mender.has_surplus


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", id="a coding that overrides the length"),
        pytest.param(b"Content-Length: 3, 3\r\n", id="a list of lengths"),
        pytest.param(b"", id="no length"),
    ],
)
def test_a_body_of_unknown_length_is_passed_on(fields: bytes) -> None:
    mender = HeadMender()
    mender.expect()
    assert mender.add(OK + fields + b"\r\nabcdef") + mender.add(b"g") == OK + fields + b"\r\nabcdefg"
    assert not mender.has_surplus


@pytest.mark.parametrize("before", [b"\r\n", b"\n\n", b"\r\n\r\n\r\n"])
def test_blank_lines_before_a_head_are_left_out(before: bytes) -> None:
    head = OK + b"A: b\r\n\r\n"
    assert _mended(before + head + b"\r\nbody") == head + b"\r\nbody"
    assert _mended(*(bytes([each]) for each in before + head)) == head


def test_a_status_code_may_follow_several_spaces() -> None:
    assert _mended(b"HTTP/1.1  103 Hints\r\n\r\nHTTP/1.0\t 200\r\nA : b\r\n\r\n") == (
        b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.0 200\r\nA: b\r\n\r\n"
    )


def test_lines_may_end_without_a_carriage_return() -> None:
    assert _mended(b"HTTP/1.1 200 OK\nA : b\n\nbody") == b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"


def test_the_head_after_an_interim_one_is_mended_too() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nA : b\r\n\r\n"
    assert _mended(early + OK + b"C : d\r\n\r\nbody") == (
        b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + OK + b"C: d\r\n\r\nbody"
    )
    assert _mended(early, OK + b"C : d\r\n\r\n").endswith(b"C: d\r\n\r\n")


def test_a_hundred_interim_responses_are_passed_on_for_each_request() -> None:
    hints, mender = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, HeadMender()
    for _ in range(2):
        mender.expect()
        assert mender.add(hints + OK + b"\r\n") == hints + OK + b"\r\n"


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"\x05\x00", id="a SOCKS proxy"),
        pytest.param(b"SSH-2.0-x\r\nA : b\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000, id="a head that is too long"),
    ],
)
def test_what_is_no_head_goes_on_unchanged(received: bytes) -> None:
    assert _mended(received) == received


def test_the_end_of_the_connection_gives_up_half_a_head() -> None:
    assert _mended(OK, b"") == OK


async def test_a_response_that_h11_refuses_is_read() -> None:
    async def serve(connection: Connection) -> None:
        for _ in range(2):
            await connection.request()
            await connection.send(b"HTTP/1.1 200 OK\r\nX By : me\r\nX a: b\r\n", b"Content-Length : 2\r\n\r\nok")

    async with scripted(serve) as server, new_client() as client:
        assert [(await client.get(server.url)).text for _ in range(2)] == ["ok", "ok"]
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 2\r\n\r\nabcdef", b"HTTP/1.1 304 OK\r\n\r\n<html>"]
)
async def test_a_body_that_is_too_long_does_not_become_the_next_response(first: bytes) -> None:
    async def serve(connection: Connection) -> None:
        await connection.request()
        await connection.send(first if len(server.connections) == 1 else OK + b"Content-Length: 2\r\n\r\nok")
        await connection.left()

    async with scripted(serve) as server, new_client() as client:
        await client.get(server.url)
        assert (await client.get(server.url)).text == "ok"
        assert len(server.connections) == 2
