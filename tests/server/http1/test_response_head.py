"""Response heads: their form, and texts that cannot be a field."""

import pytest

from async_downloads.server.http1.response_head import encode_lines


def test_names_are_written_as_firmware_loaders_expect_them() -> None:
    fields = [(b"content-length", b"5"), (b"etag", b'"a"'), (b"X-CONTENT-type-options", b"nosniff")]
    head = encode_lines(200, fields)
    assert head.lines == b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\nX-Content-Type-Options: nosniff\r\n'
    assert (head.length, head.closes, head.has_date) == (5, False, False)


@pytest.mark.parametrize(
    ("status", "line"), [(206, b"206 Partial Content"), (308, b"308 Permanent Redirect"), (599, b"599 ")]
)
def test_the_status_line_has_the_reason_phrase_of_a_known_status(status: int, line: bytes) -> None:
    assert encode_lines(status, ()).lines == b"HTTP/1.1 %s\r\n" % line


def test_the_framing_is_the_servers() -> None:
    head = encode_lines(200, [(b"Transfer-Encoding", b"chunked"), (b"Connection", b"Close"), (b"Date", b"now")])
    assert head == (b"HTTP/1.1 200 OK\r\nDate: now\r\n", None, True, True)


def test_fields_may_be_lists() -> None:
    assert encode_lines(200, [[b"a", b"b"]]).lines == b"HTTP/1.1 200 OK\r\nA: b\r\n"


@pytest.mark.parametrize("value", [b"short", b"long" * 100])
def test_a_value_of_any_length_is_written(value: bytes) -> None:
    assert encode_lines(200, [(b"a", value)]).lines.endswith(b"A: %s\r\n" % value)


@pytest.mark.parametrize(
    ("name", "value"), [(b"a b", b"c"), (b"", b"c"), (b"a", b"b\r\nc: d"), (b"a", b"b\nc"), (b"a", b"\0")]
)
def test_what_would_break_the_head_is_refused(name: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match="not a field"):
        encode_lines(200, [(name, value)])


def test_fields_may_be_a_generator_of_lists() -> None:
    head = encode_lines(200, ([name, value] for name, value in [(b"content-length", b"5"), (b"etag", b'"a"')]))
    assert head.lines == b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\n'


@pytest.mark.parametrize("status", [-1, 0, 99, 100, 101, 103, 199, 1000])
def test_a_status_that_ends_no_response_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="not the status of a response"):
        encode_lines(status, ())


@pytest.mark.parametrize(
    "values",
    [[b""], [b"-5"], [b"+5"], [b"1_0"], [b"5, 5"], [b"five"], [b"9" * 5000], [b"3", b"5"]],
    ids=["empty", "minus", "plus", "underscore", "list", "word", "thousands of digits", "two"],
)
def test_a_length_that_clients_read_differently_is_refused(values: list[bytes]) -> None:
    with pytest.raises(ValueError, match="not the one Content-Length"):
        encode_lines(200, [(b"content-length", value) for value in values])


def test_a_repeated_length_is_written_once() -> None:
    head = encode_lines(200, [(b"content-length", b"5"), (b"Content-Length", b"5")])
    assert (head.lines.count(b"Content-Length: 5\r\n"), head.length) == (1, 5)


def test_a_204_has_no_length() -> None:
    assert encode_lines(204, [(b"content-length", b"0")]).lines == b"HTTP/1.1 204 No Content\r\n"


@pytest.mark.parametrize(
    ("value", "lines", "closes"),
    [
        (b"keep-alive", b"", False),
        (b"Keep-Alive, CLOSE", b"", True),
        (b"close, x-trace", b"Connection: x-trace\r\n", True),
        (b"Upgrade", b"Connection: Upgrade\r\n", False),
    ],
)
def test_an_app_may_close_the_connection_but_not_keep_it_open(value: bytes, lines: bytes, closes: bool) -> None:
    head = encode_lines(426, [(b"connection", value)])
    assert (head.lines.partition(b"\r\n")[2], head.closes) == (lines, closes)
