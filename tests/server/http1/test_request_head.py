"""Request heads: those that are parsed, and those that are refused, with the status."""

import pytest

from async_downloads.server.http1.request_head import LINE_BYTES, BadRequest, ParsedHead, parse_head


def parsed(*lines: str, line: str = "GET / HTTP/1.1") -> ParsedHead:
    return parse_head("\r\n".join([line, "Host: a", *lines, "", ""]).encode("latin-1"))


def test_a_head_is_parsed() -> None:
    head = parsed("X-A: b c \t", "X-a:", line="GET /a%20b?c=d HTTP/1.1")
    assert (head.method, head.target, head.version) == ("GET", b"/a%20b?c=d", "1.1")
    assert head.fields == [(b"host", b"a"), (b"x-a", b"b c"), (b"x-a", b"")]
    assert (head.keep_alive, head.body_length, head.expects_continue) == (True, 0, False)


@pytest.mark.parametrize(
    ("version", "field", "kept"),
    [
        ("1.1", "X: y", True),
        ("1.1", "Connection: close", False),
        ("1.1", "Connection: keep-alive, Close", False),
        ("1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\nConnection: close", False),
        ("1.1", "Connection: Upgrade\r\nUpgrade: h2c", True),
        ("1.1", "Connection: Upgrade\r\nUpgrade: WebSocket", False),
        ("1.0", "X: y", False),
        ("1.0", "Connection: Keep-Alive", True),
        ("1.0", "Connection: keep-alive, close", False),
    ],
)
def test_whether_the_client_keeps_the_connection(version: str, field: str, kept: bool) -> None:
    assert parsed(field, line=f"GET / HTTP/{version}").keep_alive is kept


@pytest.mark.parametrize(("sent", "read"), [("1.0", "1.0"), ("1.1", "1.1"), ("1.2", "1.1"), ("1.9", "1.1")])
def test_a_later_minor_version_is_read_as_the_latest_known(sent: str, read: str) -> None:
    assert parsed(line=f"GET / HTTP/{sent}").version == read


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        ("http://b/c?d", b"/c?d", b"b"),
        ("HTTPS://b:80", b"/", b"b:80"),
        ("http://b?d", b"/?d", b"b"),
        ("/http://b/", b"/http://b/", b"a"),
        ("*", b"*", b"a"),
    ],
)
def test_a_target_is_in_origin_form_and_its_authority_is_the_host(target: str, path: bytes, host: bytes) -> None:
    head = parsed(line=f"OPTIONS {target} HTTP/1.1")
    assert (head.target, dict(head.fields)[b"host"]) == (path, host)


@pytest.mark.parametrize(
    ("target", "read"),
    [
        pytest.param("/a?q=é".encode(), b"/a?q=%C3%A9", id="a query in UTF-8, as curl sends it"),
        pytest.param(b"/\xe9%20\xff", b"/%E9%20%FF", id="a path in another encoding"),
        pytest.param("http://b/é".encode(), b"/%C3%A9", id="a whole URL"),
    ],
)
@pytest.mark.parametrize("version", [b"1.1", b"1.2"])
def test_bytes_beyond_ascii_in_a_target_are_percent_encoded(target: bytes, read: bytes, version: bytes) -> None:
    assert parse_head(b"GET %s HTTP/%s\r\nHost: a\r\n\r\n" % (target, version)).target == read


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        (["Content-Length: 5"], 5),
        (["Content-Length: 0"], 0),
        (["Transfer-Encoding: chunked"], None),
        (["Transfer-Encoding: Chunked"], None),
    ],
)
def test_the_length_of_the_body(fields: list[str], length: int | None) -> None:
    assert parsed(*fields, line="POST / HTTP/1.1").body_length == length


@pytest.mark.parametrize(
    ("version", "fields", "expects"),
    [
        ("1.1", ["Expect: 100-Continue", "Content-Length: 1"], True),
        ("1.1", ["Expect: 100-continue"], False),
        ("1.1", ["Expect: more", "Content-Length: 1"], False),
        ("1.1", ["Expect: more, 100-continue", "Content-Length: 1"], True),
        ("1.1", ["Expect: 100-continue", "Expect: 100-continue", "Content-Length: 1"], True),
        ("1.0", ["Expect: 100-continue", "Content-Length: 1"], False),
    ],
)
def test_whether_the_client_waits_before_the_body(version: str, fields: list[str], expects: bool) -> None:
    assert parsed(*fields, line=f"POST / HTTP/{version}").expects_continue is expects


REFUSED = [
    pytest.param(b"GET /\r\n\r\n", 400, id="no version"),
    pytest.param(b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="two spaces"),
    pytest.param(b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, id="a space behind"),
    pytest.param(b"GET / http/1.1\r\nHost: a\r\n\r\n", 400, id="a version in small letters"),
    pytest.param(b"G\xc3\xa9T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="a method beyond ASCII"),
    pytest.param(b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="NUL in the target"),
    pytest.param(b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="a space in the target"),
    pytest.param(b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="a target that is no path"),
    pytest.param(b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="an asterisk that OPTIONS alone may have"),
    pytest.param(b"OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="a target behind an asterisk"),
    pytest.param(b"GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="no authority"),
    pytest.param(b"GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="a user in the authority"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\n", 505, id="the preface of HTTP/2"),
    pytest.param(b"GET / HTTP/0.9\r\n\r\n", 505, id="HTTP/0.9"),
    pytest.param(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, id="HTTP/3"),
    pytest.param(b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501, id="a method in small letters"),
    pytest.param(b"SING / HTTP/1.1\r\nHost: a\r\n\r\n", 501, id="a method that nobody knows"),
    pytest.param(b"GET /" + b"a" * LINE_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, id="a long line"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431, id="too many fields"),
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no Host"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, id="two Hosts"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, id="a space in Host"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, id="a path in Host"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400, id="a space before the colon"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400, id="a folded line"),
    pytest.param(b"GET / HTTP/1.1\r\n A: b\r\nHost: a\r\n\r\n", 400, id="a space before the first field"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\0\r\n\r\n", 400, id="NUL in a value"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", 400, id="a bare CR"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", 400, id="a bare LF"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400, id="no colon"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, id="no name"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400, id="a length with a sign"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", 400, id="a length in hexadecimal"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400, id="a list of lengths"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 400, id="a huge length"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"0" * 5000 + b"\r\n\r\n", 400, id="many zeros"),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400, id="two lengths"
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        id="a length, then chunked",
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        400,
        id="chunked, then a length",
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        id="codings on two lines",
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, id="a coding before chunked"
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400, id="a coding behind chunked"
    ),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400, id="nearly chunked"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", 400, id="VT before chunked"),
    pytest.param(b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400, id="chunked in HTTP/1.0"),
]


@pytest.mark.parametrize(("head", "status"), REFUSED)
def test_a_head_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_head(head)
    assert refused.value.status == status


def test_http_1_0_needs_no_host() -> None:
    assert parse_head(b"GET / HTTP/1.0\r\n\r\n").fields == []


@pytest.mark.parametrize("size", [10, 2000])
def test_an_equal_head_is_parsed_to_an_equal_request(size: int) -> None:
    line = f"X-Filler: {'a' * size}"
    assert parsed(line) == parsed(line)
    assert parsed(line).fields == [(b"host", b"a"), (b"x-filler", b"a" * size)]
